"""Side-by-side views of original, denoised and noise: linked, labelled, with the same window."""

from __future__ import annotations

import numpy as np
import slicer
import vtk

from ..worker.signals import Signal
from . import comparison_layouts as layouts
from .body_points import bodyPoints
from .corner_label import DERIVED_NOTICE, removeLabel, setLabel
from .ct_input import sliceAxis
from .geometry import indexToWorld, nearestIndex, rotateToVolume
from .provenance import isDerived, showsOtherItem
from .sequence_item import itemOf

ORIENTATIONS = ("Axial", "Coronal", "Sagittal")
OTHER_ITEM_NOTICE = "not the item that was denoised"
FIT_MARGIN = 1.05
"""Size of a fitted view, relative to the body."""


class SideBySide:
    """Shows the comparison, and restores the layout from before it.

    The views exist once, so there is one object, :data:`COMPARISON`.

    >>> COMPARISON.show(original, denoised, noise)
    >>> COMPARISON.setOrientation("Coronal")
    >>> COMPARISON.restore()

    Attributes
    ----------
    original, denoised, noise : the volumes in the views, or None.
    adopted : signal after the views were labelled and linked because Slicer had shown them.
    """

    def __init__(self):
        self._formerLayout: int | None = None
        self._labelled: set[str] = set()
        self._linked: list[tuple[object, int]] = []
        self._named: list[tuple[object, int]] = []
        self._copying = False
        self._orientation = ORIENTATIONS[0]
        self._position: tuple[float, float, float] | None = None
        self.original = self.denoised = self.noise = None
        self.adopted = Signal()

    @property
    def volumes(self) -> tuple:
        """Original, denoised and noise, each a volume node or None."""
        return self.original, self.denoised, self.noise

    @property
    def shown(self) -> bool:
        """True while a layout of the comparison is on screen."""
        return _manager() is not None and _manager().layout in layouts.FILES

    def show(
        self, original, denoised, noise=None, *, plotAndTable: bool = False, position=None
    ) -> None:
        """Show the volumes at the position in the original that the views show now.

        Parameters
        ----------
        original, denoised : volume nodes of equal geometry.
        noise : volume of the third view, or None for two views.
        plotAndTable : show a plot and a table below, instead of the third view.
        position : another point to show, RAS in mm.
        """
        manager = _manager()
        if manager is None:  # Slicer runs without a main window
            return
        position = position or self.positionIn(original)
        layouts.registerLayouts()
        if not self.shown:
            self._formerLayout = manager.layout
        layout = layouts.TWO_VIEWS if noise is None else layouts.THREE_VIEWS
        layout = layouts.PLOT_AND_TABLE if plotAndTable else layout
        moved = manager.layout != layout
        fresh = original is not self.original or moved
        # A layout that appears before the volumes are set is taken for one that Slicer restores.
        self.original, self.denoised, self.noise = original, denoised, noise
        if moved:
            manager.setLayout(layout)
        for name, volume in zip(layouts.VIEWS[layout], self.volumes, strict=False):
            self.setVolume(name, volume)
        for widget in self._widgets():
            # Linked views move all views of their group, also those that are not linked. A scene
            # file keeps only whether the number is 0, so it is set again.
            widget.mrmlSliceNode().SetViewGroup(layouts.VIEW_GROUP)
            composite = widget.mrmlSliceCompositeNode()
            composite.SetLinkedControl(True)
            composite.SetHotLinkedControl(True)
            # A volume that is loaded meanwhile must not replace the compared ones.
            composite.SetDoPropagateVolumeSelection(False)
        self._linkWindows()
        if fresh:
            self._position = position
            self.setOrientation(self._orientation)
            import qt

            # The views are resized when the event loop runs.
            qt.QTimer.singleShot(0, self.fit)

    def adoptViews(self, original, denoised, noise=None) -> bool:
        """Label and link the views on screen; return False if there are none.

        Parameters
        ----------
        original, denoised, noise : the volumes to show; a layout of two views leaves out the noise.
        """
        if not self._widgets():
            return False
        layout = _manager().layout
        orientation = self._widgets()[0].mrmlSliceNode().GetOrientation()
        if orientation in ORIENTATIONS:
            self._orientation = orientation
        third = noise if layout == layouts.THREE_VIEWS else None
        self.show(original, denoised, third, plotAndTable=layout == layouts.PLOT_AND_TABLE)
        self.adopted.emit()
        return True

    def shows(self, denoised) -> bool:
        """Return True if the views show the result beside its original."""
        if not self.shown or self.denoised is not denoised or self.original is None:
            return False
        pair = {layouts.ORIGINAL: self.original, layouts.DENOISED: denoised}
        return all(
            self._widget(name).mrmlSliceCompositeNode().GetBackgroundVolumeID() == volume.GetID()
            for name, volume in pair.items()
        )

    @property
    def orientation(self) -> str:
        """Plane of all views: Axial, Coronal or Sagittal."""
        return self._orientation

    @property
    def plotAndTableShown(self) -> bool:
        """True while a plot and a table are below the views."""
        return self.shown and _manager().layout == layouts.PLOT_AND_TABLE

    def setVolume(self, viewName: str, volume) -> None:
        """Show a volume in a view, with its name in the corner."""
        widget = self._widget(viewName)
        if widget is None:
            return
        widget.mrmlSliceCompositeNode().SetBackgroundVolumeID(volume.GetID() if volume else None)
        self._labelled.add(viewName)
        self._label(widget)

    def setOrientation(self, orientation: str) -> None:
        """Set the plane, along the volume's own axes so that the views do not interpolate."""
        if self.shown and self.original is not None and orientation != self._orientation:
            self._position = self.positionIn(self.original)
        self._orientation = orientation
        for widget in self._widgets():
            node = widget.mrmlSliceNode()
            node.SetOrientation(orientation)
            if self.original is not None:
                rotateToVolume(node, self.original)
        self.fit()

    def fit(self) -> None:
        """Fit every view to the body in the original, at the same position and zoom."""
        widgets = self._widgets()
        if not widgets or self.original is None:
            return
        nodes = [widget.mrmlSliceNode() for widget in widgets]
        for widget, node in zip(widgets, nodes, strict=True):
            widget.sliceLogic().FitSliceToVolume(self.original, *node.GetDimensions()[:2])
        axes = slicer.util.arrayFromVTKMatrix(nodes[0].GetSliceToRAS())[:3, :3]
        body = bodyPoints(self.original) @ axes
        low, high = body.min(axis=0), body.max(axis=0)
        centre = axes @ ((low + high) / 2)
        # The plane lies in the middle of a slice, so that the views do not interpolate.
        index = nearestIndex(self.original, self._position or centre)
        position = indexToWorld(self.original).TransformPoint(index.astype(float))
        # The sizes of the views differ by about a pixel. The smallest sets the zoom of all.
        pixelMm = FIT_MARGIN * max(
            side / pixels
            for node in nodes
            for side, pixels in zip((high - low)[:2], node.GetDimensions()[:2], strict=True)
        )
        for node in nodes:
            for row in range(3):
                node.GetSliceToRAS().SetElement(row, 3, centre[row])
            width, height = node.GetDimensions()[:2]
            node.SetFieldOfView(pixelMm * width, pixelMm * height, node.GetFieldOfView()[2])
            node.UpdateMatrices()
            node.JumpSliceByOffsetting(*position)

    def jumpToSlice(self, number: int) -> None:
        """Show this axial slice of the original, counted from 0, in the middle of the image."""
        index = np.array(self.original.GetImageData().GetDimensions()) // 2
        index[sliceAxis(self.original)] = number
        self._position = indexToWorld(self.original).TransformPoint(index.astype(float))
        for widget in self._widgets():
            widget.mrmlSliceNode().JumpSliceByOffsetting(*self._position)

    def flip(self) -> bool:
        """Swap the volume of the denoised view with the original, or back.

        Returns
        -------
        True if the view shows the original now.
        """
        widget = self._widget(layouts.DENOISED)
        if widget is None or self.original is None or self.denoised is None:
            return False
        now = widget.mrmlSliceCompositeNode().GetBackgroundVolumeID()
        toOriginal = now != self.original.GetID()
        self.setVolume(layouts.DENOISED, self.original if toOriginal else self.denoised)
        return toOriginal

    def showDenoised(self) -> None:
        """Show the denoised volume in its view after blinking."""
        if self.denoised is not None:
            self.setVolume(layouts.DENOISED, self.denoised)

    def positionIn(self, volume) -> tuple[float, float, float] | None:
        """Return the centre of a view of the volume in RAS (mm); None if no view shows it."""
        manager = _manager()
        names = manager.sliceViewNames() if manager else []
        views = [manager.sliceWidget(name) for name in names]
        views = [
            view
            for view in views
            if view.visible
            and view.mrmlSliceCompositeNode().GetBackgroundVolumeID() == volume.GetID()
        ]
        if not views:
            return None
        # An axial view shows best which slice the user looks at.
        views.sort(key=lambda view: view.mrmlSliceNode().GetOrientation() != ORIENTATIONS[0])
        matrix = views[0].mrmlSliceNode().GetSliceToRAS()
        return tuple(matrix.GetElement(row, 3) for row in range(3))

    def showPlotAndTable(self, chart, table) -> None:
        """Show a plot chart and a table below the views; None empties a view."""
        for tag, className, setter, node in (
            (layouts.PLOT, "vtkMRMLPlotViewNode", "SetPlotChartNodeID", chart),
            (layouts.TABLE, "vtkMRMLTableViewNode", "SetTableNodeID", table),
        ):
            view = slicer.mrmlScene.GetSingletonNode(tag, className)
            if view is not None:
                getattr(view, setter)(node.GetID() if node is not None else None)

    def restore(self) -> None:
        """Restore the layout from before the comparison.

        If that layout is unknown, as after loading a scene, four views are shown.
        """
        if self.shown:
            fourUp = slicer.vtkMRMLLayoutNode.SlicerLayoutFourUpView
            _manager().setLayout(fourUp if self._formerLayout is None else self._formerLayout)
            self._formerLayout = None
        self.clear()

    def clear(self) -> None:
        """Remove labels and observers; the layout does not change."""
        for widget in map(self._widget, self._labelled):
            if widget is not None:
                removeLabel(widget)
        self._labelled = set()
        self._unlinkWindows()
        self.original = self.denoised = self.noise = None

    # ---------------------------------------------------------------- window and level

    def _linkWindows(self) -> None:
        """Link the window and level of the two volumes."""
        self._unlinkWindows()
        for volume in (self.original, self.denoised):
            display = volume.GetDisplayNode() if volume else None
            if display is not None:
                tag = display.AddObserver(vtk.vtkCommand.ModifiedEvent, self._onDisplayModified)
                self._linked.append((display, tag))
        for volume in filter(None, self.volumes):
            tag = volume.AddObserver(vtk.vtkCommand.ModifiedEvent, self._onVolumeModified)
            self._named.append((volume, tag))
        for widget in self._widgets():
            composite = widget.mrmlSliceCompositeNode()
            tag = composite.AddObserver(vtk.vtkCommand.ModifiedEvent, self._onViewModified)
            self._named.append((composite, tag))

    def _unlinkWindows(self) -> None:
        for node, tag in self._linked + self._named:
            node.RemoveObserver(tag)
        self._linked, self._named = [], []

    def _onDisplayModified(self, changed, event) -> None:
        if self._copying:
            return
        self._copying = True
        try:
            for display, _tag in self._linked:
                if display is not changed:
                    display.AutoWindowLevelOff()
                    display.SetWindowLevel(changed.GetWindow(), changed.GetLevel())
        finally:
            self._copying = False

    def _onVolumeModified(self, changed, event) -> None:
        """Update the labels after a volume is renamed."""
        self.labelViews()

    def _onViewModified(self, changed, event) -> None:
        """Update the labels after another module has changed what a view shows."""
        self.labelViews()

    def labelViews(self) -> None:
        """Name the volume that each view shows now."""
        for widget in self._widgets():
            self._label(widget)

    def _label(self, widget) -> None:
        """Name the volume that a view shows in its corner."""
        shown = widget.mrmlSliceCompositeNode().GetBackgroundVolumeID()
        volume = slicer.mrmlScene.GetNodeByID(shown or "")
        setLabel(widget, "" if volume is None else self._textOf(volume))

    def _textOf(self, volume) -> str:
        lines = [volume.GetName(), itemOf(volume)]
        if self.denoised is not None and showsOtherItem(volume, self.denoised):
            lines.append(OTHER_ITEM_NOTICE)
        if isDerived(volume):
            lines.append(DERIVED_NOTICE)
        return "\n".join(filter(None, lines))

    # ---------------------------------------------------------------- views

    def _widget(self, name: str):
        return _manager().sliceWidget(name) if _manager() else None

    def _widgets(self) -> list:
        names = layouts.VIEWS[_manager().layout] if self.shown else ()
        return [widget for widget in map(self._widget, names) if widget is not None]


COMPARISON = SideBySide()
"""The comparison of this session."""


def _manager():
    return slicer.app.layoutManager()
