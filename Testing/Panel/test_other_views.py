"""The comparison leaves the views of other layouts and modules alone."""

import pytest

user = pytest.importorskip("SlicerHarness.user", reason="PySide6 is not installed")


def test_linked_views_of_the_comparison_move_no_other_view(panel, phantom, result, slicerApp):
    import slicer

    manager = slicer.app.layoutManager()
    fourUp = slicer.vtkMRMLLayoutNode.SlicerLayoutFourUpView
    manager.setLayout(fourUp)
    slicer.util.setSliceViewerLayers(background=phantom, fit=True)
    slicerApp.processEvents()
    nodes = [manager.sliceWidget(name).mrmlSliceNode() for name in ("Red", "Green", "Yellow")]

    def state():
        return [
            (n.GetOrientation(), round(n.GetSliceOffset(), 3), round(n.GetFieldOfView()[0], 3))
            for n in nodes
        ]

    before = state()
    user.click(panel.ui.sideBySideButton)
    slicerApp.processEvents()
    views = ("PseudoCTDenoiseOriginal", "PseudoCTDenoiseDenoised")
    ours = [manager.sliceWidget(name) for name in views]
    user.scrollWheel(ours[0].sliceView(), 1)
    user.drag(ours[1].sliceView(), (50, 50), (50, 120), "Right")
    logic = ours[0].sliceLogic()  # as the controller of a view does
    logic.StartSliceNodeInteraction(slicer.vtkMRMLSliceNode.OrientationFlag)
    logic.GetSliceNode().SetOrientation("Coronal")
    logic.EndSliceNodeInteraction()
    slicerApp.processEvents()
    assert [view.mrmlSliceNode().GetOrientation() for view in ours] == ["Coronal", "Coronal"]
    user.click(panel.ui.restoreLayoutButton)
    assert manager.layout == fourUp
    assert state() == before
