"""Which Python the worker runs in, and with which environment."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

SLICER_PYTHON = "PythonSlicer"
WORKER = Path(__file__).resolve().with_name("worker.py")
_ALWAYS = {"PYTHONUTF8": "1", "PYTHONUNBUFFERED": "1"}


def pythonProgram() -> str:
    """Slicer's own Python if we are in Slicer, else the one that runs this."""
    return shutil.which(SLICER_PYTHON) or sys.executable


def workerEnvironment(program: str) -> dict[str, str]:
    """The environment for a Python: Slicer's own needs Slicer's, any other must not have it."""
    application = getattr(sys.modules.get("slicer"), "app", None)
    if application is None or Path(program).stem == SLICER_PYTHON:
        return {**os.environ, **_ALWAYS}
    import slicer.util

    return {**slicer.util.startupEnvironment(), **_ALWAYS}
