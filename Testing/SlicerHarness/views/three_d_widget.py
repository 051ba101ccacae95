"""qMRMLThreeDWidget: a placeholder for the 3D view, which is not drawn."""

from __future__ import annotations

from typing import Any

from PySide6 import QtWidgets
from PySide6.QtCore import Qt, Slot

from ..pythonqt.names import Native
from .view_frame import qMRMLAbstractViewWidget


class qMRMLThreeDView(Native, QtWidgets.QLabel):
    @Slot()
    def forceRender(self) -> None:
        pass


class qMRMLThreeDWidget(qMRMLAbstractViewWidget):
    def __init__(self, app: Any, node: Any, label: str, color: str) -> None:
        view = qMRMLThreeDView("3D views are not drawn here")
        view.setAlignment(Qt.AlignmentFlag.AlignCenter)
        super().__init__(node, view, label, color)

    def threeDView(self) -> qMRMLThreeDView:
        return self._view
