"""A volume node gives a CT in HU, or an error message of one line."""

import numpy as np
import pytest
from PseudoCTDenoiseLib.errors import BadInputError

slicer = pytest.importorskip("slicer", reason="slicer-core is not installed")
from PseudoCTDenoiseLib.scene.ct_input import ctFromNode, warningFor  # noqa: E402
from PseudoCTDenoiseLib.scene.provenance import DERIVED  # noqa: E402
from PseudoCTDenoiseLib.scene.sequence_item import browserOf, itemOf  # noqa: E402


def ct(shape=(6, 40, 48), noise=15.0, dtype=np.int16):
    """Air around soft tissue."""
    hu = np.full(shape, -1000.0)
    hu[:, 8:-8, 8:-8] = 50.0
    hu += np.random.default_rng(0).normal(0, noise, shape)
    return hu.astype(dtype)


def volume(hu, className="vtkMRMLScalarVolumeNode", name="scan"):
    return slicer.util.addVolumeFromArray(hu, name=name, nodeClassName=className)


def refusal(node):
    with pytest.raises(BadInputError) as caught:
        ctFromNode(node)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_slices_come_first_whatever_the_order_of_the_axes(scene):
    hu = ct()
    node = volume(np.moveaxis(hu, 0, 2))  # slices along i
    node.SetIJKToRASDirections(0, 1, 0, 0, 0, 1, 1, 0, 0)
    node.SetSpacing(5.0, 0.7, 0.8)
    found = ctFromNode(node)
    assert found.axis == 0 and found.pixelSizeMm == (0.8, 0.7)
    assert np.array_equal(found.hu, hu)
    assert np.array_equal(found.toNodeOrder(found.hu), slicer.util.arrayFromVolume(node))


def test_the_pixel_size_does_not_depend_on_the_precision_of_the_file(scene):
    node = volume(ct())
    node.SetSpacing(float(np.float32(0.7)), float(np.float32(0.68359375)), 3.0)  # as from NIfTI
    assert ctFromNode(node).pixelSizeMm == (0.68359375, 0.7)


def test_the_slices_are_a_copy(scene):
    node = volume(ct())
    found = ctFromNode(node)
    found.hu[:] = 0
    assert slicer.util.arrayFromVolume(node).any()


def test_float_hu_is_rounded(scene):
    assert ctFromNode(volume(ct(dtype=np.float32))).hu.dtype == np.int16


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: None, "No input volume"),
        (lambda: slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "x"), "no voxels"),
        (lambda: volume(ct(), "vtkMRMLLabelMapVolumeNode"), "is a segmentation"),
        (lambda: slicer.mrmlScene.AddNewNodeByClass("vtkMRMLModelNode", "x"), "not a volume"),
        (lambda: volume((ct() > 0).astype(np.int16)), "looks like a segmentation"),
        (lambda: volume(np.full((3, 32, 32), -1000, np.int16)), "everywhere"),
        (lambda: volume(ct((3, 8, 8))), "too small"),
        (lambda: volume(np.where(ct() > 0, np.nan, -1000.0)), "NaN"),
    ],
)
def test_a_node_that_is_not_a_ct_is_refused_with_the_reason(scene, make, words):
    assert words in refusal(make())


def test_a_colour_image_is_refused(scene):
    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLVectorVolumeNode", "photo")
    slicer.util.updateVolumeFromArray(node, np.zeros((4, 32, 32, 3), np.uint8))
    assert "colour" in refusal(node)


def test_an_oblique_reformat_is_refused(scene):
    node = volume(ct())
    half = 0.5**0.5
    node.SetIJKToRASDirections(1, 0, 0, 0, half, -half, 0, half, half)
    assert "oblique by 45 degrees" in refusal(node)


def test_the_shown_item_of_a_sequence_is_the_input(itemOfSequence):
    frames = [ct() + offset for offset in (0, 5)]
    nodes = [volume(hu, name=f"frame {index}") for index, hu in enumerate(frames)]
    proxy, browser = itemOfSequence(nodes, shown=volume(ct(), name="shown"))
    assert browserOf(proxy) is browser and browserOf(nodes[0]) is None
    for number in (1, 0):
        browser.SetSelectedItemNumber(number)
        assert itemOf(proxy) == f"time {number} s" and itemOf(nodes[0]) is None
        assert np.array_equal(ctFromNode(proxy).hu, frames[number])


def test_a_noisy_scan_gives_no_warning(scene):
    assert warningFor(volume(ct((4, 96, 96)))) is None


def test_a_scan_with_little_noise_gives_a_warning(scene):
    assert "probably denoised already" in warningFor(volume(ct((4, 96, 96), noise=1.0)))


def test_an_unlikely_ct_gives_a_warning(scene):
    unlikely = np.random.default_rng(1).integers(0, 900, (4, 32, 32), np.int16)
    assert "probably not a CT" in warningFor(volume(unlikely))


def test_an_unlikely_pixel_size_gives_a_warning(scene):
    node = volume(ct((4, 96, 96)))
    node.SetSpacing(0.0007, 0.0007, 0.003)
    assert "pixels of 0.0007 mm" in warningFor(node)


def test_pixels_that_are_not_square_give_a_warning(scene):
    node = volume(ct((4, 96, 96)))
    node.SetSpacing(0.7, 1.4, 3)
    assert "pixels of 0.7×1.4 mm" in warningFor(node)


def test_padding_of_one_value_does_not_make_a_noisy_scan_look_denoised(scene):
    hu = ct((4, 96, 96))
    hu[:, :50] = 0
    assert warningFor(volume(hu)) is None


def test_a_result_of_this_module_gives_a_warning(scene):
    node = volume(ct())
    node.SetAttribute(DERIVED, "1")
    assert "made by this module" in warningFor(node)
