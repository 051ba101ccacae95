"""The label of a view is in its top left corner until it is removed."""

from types import SimpleNamespace

import pytest

vtk = pytest.importorskip("vtk", reason="vtk is not installed")
pytest.importorskip("slicer", reason="slicer-core is not installed")
from PseudoCTDenoiseLib.scene.corner_label import CornerLabel  # noqa: E402


def test_the_label_is_inside_the_top_left_corner_and_can_be_removed():
    window, renderer = vtk.vtkRenderWindow(), vtk.vtkRenderer()
    window.AddRenderer(renderer)
    view = SimpleNamespace(renderWindow=lambda: window, scheduleRender=lambda: None)
    label = CornerLabel(SimpleNamespace(sliceView=lambda: view))
    label.setText("scan denoised")
    assert label.text == "scan denoised"
    props = renderer.GetViewProps()
    x, y, _ = props.GetLastProp().GetPositionCoordinate().GetValue()
    assert 0 < x < 0.1 and 0.9 < y < 1
    label.remove()
    assert props.GetNumberOfItems() == 0
