"""Slice views draw, and follow mouse, keys and links."""

import numpy as np
import pytest


def gray(widget, x, y):
    """Return the grey value at a fraction of the view's width and height, after rendering."""
    image = widget.sliceView()._q.image()
    color = image.pixelColor(round(x * (image.width() - 1)), round(y * (image.height() - 1)))
    assert color.red() == color.green() == color.blue()
    return color.red()


def test_volume_is_drawn_at_its_window(red):
    # 600 HU within 0 to 1000 HU; low R is on the right of an axial view.
    assert gray(red, 0.6, 0.5) == pytest.approx(0.6 * 255, abs=2)
    assert gray(red, 0.4, 0.5) == 0


def test_new_window_is_drawn(red, volume):
    volume.GetDisplayNode().SetWindowLevel(600, 300)
    assert gray(red, 0.6, 0.5) == 255


def test_new_voxels_are_drawn(red, volume, slicer):
    slicer.util.updateVolumeFromArray(volume, np.full((10, 20, 20), 300, np.int16))
    assert gray(red, 0.4, 0.5) == pytest.approx(0.3 * 255, abs=2)


def test_slice_offset_moves_the_picture(red):
    red.sliceLogic().SetSliceOffset(3)
    assert gray(red, 0.6, 0.5) == pytest.approx(0.3 * 255, abs=2)


def test_without_a_volume_it_is_black(red):
    red.mrmlSliceCompositeNode().SetBackgroundVolumeID(None)
    assert gray(red, 0.6, 0.5) == 0


def test_actor_of_a_script_is_drawn_over_the_volume(red):
    import vtk

    label = vtk.vtkTextActor()
    label.SetInput("research use only")
    label.GetTextProperty().SetColor(1.0, 0.0, 0.0)
    label.SetPosition(100, 100)
    renderer = red.sliceView().renderWindow().GetRenderers().GetFirstRenderer()
    renderer.AddViewProp(label)
    image = red.sliceView()._q.image()
    renderer.RemoveViewProp(label)
    colors = {
        image.pixelColor(x, image.height() - 1 - y).getRgb()[:3]
        for x in range(100, 220)
        for y in range(100, 115)
    }
    assert any(r > 200 and g < 100 for r, g, b in colors)


def test_annotation_of_the_view_is_its_own(red):
    red.sliceView().cornerAnnotation().SetText(0, "text")
    assert red.sliceView().cornerAnnotation().GetText(0) == "text"
    red.sliceView().cornerAnnotation().ClearAllTexts()


def test_wheel_and_keys_go_through_the_slices(red, user):
    user.scrollWheel(red.sliceView(), 2)
    assert red.sliceLogic().GetSliceOffset() == pytest.approx(8)
    user.scrollWheel(red.sliceView(), -1)
    assert red.sliceLogic().GetSliceOffset() == pytest.approx(7)
    user.pressKey(red.sliceView(), "B")
    assert red.sliceLogic().GetSliceOffset() == pytest.approx(6)
    user.pressKey(red.sliceView(), "F")
    assert red.sliceLogic().GetSliceOffset() == pytest.approx(7)


def test_slider_of_the_view_goes_through_the_slices(red):
    slider = red._q._slider
    assert (slider.minimum(), slider.maximum(), slider.value()) == (0, 9, 6)
    slider.setValue(2)
    assert red.sliceLogic().GetSliceOffset() == pytest.approx(2)
    red.sliceLogic().SetSliceOffset(4)
    assert slider.value() == 4


def test_drag_with_the_right_button_zooms(red, user):
    before = red.mrmlSliceNode().GetFieldOfView()[0]
    view = red.sliceView()
    middle = view.height // 2
    user.drag(view, (200, middle), (200, middle + 100), "Right")
    assert red.mrmlSliceNode().GetFieldOfView()[0] != pytest.approx(before)


def test_mouse_tells_where_it_is(red, slicer, user):
    crosshair = slicer.mrmlScene.GetSingletonNode("default", "vtkMRMLCrosshairNode")
    view, position = red.sliceView(), [0.0, 0.0, 0.0]
    user.move(view, (view.width // 2, view.height // 2))
    assert crosshair.GetCursorPositionRAS(position)
    assert position == pytest.approx([9.5, 9.5, 6.0], abs=0.1)


def test_linked_views_move_together(twoSlices):
    left, right = twoSlices
    left.sliceLogic().StartSliceNodeInteraction(left.mrmlSliceNode().SliceToRASFlag)
    left.sliceLogic().SetSliceOffset(4)
    left.sliceLogic().EndSliceNodeInteraction()
    assert right.sliceLogic().GetSliceOffset() == pytest.approx(4)


def test_wheel_over_one_view_moves_its_linked_neighbour(twoSlices, user):
    left, right = twoSlices
    for widget in twoSlices:
        widget.sliceLogic().SetSliceOffset(2)
    user.scrollWheel(left.sliceView(), 3)
    assert left.sliceLogic().GetSliceOffset() == pytest.approx(5)
    assert right.sliceLogic().GetSliceOffset() == pytest.approx(5)
    assert gray(right, 0.6, 0.5) == pytest.approx(0.5 * 255, abs=2)


def test_views_that_are_not_linked_do_not(twoSlices, user):
    left, right = twoSlices
    for widget in twoSlices:
        widget.mrmlSliceCompositeNode().SetLinkedControl(False)
        widget.sliceLogic().SetSliceOffset(2)
    user.scrollWheel(left.sliceView(), 3)
    assert right.sliceLogic().GetSliceOffset() == pytest.approx(2)


def test_orientation(red):
    red.setSliceOrientation("Coronal")
    assert red.sliceOrientation == "Coronal"
    assert red.mrmlSliceNode().GetOrientationString() == "Coronal"
    red.setSliceOrientation("Axial")
