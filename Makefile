# make        builds .venv with the command .venv/bin/pseudoct
# make test   checks format and lint, then runs the tests
# make demo   makes a phantom and denoises it by command and by click, into demo/;
#             `make demo INPUT=scan.nrrd` does so with a scan of yours
# make window opens the module on the desktop, without Slicer, with the phantom or with INPUT
#
# PYTHON=/path/to/python chooses the interpreter (3.10 to 3.12).

SHELL := /bin/sh
.DEFAULT_GOAL := setup
.PHONY: setup test lint format demo window pictures cmake-lists clean

# Through the environment, so that paths with spaces or quotes need no care in the recipes.
export PYTHON INPUT

READY := .venv/.ready
TORCH := $(shell sed -n 's/^ *"\(torch==[^"]*\)",*$$/\1/p' pyproject.toml)
PIP := .venv/bin/python -m pip install --quiet --disable-pip-version-check

setup: $(READY)
	@echo "Ready: .venv/bin/pseudoct --help"

# torch comes by itself, at an exact version: asked for as an open range beside the rest, pip
# may settle on another release and bring gigabytes of CUDA libraries.
$(READY): pyproject.toml Research/pyproject.toml
	@python=$$(sh Development/check_system.sh) || exit 1; \
	if ! .venv/bin/python -m pip --version >/dev/null 2>&1; then \
	    echo "Making .venv with $$("$$python" --version)"; \
	    "$$python" -m venv --clear .venv; \
	fi
	@echo "Installing $(TORCH) (the largest part, minutes)"
	@$(PIP) "$(TORCH)"
	@echo "Installing pseudoct and what its tests need"
	@$(PIP) --editable ".[dev]" --editable Research
	@touch $(READY)

test: lint
	@echo "Running the tests"
	@.venv/bin/python -m pytest

lint: $(READY)
	@echo "Checking lint and format"
	@.venv/bin/python -m ruff check
	@.venv/bin/python -m ruff format --check

format: $(READY)
	@.venv/bin/python -m ruff check --fix
	@.venv/bin/python -m ruff format

# Exit status 3 of the window's script: the display libraries are missing, which it says.
demo: $(READY)
	@mkdir -p demo
	@if [ -n "$$INPUT" ]; then \
	    .venv/bin/pseudoct denoise "$$INPUT" demo/denoised.nrrd \
	        --noise-dir demo/noise --picture demo/denoised.png; \
	else \
	    .venv/bin/pseudoct phantom demo && \
	    .venv/bin/pseudoct denoise demo/phantom_ldct.nrrd demo/phantom_denoised.nrrd \
	        --reference demo/phantom_ndct.nrrd --noise-dir demo/phantom_noise \
	        --picture demo/phantom_denoised.png; \
	fi
	@echo "The same by a click in the module's window, off screen"
	@.venv/bin/python Development/demo_window.py "$${INPUT:-demo/phantom_ldct.nrrd}" demo/window \
	    || [ $$? -eq 3 ]
	@echo "Look into demo/"

window: $(READY)
	@mkdir -p demo
	@[ -n "$$INPUT" ] || [ -e demo/phantom_ldct.nrrd ] || .venv/bin/pseudoct phantom demo
	@.venv/bin/python Development/demo_window.py "$${INPUT:-demo/phantom_ldct.nrrd}" --desktop

# The pictures of the documentation.
pictures: override INPUT :=
pictures: demo
	@mkdir -p Docs/pictures
	@cp demo/window/4_difference.png demo/window/7_measure.png demo/window/8_panel.png \
	    Docs/pictures
	@cp demo/window/3_after.png Resources/PseudoCTDenoise_screenshot.png

cmake-lists: $(READY)
	@.venv/bin/python Development/write_cmake_lists.py

clean:
	@echo "Removing .venv, build, demo and caches"
	@rm -rf .venv build demo .pytest_cache .ruff_cache PseudoCTDenoise/*.egg-info Research/*.egg-info
