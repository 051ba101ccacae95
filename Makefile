# make          builds .venv with the command .venv/bin/pseudoct
# make test     checks lint and format, then runs the tests that are not marked slow
# make test-all checks lint and format, then runs all tests
# make test-slicer SLICER_SOURCE=/path/to/Slicer
#               tests panel, scene and harness with Slicer's own Python files from a checkout
#               of its sources
# make demo     makes a phantom and denoises it by command and by click, into demo/;
#               `make demo INPUT=scan.nrrd` denoises your own scan
# make reliability
#               tries all inputs of the table in Testing/Reliability with the command and many
#               random headers, and updates Docs/reliability.md
# make window   opens the module on the desktop, without Slicer, with the phantom or with INPUT
# make torture  attacks the product with damaged files, killed jobs and full disks, and updates
#               Docs/reliability.md;
#               SECTION="mutated files" chooses one attack
#
# PYTHON=/path/to/python chooses the interpreter (3.10 to 3.12) of a new .venv.
# TESTS="Testing/Ct -k body" chooses tests. WORKERS=1 runs them in one process.

SHELL := /bin/sh
.DEFAULT_GOAL := setup
.PHONY: moved setup test test-all test-slicer lint format demo window pictures reliability torture cmake-lists clean

# The recipes read these from the environment, so paths may contain spaces and quotes.
export PYTHON INPUT SLICER_SOURCE SECTION

# Its content is the path of the checkout, which the commands in .venv contain.
READY := .venv/.ready
MOVED := $(shell [ "$$(cat .venv/.ready 2>/dev/null)" = "$$(pwd -P)" ] || echo moved)
TORCH := $(shell sed -n 's/^ *"\(torch==[^"]*\)",*$$/\1/p' pyproject.toml)
PIP := .venv/bin/python -m pip install --quiet --disable-pip-version-check

# Each test process loads torch, which takes about 1 GB. One thread per process is faster than
# torch threads that compete for the cores. A test file stays in one process with its fixtures.
TESTS :=
WORKERS := auto
PYTEST := OMP_NUM_THREADS=1 .venv/bin/python -m pytest \
    --numprocesses=$(WORKERS) --maxprocesses=4 --dist=loadfile

setup: $(READY)
	@echo "Ready: .venv/bin/pseudoct --help"

# torch is installed first and at an exact version. With an open range beside the other packages,
# pip may choose another release and download it twice.
$(READY): pyproject.toml Research/pyproject.toml $(MOVED)
	@python=$$(sh Development/check_system.sh) || exit 1; \
	if ! .venv/bin/python -m pip --version >/dev/null 2>&1 || \
	    { [ -n "$(MOVED)" ] && [ -e $(READY) ]; }; then \
	    echo "Making .venv with $$("$$python" --version)"; \
	    "$$python" -m venv --clear .venv; \
	fi
	@echo "Installing $(TORCH) (the largest part, minutes)"
	@$(PIP) "$(TORCH)"
	@echo "Installing pseudoct, its research commands and the packages for the tests"
	@$(PIP) --editable ".[dev]" --editable Research
	@pwd -P > $(READY)

test: lint
	@echo "Running the tests that are not slow"
	@$(PYTEST) -m "not slow" $(TESTS)

test-all: lint
	@echo "Running all tests"
	@$(PYTEST) $(TESTS)

test-slicer: $(READY)
	@[ -n "$$SLICER_SOURCE" ] || { \
	    echo "Name a checkout of Slicer: make test-slicer SLICER_SOURCE=/path/to/Slicer"; exit 1; }
	@echo "Running the tests of panel, scene and harness with the Python files in $$SLICER_SOURCE"
	@$(PYTEST) $(or $(TESTS),Testing/Panel Testing/Scene Testing/Harness)

lint: $(READY)
	@echo "Checking lint and format"
	@.venv/bin/python -m ruff check
	@.venv/bin/python -m ruff format --check

format: $(READY)
	@.venv/bin/python -m ruff check --fix
	@.venv/bin/python -m ruff format

# demo_window.py ends with status 3, and a message, if the display libraries are missing.
demo: $(READY)
	@mkdir -p demo
	@if [ -n "$$INPUT" ]; then \
	    .venv/bin/pseudoct denoise "$$INPUT" demo/denoised.nrrd \
	        --noise-dir demo/noise --picture demo/denoised.png --overwrite; \
	else \
	    .venv/bin/pseudoct phantom demo --overwrite && \
	    .venv/bin/pseudoct denoise demo/phantom_ldct.nrrd demo/phantom_denoised.nrrd \
	        --reference demo/phantom_ndct.nrrd --noise-dir demo/phantom_noise \
	        --picture demo/phantom_denoised.png --overwrite; \
	fi
	@echo "Denoising the same scan through the module's window, off screen"
	@.venv/bin/python Development/demo_window.py "$${INPUT:-demo/phantom_ldct.nrrd}" demo/window \
	    || [ $$? -eq 3 ]
	@echo "The results are in demo/"

window: $(READY)
	@mkdir -p demo
	@[ -n "$$INPUT" ] || [ -e demo/phantom_ldct.nrrd ] || .venv/bin/pseudoct phantom demo --overwrite
	@.venv/bin/python Development/demo_window.py "$${INPUT:-demo/phantom_ldct.nrrd}" --desktop

# Updates the images of the documentation.
pictures: override INPUT :=
pictures: demo
	@mkdir -p Docs/pictures
	@cp demo/window/4_difference.png demo/window/7_measure.png demo/window/8_panel.png \
	    Docs/pictures
	@cp demo/window/3_after.png Resources/PseudoCTDenoise_screenshot.png

# Ends with an error if an outcome is neither the expected one nor a known fault.
reliability: $(READY)
	@OMP_NUM_THREADS=1 PYTHONPATH=Testing .venv/bin/python -m Reliability Docs/reliability.md

torture: $(READY)
	@.venv/bin/python Development/torture.py $${SECTION:+"$$SECTION"}

cmake-lists: $(READY)
	@.venv/bin/python Development/write_cmake_lists.py

clean:
	@echo "Removing .venv, build, dist, demo and caches"
	@rm -rf .venv build dist demo .pytest_cache .ruff_cache PseudoCTDenoise/*.egg-info Research/*.egg-info
