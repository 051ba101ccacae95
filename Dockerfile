# Module for the router mercure: reads MERCURE_IN_DIR, writes MERCURE_OUT_DIR. See Docs/hospital.md.
#
#   rm -rf build dist
#   python -m pip wheel --no-deps --wheel-dir dist .
#   docker build --tag pseudoctdenoise .

FROM python:3.11-slim
COPY dist/*.whl /tmp/
# The build of torch for the CPU is ten times smaller than the one for NVIDIA GPUs.
RUN pip install --no-cache-dir --extra-index-url https://download.pytorch.org/whl/cpu /tmp/*.whl \
    && rm /tmp/*.whl
CMD ["pseudoct", "route"]
