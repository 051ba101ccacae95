"""The Python program of the worker and its environment variables."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

SLICER_PYTHON = "PythonSlicer"
WORKER = Path(__file__).resolve().with_name("worker.py")
_ALWAYS = {"PYTHONUTF8": "1", "PYTHONUNBUFFERED": "1"}


def python_program() -> str:
    """Return the path of Slicer's Python if it is on the path, otherwise of the running Python.

    The Python of a virtual environment is not Slicer's, wherever Slicer is installed.
    """
    if sys.prefix != sys.base_prefix:
        return sys.executable
    return shutil.which(SLICER_PYTHON) or sys.executable


def worker_environment(program: str) -> dict[str, str]:
    """Return the environment for a Python: Slicer's Python needs Slicer's, no other may have it."""
    application = getattr(sys.modules.get("slicer"), "app", None)
    if application is None or Path(program).stem == SLICER_PYTHON:
        return {**os.environ, **_ALWAYS}
    import slicer.util

    return {**slicer.util.startupEnvironment(), **_ALWAYS}
