"""Original, denoised and noise beside each other: linked, labelled, at one window."""

from __future__ import annotations

import slicer
import vtk

from . import comparison_layouts as layouts
from .corner_label import DERIVED_NOTICE, CornerLabel
from .provenance import isDerived

ORIENTATIONS = ("Axial", "Coronal", "Sagittal")


class SideBySide:
    """The comparison on the screen, and the way back to the layout that was there before.

    >>> comparison = SideBySide()
    >>> comparison.show(original, denoised, noise)
    >>> comparison.setOrientation("Coronal")
    >>> comparison.restore()
    """

    def __init__(self):
        self._formerLayout: int | None = None
        self._labels: dict[str, CornerLabel] = {}
        self._linked: list[tuple[object, int]] = []
        self._named: list[tuple[object, int]] = []
        self._copying = False
        self._orientation = ORIENTATIONS[0]
        self._place: tuple[float, float, float] | None = None
        self.original = self.denoised = self.noise = None

    @property
    def shown(self) -> bool:
        """Whether one of the comparison's layouts is on the screen."""
        return _manager() is not None and _manager().layout in layouts.FILES

    def show(self, original, denoised, noise=None, *, figures: bool = False, place=None) -> None:
        """Lay the volumes out, at the place of the original that the user looks at.

        Parameters
        ----------
        original, denoised : volume nodes of equal geometry.
        noise : a third volume beside them, or None for two views.
        figures : a plot and a table below, instead of the third view.
        place : another point to look at, RAS in mm.
        """
        manager = _manager()
        if manager is None:  # there is none without a main window
            return
        place = place or self.placeIn(original)
        layouts.registerLayouts()
        if not self.shown:
            self._formerLayout = manager.layout
        layout = layouts.TWO_VIEWS if noise is None else layouts.THREE_VIEWS
        layout = layouts.FIGURES if figures else layout
        moved = manager.layout != layout
        if moved:
            manager.setLayout(layout)
        fresh = original is not self.original or moved
        self.original, self.denoised, self.noise = original, denoised, noise
        volumes = (original, denoised, noise)
        for name, volume in zip(layouts.VIEWS[layout], volumes, strict=False):
            self.setVolume(name, volume)
            composite = self._widget(name).mrmlSliceCompositeNode()
            composite.SetLinkedControl(True)
            composite.SetHotLinkedControl(True)
        self._linkWindows()
        if fresh:
            self._place = place
            self.setOrientation(self._orientation)
            import qt

            # The views take their size only when the event loop runs again.
            qt.QTimer.singleShot(0, self.fit)

    def takeUp(self, original, denoised) -> None:
        """Label and link the views that a loaded scene has brought."""
        if not self.shown:
            return
        layout = _manager().layout
        orientation = self._widgets()[0].mrmlSliceNode().GetOrientation()
        if orientation in ORIENTATIONS:
            self._orientation = orientation
        third = None
        if layout == layouts.THREE_VIEWS:
            composite = self._widget(layouts.NOISE).mrmlSliceCompositeNode()
            third = slicer.mrmlScene.GetNodeByID(composite.GetBackgroundVolumeID() or "")
        self.show(original, denoised, third, figures=layout == layouts.FIGURES)

    @property
    def orientation(self) -> str:
        """The plane of all views: Axial, Coronal or Sagittal."""
        return self._orientation

    @property
    def figuresShown(self) -> bool:
        """Whether a plot and a table stand below the views."""
        return self.shown and _manager().layout == layouts.FIGURES

    def setVolume(self, viewName: str, volume) -> None:
        """Show a volume in one of the views, and its name in the corner."""
        widget = self._widget(viewName)
        if widget is None:
            return
        widget.mrmlSliceCompositeNode().SetBackgroundVolumeID(volume.GetID() if volume else None)
        if viewName not in self._labels:
            self._labels[viewName] = CornerLabel(widget)
        self._labels[viewName].setText(_labelOf(volume) if volume else "")

    def labelText(self, viewName: str) -> str:
        """What the corner of a view says."""
        return self._labels[viewName].text if viewName in self._labels else ""

    def setOrientation(self, orientation: str) -> None:
        """Axial, Coronal or Sagittal, along the volume's own axes so that nothing is blurred."""
        if self.shown and self.original is not None and orientation != self._orientation:
            self._place = self.placeIn(self.original)
        self._orientation = orientation
        for widget in self._widgets():
            node = widget.mrmlSliceNode()
            node.SetOrientation(orientation)
            if self.original is not None:
                node.RotateToVolumePlane(self.original)
        self.fit()

    def fit(self) -> None:
        """Fit every view to the original, all at the same place and zoom."""
        if not self.shown or self.original is None:
            return
        widgets = self._widgets()
        nodes = [widget.mrmlSliceNode() for widget in widgets]
        for widget, node in zip(widgets, nodes, strict=True):
            width, height = node.GetDimensions()[:2]
            widget.sliceLogic().FitSliceToVolume(self.original, width, height)
            if self._place is not None:
                node.JumpSliceByOffsetting(*self._place)
            widget.sliceLogic().SnapSliceOffsetToIJK()
        # Views differ in size by a pixel or so: the one that shows least sets the zoom of all.
        pixelMm = max(node.GetFieldOfView()[0] / node.GetDimensions()[0] for node in nodes)
        for node in nodes:
            width, height = node.GetDimensions()[:2]
            node.SetFieldOfView(pixelMm * width, pixelMm * height, node.GetFieldOfView()[2])

    def flip(self) -> bool:
        """Exchange the volume of the denoised view for the original and back.

        Returns
        -------
        Whether the original is shown there now.
        """
        widget = self._widget(layouts.DENOISED)
        if widget is None or self.original is None or self.denoised is None:
            return False
        now = widget.mrmlSliceCompositeNode().GetBackgroundVolumeID()
        toOriginal = now != self.original.GetID()
        self.setVolume(layouts.DENOISED, self.original if toOriginal else self.denoised)
        return toOriginal

    def showDenoised(self) -> None:
        """End a blinking on the denoised volume."""
        if self.denoised is not None:
            self.setVolume(layouts.DENOISED, self.denoised)

    def placeIn(self, volume) -> tuple[float, float, float] | None:
        """The point in RAS (mm) at the middle of a view of the volume; None if none shows it."""
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
        # The other planes tell less about which axial slice is looked at.
        views.sort(key=lambda view: view.mrmlSliceNode().GetOrientation() != ORIENTATIONS[0])
        matrix = views[0].mrmlSliceNode().GetSliceToRAS()
        return tuple(matrix.GetElement(row, 3) for row in range(3))

    def showFigures(self, chart, table) -> None:
        """Show a plot chart and a table below the views, or None for nothing."""
        for tag, className, setter, node in (
            (layouts.PLOT, "vtkMRMLPlotViewNode", "SetPlotChartNodeID", chart),
            (layouts.TABLE, "vtkMRMLTableViewNode", "SetTableNodeID", table),
        ):
            view = slicer.mrmlScene.GetSingletonNode(tag, className)
            if view is not None:
                getattr(view, setter)(node.GetID() if node is not None else None)

    def restore(self) -> None:
        """Bring back the layout that was on the screen before the comparison.

        A loaded scene does not tell which that was: then four views.
        """
        self.clear()
        if self.shown:
            fourUp = slicer.vtkMRMLLayoutNode.SlicerLayoutFourUpView
            _manager().setLayout(fourUp if self._formerLayout is None else self._formerLayout)
        self._formerLayout = None

    def clear(self) -> None:
        """Take labels and observers away; the layout stays."""
        for label in self._labels.values():
            label.remove()
        self._labels = {}
        self._unlinkWindows()
        self.original = self.denoised = self.noise = None

    # ---------------------------------------------------------------- window and level

    def _linkWindows(self) -> None:
        """Changes of window and level on either volume follow on the other."""
        self._unlinkWindows()
        for volume in (self.original, self.denoised):
            display = volume.GetDisplayNode() if volume else None
            if display is not None:
                tag = display.AddObserver(vtk.vtkCommand.ModifiedEvent, self._onDisplayModified)
                self._linked.append((display, tag))
        for volume in filter(None, (self.original, self.denoised, self.noise)):
            tag = volume.AddObserver(vtk.vtkCommand.ModifiedEvent, self._onVolumeModified)
            self._named.append((volume, tag))

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
        """Labels follow a volume's new name."""
        for widget in self._widgets():
            name = widget.mrmlSliceNode().GetLayoutName()
            if widget.mrmlSliceCompositeNode().GetBackgroundVolumeID() == changed.GetID():
                self._labels[name].setText(_labelOf(changed))

    # ---------------------------------------------------------------- views

    def _widget(self, name: str):
        return _manager().sliceWidget(name) if _manager() else None

    def _widgets(self) -> list:
        names = layouts.VIEWS[_manager().layout] if self.shown else ()
        return [widget for widget in map(self._widget, names) if widget is not None]


def _manager():
    return slicer.app.layoutManager()


def _labelOf(volume) -> str:
    name = volume.GetName()
    return f"{name}\n{DERIVED_NOTICE}" if isDerived(volume) else name
