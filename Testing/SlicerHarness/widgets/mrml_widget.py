"""Widgets with a MRML scene."""

from __future__ import annotations

from PySide6 import QtWidgets
from PySide6.QtCore import Signal, Slot

from ..pythonqt.names import Native


class qMRMLWidget(Native, QtWidgets.QWidget):
    """A widget with a scene. .ui files connect ``mrmlSceneChanged`` to pass the scene on."""

    mrmlSceneChanged = Signal(object)
    _scene = None

    @Slot(object)
    def setMRMLScene(self, scene: object) -> None:
        if scene is not self._scene:
            self._scene = scene
            self.mrmlSceneChanged.emit(scene)


class qSlicerWidget(qMRMLWidget):
    pass
