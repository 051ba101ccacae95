"""Can the harness run here? In words, so that a skipped test says what to install."""

from __future__ import annotations

import importlib
import importlib.util
from functools import cache

WHEELS = {
    "slicer_core": "slicer-core",
    "vtkmodules": "vtk",
    "PySide6": "PySide6-Essentials",
    "shiboken6": "shiboken6",
}


@cache
def missingRequirement() -> str | None:
    """What the harness lacks on this machine, as one line; None where it can run."""
    for module, wheel in WHEELS.items():
        if importlib.util.find_spec(module) is None:
            return f"the Slicer harness needs the Python package {wheel}"
    try:
        importlib.import_module("PySide6.QtWidgets")
        importlib.import_module("vtkmodules.vtkRenderingOpenGL2")
    except ImportError as error:
        return f"the Slicer harness needs a display library that is not installed: {error}"
    return None
