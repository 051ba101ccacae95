"""qMRMLSliceView: draws a slice with Slicer's displayable managers, and takes mouse and keys."""

from __future__ import annotations

from typing import Any

import slicer
import vtk
from PySide6 import QtGui
from PySide6.QtCore import Qt

from .abstract_view import OffScreenView
from .off_screen import hide

MANAGERS = (
    "vtkMRMLVolumeGlyphSliceDisplayableManager",
    "vtkMRMLModelSliceDisplayableManager",
    "vtkMRMLCrosshairDisplayableManager",
    "vtkMRMLOrientationMarkerDisplayableManager",
    "vtkMRMLRulerDisplayableManager",
    "vtkMRMLScalarBarDisplayableManager",
    "vtkMRMLSegmentationsDisplayableManager2D",
    "vtkMRMLMarkupsDisplayableManager",
)
BUTTONS = {
    Qt.MouseButton.LeftButton: "LeftButton",
    Qt.MouseButton.RightButton: "RightButton",
    Qt.MouseButton.MiddleButton: "MiddleButton",
}


class qMRMLSliceView(OffScreenView):
    def __init__(self, applicationLogic: Any, logic: Any, node: Any) -> None:
        window = hide(vtk.vtkRenderWindow())
        super().__init__(window)
        self._logic, self._node = logic, node
        self._renderer, overlay = vtk.vtkRenderer(), vtk.vtkRenderer()
        window.SetNumberOfLayers(2)
        overlay.SetLayer(1)
        for renderer in (self._renderer, overlay):
            renderer.GetActiveCamera().ParallelProjectionOn()
            window.AddRenderer(renderer)
        self._mapper, self._actor = vtk.vtkImageMapper(), vtk.vtkActor2D()
        self._mapper.SetColorWindow(255)
        self._mapper.SetColorLevel(127.5)
        self._actor.SetMapper(self._mapper)
        self._actor.GetProperty().SetDisplayLocationToBackground()
        self._corner = vtk.vtkCornerAnnotation()
        self._corner.SetMaximumFontSize(14)
        self._corner.AddObserver(vtk.vtkCommand.ModifiedEvent, self._changed)
        overlay.AddViewProp(self._corner)
        self._interactor = vtk.vtkGenericRenderWindowInteractor()
        self._interactor.SetRenderWindow(window)
        self._interactor.Initialize()
        self._startManagers(applicationLogic)
        self._style = slicer.vtkMRMLSliceViewInteractorStyle()
        self._style.SetSliceLogic(logic)
        self._style.SetDisplayableManagers(self._group)
        self._interactor.SetInteractorStyle(vtk.vtkInteractorStyleUser())
        self._style.SetInteractor(self._interactor)
        logic.AddObserver(vtk.vtkCommand.ModifiedEvent, self._logicChanged)
        self.setMouseTracking(True)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)

    def _startManagers(self, applicationLogic: Any) -> None:
        factory = slicer.vtkMRMLSliceViewDisplayableManagerFactory.GetInstance()
        factory.SetMRMLApplicationLogic(applicationLogic)
        for name in MANAGERS:
            if hasattr(slicer, name) and not factory.IsDisplayableManagerRegistered(name):
                factory.RegisterDisplayableManager(name)
        self._group = slicer.vtkMRMLDisplayableManagerGroup()
        self._group.Initialize(factory, self._renderer)
        self._group.AddObserver(vtk.vtkCommand.UpdateEvent, self._changed)
        self._group.SetMRMLDisplayableNode(self._node)

    def _changed(self, *unused: Any) -> None:
        self.scheduleRender()

    def _logicChanged(self, *unused: Any) -> None:
        connection = self._logic.GetImageDataConnection()
        self._mapper.SetInputConnection(connection)
        if connection and not self._renderer.HasViewProp(self._actor):
            self._renderer.AddViewProp(self._actor)
        self._actor.SetVisibility(connection is not None)
        self.scheduleRender()

    def cornerAnnotation(self) -> vtk.vtkCornerAnnotation:
        return self._corner

    def resizeEvent(self, event: QtGui.QResizeEvent) -> None:
        self._window.SetSize(self.width(), self.height())
        self._interactor.SetSize(self.width(), self.height())
        self._logic.ResizeSliceNode(self.width(), self.height())
        super().resizeEvent(event)

    def _send(self, event: Any, name: str) -> None:
        position, modifiers = event.position(), event.modifiers()
        self._interactor.SetEventInformation(
            int(position.x()),
            self.height() - 1 - int(position.y()),
            bool(modifiers & Qt.KeyboardModifier.ControlModifier),
            bool(modifiers & Qt.KeyboardModifier.ShiftModifier),
            "\0",
            0,
            None,
        )
        self._interactor.InvokeEvent(name)

    def mousePressEvent(self, event: QtGui.QMouseEvent) -> None:
        self._send(event, BUTTONS[event.button()] + "PressEvent")

    def mouseReleaseEvent(self, event: QtGui.QMouseEvent) -> None:
        self._send(event, BUTTONS[event.button()] + "ReleaseEvent")

    def mouseMoveEvent(self, event: QtGui.QMouseEvent) -> None:
        self._send(event, "MouseMoveEvent")

    def wheelEvent(self, event: QtGui.QWheelEvent) -> None:
        forward = event.angleDelta().y() > 0
        self._send(event, "MouseWheelForwardEvent" if forward else "MouseWheelBackwardEvent")

    def keyPressEvent(self, event: QtGui.QKeyEvent) -> None:
        letter = event.text() if event.text().isalnum() else ""
        self._interactor.SetKeySym(letter or Qt.Key(event.key()).name.removeprefix("Key_"))
        self._interactor.SetKeyCode((event.text() or "\0")[0])
        self._interactor.InvokeEvent("KeyPressEvent")
