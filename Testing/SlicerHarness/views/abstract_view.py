"""The common base of the views: an off-screen window that is drawn when Qt is idle."""

from __future__ import annotations

import vtk
from PySide6 import QtCore, QtGui, QtWidgets
from PySide6.QtCore import Property, Slot

from ..pythonqt.names import Native
from .off_screen import picture

RENDER_DELAY = 10  # ms; changes within this time are drawn together


class OffScreenView(Native, QtWidgets.QWidget):
    def __init__(self, window: vtk.vtkRenderWindow) -> None:
        super().__init__()
        self._window, self._image = window, None
        self._timer = QtCore.QTimer(self, singleShot=True, interval=RENDER_DELAY)
        self._timer.timeout.connect(self.forceRender)
        self.setMinimumSize(80, 80)

    @Slot()
    def scheduleRender(self) -> None:
        if not self._timer.isActive():
            self._timer.start()

    @Slot()
    def forceRender(self) -> None:
        self._timer.stop()
        self._image = picture(self._window, max(self.width(), 1), max(self.height(), 1))
        self.update()

    def image(self) -> QtGui.QImage:
        """Render the view and return its image."""
        self.forceRender()
        return self._image

    def renderWindow(self) -> vtk.vtkRenderWindow:
        return self._window

    renderEnabled = Property(bool, lambda self: True)

    def resizeEvent(self, event: QtGui.QResizeEvent) -> None:
        self.scheduleRender()

    def paintEvent(self, event: QtGui.QPaintEvent) -> None:
        painter = QtGui.QPainter(self)
        painter.fillRect(self.rect(), QtCore.Qt.GlobalColor.black)
        if self._image is not None:
            painter.drawImage(0, 0, self._image)
