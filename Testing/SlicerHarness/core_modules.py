"""Slicer's own modules whose logic scripts use: ``slicer.modules.plots.logic()``."""

from __future__ import annotations

from typing import Any

import slicer

LOGICS = {
    "markups": "vtkSlicerMarkupsLogic",
    "plots": "vtkSlicerPlotsLogic",
    "sequences": "vtkSlicerSequencesLogic",
    "tables": "vtkSlicerTablesLogic",
    "volumes": "vtkSlicerVolumesLogic",
}


class CoreModule:
    def __init__(self, name: str, logic: Any) -> None:
        self.name, self._logic = name, logic

    def logic(self) -> Any:
        return self._logic


def coreModules(scene: Any, applicationLogic: Any) -> dict[str, CoreModule]:
    """Return the modules by their lower-case names in ``slicer.modules``."""
    modules = {"colors": CoreModule("Colors", applicationLogic.GetColorLogic())}
    applicationLogic.SetModuleLogic("Colors", applicationLogic.GetColorLogic())
    for name, logicClass in LOGICS.items():
        logic = getattr(slicer, logicClass)()
        logic.SetMRMLApplicationLogic(applicationLogic)
        logic.SetMRMLScene(scene)
        applicationLogic.SetModuleLogic(name.capitalize(), logic)
        modules[name] = CoreModule(name.capitalize(), logic)
    return modules
