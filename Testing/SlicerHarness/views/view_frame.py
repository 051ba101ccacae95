"""The frame of a view: a coloured bar with the view's label, above the view."""

from __future__ import annotations

from typing import Any

from PySide6 import QtGui, QtWidgets

from ..widgets.mrml_widget import qMRMLWidget


class qMRMLAbstractViewWidget(qMRMLWidget):
    def __init__(self, node: Any, view: QtWidgets.QWidget, label: str, color: str) -> None:
        super().__init__()
        self._node, self._view = node, view
        column = QtWidgets.QVBoxLayout(self)
        column.setContentsMargins(1, 1, 1, 1)
        column.setSpacing(0)
        self._bar = QtWidgets.QWidget()
        self._bar.setAutoFillBackground(True)
        palette = self._bar.palette()
        palette.setColor(QtGui.QPalette.ColorRole.Window, QtGui.QColor(color))
        palette.setColor(QtGui.QPalette.ColorRole.WindowText, QtGui.QColor("black"))
        self._bar.setPalette(palette)
        row = QtWidgets.QHBoxLayout(self._bar)
        row.setContentsMargins(4, 1, 4, 1)
        row.addWidget(QtWidgets.QLabel(label))
        column.addWidget(self._bar)
        column.addWidget(view, 1)
