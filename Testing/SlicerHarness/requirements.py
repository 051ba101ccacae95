"""Check that the harness can run, and name the package to install if it cannot."""

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
    """Return one line that states the missing requirement, or None if the harness can run."""
    for module, wheel in WHEELS.items():
        if importlib.util.find_spec(module) is None:
            return f"The Slicer harness needs the Python package {wheel}. Install it with pip."
    try:
        importlib.import_module("PySide6.QtWidgets")
        importlib.import_module("vtkmodules.vtkRenderingOpenGL2")
    except ImportError as error:
        return f"The Slicer harness needs a display library: {error}. Install the library."
    return None
