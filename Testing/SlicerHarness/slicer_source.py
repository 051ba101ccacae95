"""Run Slicer's own Python files from a checkout of its sources in place of their stand-ins.

The environment variable ``SLICER_SOURCE`` names the checkout. Without it the harness uses
``slicer.util`` of the wheel ``slicer-core`` and its own ``i18n``, ``parameter_nodes``,
``scripted_module`` and ``sample_data``.
"""

from __future__ import annotations

import importlib
import os
import sys
from pathlib import Path

VARIABLE = "SLICER_SOURCE"
PACKAGE = Path("Base/Python/slicer")
SAMPLE_DATA = Path("Modules/Scripted/SampleData/SampleData.py")
FILES = (
    PACKAGE / "util.py",
    PACKAGE / "i18n.py",
    PACKAGE / "ScriptedLoadableModule.py",
    PACKAGE / "parameterNodeWrapper/__init__.py",
    SAMPLE_DATA,
)


def slicerSource() -> Path | None:
    """Return the checkout, or None if the variable is not set or empty.

    Raises FileNotFoundError if the folder is not a checkout of Slicer.
    """
    value = os.environ.get(VARIABLE)
    if not value:
        return None
    checkout = Path(value).resolve()
    for file in FILES:
        if not (checkout / file).is_file():
            raise FileNotFoundError(
                f"{checkout} is not a checkout of Slicer: {file} is missing. "
                f"Set {VARIABLE} to the folder of Slicer's sources, or do not set it."
            )
    return checkout


def importSlicerPackage(checkout: Path) -> None:
    """Import ``slicer.util`` and the modules beside it from the checkout from now on."""
    import slicer

    slicer.__path__.insert(0, str(checkout / PACKAGE))
    del sys.modules["slicer.util"]
    for name in ("util", "i18n", "ScriptedLoadableModule", "parameterNodeWrapper"):
        setattr(slicer, name, importlib.import_module(f"slicer.{name}"))
