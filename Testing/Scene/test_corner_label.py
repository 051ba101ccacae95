"""A view has one label, in its top left corner, until it is removed."""

from types import SimpleNamespace

import pytest

vtk = pytest.importorskip("vtk", reason="vtk is not installed")
pytest.importorskip("slicer", reason="slicer-core is not installed")
from PseudoCTDenoiseLib.scene.corner_label import removeLabel, setLabel  # noqa: E402
from view_label import labelOf  # noqa: E402


def test_the_label_is_inside_the_top_left_corner_and_can_be_removed():
    window, renderer = vtk.vtkRenderWindow(), vtk.vtkRenderer()
    window.AddRenderer(renderer)
    view = SimpleNamespace(renderWindow=lambda: window, scheduleRender=lambda: None)
    widget = SimpleNamespace(sliceView=lambda: view)
    props = renderer.GetViewProps()
    renderer.AddViewProp(vtk.vtkTextActor())  # of another module
    assert labelOf(widget) == ""
    setLabel(widget, "scan")
    setLabel(widget, "scan denoised")
    assert labelOf(widget) == "scan denoised"
    assert props.GetNumberOfItems() == 2
    x, y, _ = props.GetLastProp().GetPositionCoordinate().GetValue()
    assert 0 < x < 0.1 and 0.9 < y < 1
    removeLabel(widget)
    removeLabel(widget)
    assert labelOf(widget) == "" and props.GetNumberOfItems() == 1
