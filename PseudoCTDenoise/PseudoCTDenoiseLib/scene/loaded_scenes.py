"""Layout, labels and links of the comparison when Slicer shows it without the panel.

Slicer does so after loading a scene, and when it restores the layout from before its DICOM browser.
"""

from __future__ import annotations

import slicer
import vtk

from .comparison_layouts import DENOISED, FILES, NOISE, ORIGINAL, registerLayouts
from .provenance import isDerived
from .results import removeHierarchyItem
from .side_by_side import COMPARISON

SAVED_LAYOUT = "PseudoCTDenoise.Layout"
"""Attribute of the original's slice node: the layout that a loaded scene is shown in."""


class LoadedScenes:
    """Labels and links the views when Slicer restores the comparison, until :meth:`stop`."""

    def __init__(self, layoutNode):
        import qt

        scene = slicer.mrmlScene
        # When the layout changes, its views may not exist yet. Those of a loaded scene, and its
        # subject hierarchy, are complete after the end of the batch process.
        self._timer = qt.QTimer()
        self._timer.setSingleShot(True)
        self._timer.interval = 0
        self._timer.connect("timeout()", self._onViewsMade)
        self._isWaiting = False
        self._leftIDs: list[str | None] = []
        self._observers = [
            (node, node.AddObserver(event, function))
            for node, event, function in (
                (layoutNode, vtk.vtkCommand.ModifiedEvent, self._onLayoutModified),
                (scene, scene.StartCloseEvent, self._onStartClose),
                (scene, scene.StartImportEvent, self._onStartImport),
                (scene, scene.EndImportEvent, self._onEndImport),
                (scene, scene.EndBatchProcessEvent, self._onEndBatchProcess),
            )
        ]
        self._layoutNode = layoutNode
        self._onLayoutModified(layoutNode, None)  # after a reload of the module

    def stop(self) -> None:
        """Stop observing the scene."""
        self._timer.stop()
        for node, tag in self._observers:
            node.RemoveObserver(tag)

    def _onLayoutModified(self, layoutNode, event) -> None:
        """Remember a comparison that is left, and label and link one that Slicer restores.

        Also leave its layout out of a saved scene, and record it in an attribute. Slicer without
        this module cannot show a comparison's layout: its views would stay empty. Such a scene has
        no layout node, so that Slicer keeps its own layout, and an attribute instead.
        """
        if slicer.mrmlScene.IsImporting():  # the attribute of the loaded scene is still needed
            return
        layout = layoutNode.GetViewArrangement()
        layoutNode.SetSaveWithScene(layout not in FILES)
        view = _node("vtkMRMLSliceNode", ORIGINAL)
        if view is not None:
            view.SetAttribute(SAVED_LAYOUT, str(layout) if layout in FILES else None)
        if layout not in FILES:
            if COMPARISON.original is not None:
                self._leftIDs = [volume and volume.GetID() for volume in COMPARISON.volumes]
            COMPARISON.clear()
        elif COMPARISON.original is None:
            self._waitForViews()

    def _onStartClose(self, scene, event) -> None:
        """Leave the comparison of a scene that is about to close."""
        COMPARISON.restore()
        self._leftIDs = []

    def _onStartImport(self, scene, event) -> None:
        """Forget the layout of this scene: that of the loaded or added one will count."""
        view = _node("vtkMRMLSliceNode", ORIGINAL)
        if view is not None:
            view.SetAttribute(SAVED_LAYOUT, None)

    def _onEndImport(self, scene, event) -> None:
        """Show a loaded scene in the layout of the comparison in which it was saved."""
        view = _node("vtkMRMLSliceNode", ORIGINAL)
        layout = view and view.GetAttribute(SAVED_LAYOUT)
        self._waitForViews()
        if layout in map(str, FILES) and None not in _volumes(_shownIDs())[:2]:
            self._leftIDs = []
            COMPARISON.clear()
            slicer.app.layoutManager().setLayout(int(layout))
        else:  # an added scene may leave the comparison on screen
            self._onLayoutModified(self._layoutNode, event)

    def _waitForViews(self) -> None:
        self._isWaiting = True
        self._timer.start()

    def _onEndBatchProcess(self, scene, event) -> None:
        if self._isWaiting:
            self._timer.start()

    def _onViewsMade(self) -> None:
        """Label and link the views of the comparison; without labels they are not shown.

        Earlier versions left hidden volumes in the subject hierarchy.
        """
        if slicer.mrmlScene.IsBatchProcessing():  # a progress dialog runs the event loop, too
            return
        self._isWaiting = False
        for volume in slicer.util.getNodesByClass("vtkMRMLScalarVolumeNode"):
            if isDerived(volume) and volume.GetHideFromEditors():
                removeHierarchyItem(volume)
        if not COMPARISON.shown or COMPARISON.original is not None:
            return
        volumes = _volumes(self._leftIDs or _shownIDs())
        if None in volumes[:2] or not COMPARISON.adoptViews(*volumes):
            COMPARISON.restore()


_watching: LoadedScenes | None = None


def watchScenes() -> None:
    """Register the layouts and watch the scene from now on; repeated calls have no effect."""
    global _watching
    manager = slicer.app.layoutManager()
    if manager is not None and _watching is None:  # None if Slicer runs without a main window
        registerLayouts()
        _watching = LoadedScenes(manager.layoutLogic().GetLayoutNode())


def stopWatching() -> None:
    """Stop watching the scene, because the module is unloaded or reloaded."""
    global _watching
    if _watching is not None:
        _watching.stop()
        _watching = None


def _node(className: str, viewName: str):
    return slicer.mrmlScene.GetSingletonNode(viewName, className)


def _shownIDs() -> list[str | None]:
    """Return the IDs of the volumes in the comparison's views."""
    views = [_node("vtkMRMLSliceCompositeNode", name) for name in (ORIGINAL, DENOISED, NOISE)]
    return [view and view.GetBackgroundVolumeID() for view in views]


def _volumes(nodeIDs) -> list:
    """Return the volumes with these IDs, None for each that is not in the scene."""
    return [slicer.mrmlScene.GetNodeByID(nodeID or "") for nodeID in nodeIDs]
