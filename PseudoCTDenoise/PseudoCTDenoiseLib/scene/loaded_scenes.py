"""Layout, labels and links of the comparison in saved and loaded scenes, without the panel."""

from __future__ import annotations

import slicer
import vtk

from .comparison_layouts import DENOISED, FILES, ORIGINAL, registerLayouts
from .provenance import isDerived
from .results import removeHierarchyItem
from .side_by_side import COMPARISON

SAVED_LAYOUT = "PseudoCTDenoise.Layout"
"""Attribute of the original's slice node: the layout that a loaded scene is shown in."""


class LoadedScenes:
    """Restores the comparison of every loaded scene, with its labels, until :meth:`stop`."""

    def __init__(self, layoutNode):
        import qt

        scene = slicer.mrmlScene
        # Views and subject hierarchy are complete after the end of the batch process.
        self._timer = qt.QTimer()
        self._timer.setSingleShot(True)
        self._timer.interval = 0
        self._timer.connect("timeout()", self._onLoaded)
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
        # After a reload of the module.
        self._isWaiting = self._hasViews = COMPARISON.shown and COMPARISON.original is None
        self._onEndBatchProcess(None, None)

    def stop(self) -> None:
        """Stop observing the scene."""
        self._timer.stop()
        for node, tag in self._observers:
            node.RemoveObserver(tag)

    def _onLayoutModified(self, layoutNode, event) -> None:
        """Leave a comparison's layout out of a saved scene, and record it in an attribute.

        Slicer without this module cannot show a comparison's layout: its views would stay empty.
        Such a scene has no layout node, so that Slicer keeps its own layout, and an attribute
        instead.
        """
        if slicer.mrmlScene.IsImporting():  # the attribute of the loaded scene is still needed
            return
        layout = layoutNode.GetViewArrangement()
        layoutNode.SetSaveWithScene(layout not in FILES)
        view = _node("vtkMRMLSliceNode", ORIGINAL)
        if view is not None:
            view.SetAttribute(SAVED_LAYOUT, str(layout) if layout in FILES else None)
        if layout not in FILES:
            COMPARISON.clear()

    def _onStartClose(self, scene, event) -> None:
        """Leave the comparison of a scene that is about to close."""
        COMPARISON.restore()

    def _onStartImport(self, scene, event) -> None:
        """Forget the layout of this scene: that of the loaded or added one will count."""
        view = _node("vtkMRMLSliceNode", ORIGINAL)
        if view is not None:
            view.SetAttribute(SAVED_LAYOUT, None)

    def _onEndImport(self, scene, event) -> None:
        """Show a loaded scene in the layout of the comparison in which it was saved."""
        view = _node("vtkMRMLSliceNode", ORIGINAL)
        layout = view and view.GetAttribute(SAVED_LAYOUT)
        self._isWaiting = True
        self._hasViews = layout in map(str, FILES) and None not in _volumes()
        if self._hasViews:
            slicer.app.layoutManager().setLayout(int(layout))
        else:  # an added scene may leave the comparison on screen
            self._onLayoutModified(self._layoutNode, event)

    def _onEndBatchProcess(self, scene, event) -> None:
        if self._isWaiting:
            self._timer.start()

    def _onLoaded(self) -> None:
        """Label and link the views of the loaded scene; without labels they are not shown.

        Earlier versions left hidden volumes in the subject hierarchy.
        """
        if slicer.mrmlScene.IsBatchProcessing():  # a progress dialog runs the event loop, too
            return
        self._isWaiting = False
        for volume in slicer.util.getNodesByClass("vtkMRMLScalarVolumeNode"):
            if isDerived(volume) and volume.GetHideFromEditors():
                removeHierarchyItem(volume)
        if not self._hasViews:
            return
        self._hasViews, volumes = False, _volumes()
        if None in volumes or not COMPARISON.adoptViews(*volumes):
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


def _volumes() -> list:
    """Return the volumes of the comparison's views, None for each that is not in the scene."""
    views = [_node("vtkMRMLSliceCompositeNode", name) for name in (ORIGINAL, DENOISED)]
    return [
        view and slicer.mrmlScene.GetNodeByID(view.GetBackgroundVolumeID() or "") for view in views
    ]
