"""Layouts of the comparison: their ids, files and views, and their place in saved scenes."""

from __future__ import annotations

from pathlib import Path

import slicer
import vtk

FOLDER = Path(__file__).resolve().parents[2] / "Resources" / "Layouts"

TWO_VIEWS, THREE_VIEWS, PLOT_AND_TABLE = 58741, 58742, 58743
FILES = {
    TWO_VIEWS: "PseudoCTDenoise_TwoViews.xml",
    THREE_VIEWS: "PseudoCTDenoise_ThreeViews.xml",
    PLOT_AND_TABLE: "PseudoCTDenoise_TwoViewsAndFigures.xml",
}
ORIGINAL, DENOISED, NOISE = (
    "PseudoCTDenoiseOriginal",
    "PseudoCTDenoiseDenoised",
    "PseudoCTDenoiseNoise",
)
PLOT, TABLE = "PseudoCTDenoisePlot", "PseudoCTDenoiseTable"
VIEWS = {
    TWO_VIEWS: (ORIGINAL, DENOISED),
    THREE_VIEWS: (ORIGINAL, DENOISED, NOISE),
    PLOT_AND_TABLE: (ORIGINAL, DENOISED),
}
VIEW_GROUP = TWO_VIEWS
"""Group of the slice views: a number that no other layout uses."""
SAVED_LAYOUT = "PseudoCTDenoise.Layout"
"""Attribute of the original's slice node: the layout that a loaded scene is shown in."""


def registerLayouts() -> None:
    """Register the layouts, so that a saved scene finds them; repeated calls have no effect."""
    manager = slicer.app.layoutManager()
    if manager is None:  # Slicer runs without a main window
        return
    node = manager.layoutLogic().GetLayoutNode()
    # At its start, Slicer restores the layout of its last session, whose views it cannot make yet.
    restored = manager.layout in FILES and not node.IsLayoutDescription(manager.layout)
    if not any(map(node.IsLayoutDescription, FILES)):
        scene = slicer.mrmlScene
        node.AddObserver(vtk.vtkCommand.ModifiedEvent, _onLayoutModified)
        scene.AddObserver(scene.StartImportEvent, _onStartImport)
        # The comparison is restored before the panel looks for it.
        scene.AddObserver(scene.EndImportEvent, _onEndImport, 1.0)
    for layout, file in FILES.items():
        text = (FOLDER / file).read_text(encoding="utf-8")
        if node.IsLayoutDescription(layout):
            node.SetLayoutDescription(layout, text)
        else:
            node.AddLayoutDescription(layout, text)
    if restored:
        manager.setLayout(slicer.vtkMRMLLayoutNode.SlicerLayoutFourUpView)


def _onLayoutModified(layoutNode, event) -> None:
    """Leave a comparison's layout out of a saved scene, and record it in an attribute.

    Slicer without this module cannot show a comparison's layout: its views would stay empty. Such a
    scene has no layout node, so that Slicer keeps its own layout, and an attribute instead.
    """
    if slicer.mrmlScene.IsImporting():  # the attribute of the loaded scene is still needed
        return
    layout = layoutNode.GetViewArrangement()
    layoutNode.SetSaveWithScene(layout not in FILES)
    view = slicer.mrmlScene.GetSingletonNode(ORIGINAL, "vtkMRMLSliceNode")
    if view is not None:
        view.SetAttribute(SAVED_LAYOUT, str(layout) if layout in FILES else None)


def _onStartImport(scene, event) -> None:
    """Forget the layout of this scene: that of the loaded or added one will count."""
    view = scene.GetSingletonNode(ORIGINAL, "vtkMRMLSliceNode")
    if view is not None:
        view.SetAttribute(SAVED_LAYOUT, None)


def _onEndImport(scene, event) -> None:
    """Show a loaded scene in the layout of the comparison in which it was saved."""
    view = scene.GetSingletonNode(ORIGINAL, "vtkMRMLSliceNode")
    layout = view and view.GetAttribute(SAVED_LAYOUT)
    if layout in map(str, FILES):
        slicer.app.layoutManager().setLayout(int(layout))
    else:  # an added scene may leave the comparison on screen
        _onLayoutModified(slicer.app.layoutManager().layoutLogic().GetLayoutNode(), event)
