"""qSlicerLayoutManager: makes the views that Slicer's layout logic requests."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from typing import Any

import slicer
import vtk
from PySide6 import QtCore, QtWidgets
from PySide6.QtCore import Property, Qt, Signal, Slot

from ..pythonqt.names import Native
from .plot_widget import qMRMLPlotWidget
from .slice_widget import qMRMLSliceWidget
from .table_widget import qMRMLTableWidget
from .three_d_widget import qMRMLThreeDWidget

WIDGETS = {
    "vtkMRMLSliceNode": qMRMLSliceWidget,
    "vtkMRMLTableViewNode": qMRMLTableWidget,
    "vtkMRMLPlotViewNode": qMRMLPlotWidget,
    "vtkMRMLViewNode": qMRMLThreeDWidget,
}
COLORS = {"Red": "#f34a33", "Green": "#6eb04b", "Yellow": "#edd54c"}
GRAY = "#8c8c8c"


class qSlicerLayoutManager(Native, QtCore.QObject):
    """Makes a view when a layout first uses it, and keeps it as long as its node is in the scene.

    While the scene is in a batch process the layout stays, as in Slicer.
    """

    layoutChanged = Signal(int)

    def __init__(self, app: Any, viewport: QtWidgets.QWidget) -> None:
        super().__init__()
        self._app, self._viewport = app, viewport
        self._views: dict[tuple[str, str], QtWidgets.QWidget] = {}
        self._inLayout: list[tuple[str, str]] = []
        self._removed: list[QtWidgets.QWidget] = []  # Slicer's displayable managers call them still
        self._root: QtWidgets.QWidget | None = None
        self._description = ""
        self._box = QtWidgets.QVBoxLayout(viewport)
        self._box.setContentsMargins(0, 0, 0, 0)
        self._logic = slicer.vtkMRMLLayoutLogic()
        self._logic.SetMRMLScene(app.mrmlScene())
        self._node = self._logic.GetLayoutNode()
        self._node.AddObserver(vtk.vtkCommand.ModifiedEvent, self._follow)
        scene = app.mrmlScene()
        scene.AddObserver(scene.EndBatchProcessEvent, self._follow)
        scene.AddObserver(scene.NodeRemovedEvent, self._onNodeRemoved)

    @vtk.calldata_type(vtk.VTK_OBJECT)
    def _onNodeRemoved(self, caller: Any, event: str, node: Any) -> None:
        key = (node.GetClassName(), node.GetSingletonTag())
        view = self._views.pop(key, None)
        if view is None:
            return
        self._inLayout = [other for other in self._inLayout if other != key]
        if isinstance(view, qMRMLSliceWidget):
            self.mrmlSliceLogics().RemoveItem(view.sliceLogic())
        view.setParent(None)
        self._removed.append(view)

    def _follow(self, *unused: Any) -> None:
        if self._app.mrmlScene().IsBatchProcessing():
            return
        description = self._node.GetCurrentLayoutDescription() or ""
        if description == self._description:
            return
        self._description = description
        former, self._inLayout = self._root, []
        empty = not description.strip()
        self._root = QtWidgets.QWidget() if empty else self._build(ET.fromstring(description))
        for key in self._views.keys() - set(self._inLayout):
            self._views[key].setParent(None)
        if former is not None:
            former.setParent(None)
            former.deleteLater()
        self._box.addWidget(self._root)
        self._root.show()
        self.layoutChanged.emit(self._node.GetViewArrangement())

    def _build(self, element: ET.Element) -> QtWidgets.QWidget:
        if element.tag == "view":
            return self._view(element)
        items = element.findall("item")
        kind = element.get("type", "vertical")
        if kind not in ("horizontal", "vertical"):
            raise NotImplementedError(f"the harness has no layouts of the type {kind}")
        orientation = Qt.Orientation.Vertical if kind == "vertical" else Qt.Orientation.Horizontal
        splitter = QtWidgets.QSplitter(orientation)
        sizes = []
        for item in items:
            splitter.addWidget(self._build(item[0]))
            splitter.setStretchFactor(splitter.count() - 1, 1)
            sizes.append(int(item.get("splitSize", 0)) or 1000)
        splitter.setSizes([10 * size for size in sizes])
        return splitter

    def _view(self, element: ET.Element) -> QtWidgets.QWidget:
        kind, tag = element.get("class"), element.get("singletontag")
        key = (kind, tag)
        self._inLayout.append(key)
        if key not in self._views:
            texts = {p.get("name"): (p.text or "").strip() for p in element.findall("property")}
            node = self._app.mrmlScene().GetSingletonNode(tag, kind)
            label = texts.get("viewlabel", tag)
            color = texts.get("viewcolor") or COLORS.get(tag, GRAY)
            self._views[key] = WIDGETS[kind](self._app, node, label, color)
        self._views[key].show()
        return self._views[key]

    def _shown(self, kind: str) -> list[QtWidgets.QWidget]:
        return [self._views[key] for key in self._inLayout if key[0] == kind]

    @Slot(int)
    def setLayout(self, layout: int) -> None:
        """Change the layout; one without a description is the conventional one, as in Slicer."""
        if not self._node.IsLayoutDescription(layout):
            layout = slicer.vtkMRMLLayoutNode.SlicerLayoutConventionalView
        self._node.SetViewArrangement(layout)

    layout = Property(int, lambda self: self._node.GetViewArrangement(), setLayout)
    plotViewCount = Property(int, lambda self: len(self._shown("vtkMRMLPlotViewNode")))
    tableViewCount = Property(int, lambda self: len(self._shown("vtkMRMLTableViewNode")))
    threeDViewCount = Property(int, lambda self: len(self._shown("vtkMRMLViewNode")))

    def layoutLogic(self) -> Any:
        return self._logic

    def mrmlSliceLogics(self) -> Any:
        return self._app.applicationLogic().GetSliceLogics()

    def sliceViewNames(self) -> list[str]:
        """Return the names of all slice views, including those of earlier layouts, as in Slicer."""
        return [tag for kind, tag in self._views if kind == "vtkMRMLSliceNode"]

    def sliceWidget(self, name: str) -> Any:
        return self._views.get(("vtkMRMLSliceNode", name))

    def tableWidget(self, index: int) -> Any:
        return _nth(self._shown("vtkMRMLTableViewNode"), index)

    def plotWidget(self, index: int) -> Any:
        return _nth(self._shown("vtkMRMLPlotViewNode"), index)

    def threeDWidget(self, index: int) -> Any:
        return _nth(self._shown("vtkMRMLViewNode"), index)

    @Slot()
    def resetSliceViews(self) -> None:
        for view in self._views.values():
            if isinstance(view, qMRMLSliceWidget):
                view.fitSliceToBackground()


def _nth(views: list[QtWidgets.QWidget], index: int) -> QtWidgets.QWidget | None:
    return views[index] if 0 <= index < len(views) else None
