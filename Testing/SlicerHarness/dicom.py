"""Stand-ins for Slicer's module DICOM: the plugins' base class, the database and the export.

A test fills ``state.files`` (instance UID → file) and sets ``state.folder``, the folder that the
user chooses in the export dialog. ``state.errors`` has the messages that the dialog has shown.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import slicer
from PySide6 import QtCore
from PySide6.QtCore import Slot

from .pythonqt.names import Native
from .widgets.stored_property import storedProperty


@dataclass
class DicomState:
    files: dict[str, str] = field(default_factory=dict)
    folder: str = ""
    errors: list[str] = field(default_factory=list)

    def reset(self) -> None:
        self.files.clear()
        self.folder = ""
        self.errors.clear()


state = DicomState()


class DicomDatabase:
    """The database ``slicer.dicomDatabase``."""

    def fileForInstance(self, uid: str) -> str:
        return state.files.get(uid, "")


class DICOMPlugin:
    """The base class of plugins in ``DICOMLib``: exports nothing."""

    def __init__(self) -> None:
        self.loadType = "Generic DICOM"
        self.loadableCache: dict[Any, Any] = {}
        self.tags: dict[str, str] = {}
        self.tempDir = None

    def examineForImport(self, fileList: list) -> list:
        return []

    def examineForExport(self, subjectHierarchyItemID: int) -> list:
        return []

    def export(self, exportable: Any) -> str:
        return ""


class qSlicerDICOMExportable(Native, QtCore.QObject):
    """Offer of a plugin to write an item of the subject hierarchy."""

    confidence = storedProperty(float, 0.0)
    directory = storedProperty(str, "")
    name = storedProperty(str, "Unknown exporter")
    pluginClass = storedProperty(str, "")
    subjectHierarchyItemID = storedProperty(int, 0)
    tooltip = storedProperty(str, "Creates a DICOM file from the selected data")

    def __init__(self) -> None:
        super().__init__()
        self._tags: dict[str, str] = {}

    @Slot(str, result=str)
    def tag(self, tagName: str) -> str:
        return self._tags.get(tagName, "")

    @Slot(str, str)
    def setTag(self, tagName: str, tagValue: str) -> None:
        self._tags[tagName] = tagValue


class qSlicerDICOMExportDialog(Native, QtCore.QObject):
    """The dialog for a user who accepts the first choice and exports to ``state.folder``."""

    @Slot(object)
    def setMRMLScene(self, scene: Any) -> None:
        self._scene = scene

    @Slot(int, result=bool)
    def execDialog(self, itemToSelect: int = 0) -> bool:
        """Ask all plugins for exportables, and let the most confident one export."""
        offered = [
            exportable
            for plugin in slicer.modules.dicomPlugins.values()
            for exportable in plugin().examineForExport(itemToSelect)
        ]
        if not offered:
            state.errors.append("nothing to export")
            return False
        best = max(offered, key=lambda exportable: exportable.confidence)
        best.directory = state.folder
        error = slicer.modules.dicomPlugins[best.pluginClass]().export([best])
        if error:
            state.errors.append(error)
        return not error


CLASSES = (qSlicerDICOMExportable, qSlicerDICOMExportDialog)
