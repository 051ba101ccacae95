"""Read and write scenes and volumes with MRML's storage nodes.

``slicer.util.saveScene``, ``loadScene``, ``loadVolume`` and ``saveNode`` call the IO manager below.
A scene is saved as a bundle (``.mrb``) or as a folder with the scene and its data.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import slicer
from PySide6 import QtCore
from PySide6.QtCore import Signal, Slot

from .pythonqt.names import Native


def saveScene(path: Path | str) -> None:
    """Write the scene and its data as a bundle (suffix ``.mrb``) or as a folder (no suffix).

    Raises OSError if writing fails.
    """
    path = Path(path)
    scene = slicer.mrmlScene
    if path.suffix == ".mrb":
        written = scene.WriteToMRB(str(path))
    else:
        path.mkdir(parents=True, exist_ok=True)
        written = scene.SaveSceneToSlicerDataBundleDirectory(str(path))
    if not written:
        raise OSError(f"the scene could not be written to {path}")


def loadScene(path: Path | str) -> None:
    """Replace the scene by the one in a bundle, a folder or a ``.mrml`` file.

    Raises OSError if reading fails.
    """
    path = Path(path)
    scene = slicer.mrmlScene
    if path.suffix == ".mrb":
        read = scene.ReadFromMRB(str(path), True)
    else:
        file = path if path.suffix == ".mrml" else next(path.glob("*.mrml"))
        scene.SetURL(str(file))
        read = scene.Connect()
    if not read:
        raise OSError(f"the scene could not be read from {path}")


FILE_TYPES = {
    "SceneFile": (".mrml", ".mrb"),
    "VolumeFile": (".nrrd", ".nhdr", ".nii", ".nii.gz", ".mha", ".mhd"),
}


class qSlicerIOManager(Native, QtCore.QObject):
    newFileLoaded = Signal(object)

    @Slot(str, result=str)
    def fileType(self, path: str) -> str:
        """Return the type of a file by its suffix."""
        ends = FILE_TYPES.items()
        return next((kind for kind, end in ends if path.lower().endswith(end)), "NoFile")

    @Slot(object, result=object)
    def fileWriterFileType(self, node: Any) -> str:
        return "VolumeFile" if node.IsA("vtkMRMLVolumeNode") else "NodeFile"

    def loadNodes(self, kind: str, properties: dict, nodes: Any, messages: Any = None) -> bool:
        path = Path(properties["fileName"])
        if kind == "SceneFile":
            try:
                loadScene(path)
            except OSError:
                return False
            return True
        if kind != "VolumeFile":
            raise NotImplementedError(f"the harness does not load files of the type {kind}")
        name = properties.get("name", path.name.split(".")[0])
        node = slicer.modules.volumes.logic().AddArchetypeVolume(str(path), name)
        if node is None:
            return False
        nodes.AddItem(node)
        if properties.get("show", True):
            _select(node)
        return True

    def saveNodes(self, kind: str, properties: dict, messages: Any = None) -> bool:
        path = properties["fileName"]
        if kind == "SceneFile":
            try:
                saveScene(path)
            except OSError:
                return False
            return True
        node = slicer.mrmlScene.GetNodeByID(properties["nodeID"])
        if node.GetStorageNode() is None:
            node.AddDefaultStorageNode()
        node.GetStorageNode().SetFileName(path)
        return bool(node.GetStorageNode().WriteData(node))


def _select(node: Any) -> None:
    """Show a volume in every slice view that follows the selection, as Slicer's reader does."""
    logic = slicer.app.applicationLogic()
    logic.GetSelectionNode().SetActiveVolumeID(node.GetID())
    logic.PropagateVolumeSelection()
