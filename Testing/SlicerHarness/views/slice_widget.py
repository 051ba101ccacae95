"""qMRMLSliceWidget: a slice view below a bar with the offset slider."""

from __future__ import annotations

from typing import Any

import slicer
import vtk
from PySide6 import QtWidgets
from PySide6.QtCore import Property, Qt, Slot

from .slice_view import qMRMLSliceView
from .view_frame import qMRMLAbstractViewWidget


class qMRMLSliceWidget(qMRMLAbstractViewWidget):
    def __init__(self, app: Any, node: Any, label: str, color: str) -> None:
        self._logic = slicer.vtkMRMLSliceLogic()
        self._logic.SetMRMLApplicationLogic(app.applicationLogic())
        self._logic.SetMRMLScene(app.mrmlScene())
        self._logic.SetSliceNode(node)
        app.applicationLogic().GetSliceLogics().AddItem(self._logic)
        super().__init__(
            node, qMRMLSliceView(app.applicationLogic(), self._logic, node), label, color
        )
        self._slider = QtWidgets.QSlider(Qt.Orientation.Horizontal)
        self._offset = QtWidgets.QLabel("")
        self._bar.layout().addWidget(self._slider, 1)
        self._bar.layout().addWidget(self._offset)
        self._following = False
        self._slider.valueChanged.connect(self._slid)
        for source in (node, self._logic):
            source.AddObserver(vtk.vtkCommand.ModifiedEvent, self._follow)

    def _range(self) -> tuple[float, float, float] | None:
        """Return the first offset, the last offset and the step in mm, or None without a volume."""
        ends, step = [0.0, -1.0], vtk.reference(1.0)
        if not self._logic.GetSliceOffsetRangeResolution(ends, step) or step.get() <= 0:
            return None
        return ends[0], ends[1], step.get()

    def _follow(self, *unused: Any) -> None:
        offsets = self._range()
        if offsets is None:
            return
        first, last, step = offsets
        self._following = True
        self._slider.setRange(0, max(round((last - first) / step), 0))
        self._slider.setValue(round((self._logic.GetSliceOffset() - first) / step))
        self._offset.setText(f"{self._logic.GetSliceOffset():.1f} mm")
        self._following = False

    def _slid(self, position: int) -> None:
        offsets = self._range()
        if self._following or offsets is None:
            return
        self._logic.StartSliceNodeInteraction(slicer.vtkMRMLSliceNode.SliceToRASFlag)
        self._logic.SetSliceOffset(offsets[0] + position * offsets[2])
        self._logic.EndSliceNodeInteraction()

    def sliceLogic(self) -> Any:
        return self._logic

    def sliceView(self) -> qMRMLSliceView:
        return self._view

    def mrmlSliceNode(self) -> Any:
        return self._node

    def mrmlSliceCompositeNode(self) -> Any:
        return self._logic.GetSliceCompositeNode()

    @Slot(str)
    def setSliceOrientation(self, orientation: str) -> None:
        self._node.SetOrientation(orientation)

    sliceOrientation = Property(
        str, lambda self: self._node.GetOrientationString(), setSliceOrientation
    )

    @Slot()
    def fitSliceToBackground(self) -> None:
        self._logic.FitSliceToBackground()
