"""Torso phantom: known tissue, known lesions and uniform regions."""

from __future__ import annotations

import numpy as np
import pytest
from pseudoct_research.phantom.torso import axial_plane, torso_phantom
from PseudoCTDenoiseLib.errors import BadInputError


@pytest.fixture(scope="module")
def fine():
    """Return a phantom of 0.75 mm pixels with slices at -24, -16, … 24 mm, three with lesions."""
    return torso_phantom(slices=7, slice_mm=8.0)


@pytest.fixture(scope="module")
def coarse():
    return torso_phantom(slices=7, size=256, pixel_mm=1.5, slice_mm=8.0)


def mean_around(phantom, x, y, z, half=1):
    """Return the mean HU of a small square around a point in mm from the volume's centre."""
    index = []
    for length, spacing, at in zip(phantom.hu.shape, phantom.spacing_mm, (z, y, x), strict=True):
        index.append(round(at / spacing + (length - 1) / 2))
    s, r, c = index
    return phantom.hu[s, r - half : r + half + 1, c - half : c + half + 1].mean()


def around(phantom, lesion):
    """Return the lesion's slice, and the distance in mm of each pixel from its centre."""
    x, y, _ = lesion.centre_mm
    size, pixel = phantom.hu.shape[1], phantom.spacing_mm[1]
    across = (np.arange(size) - (size - 1) / 2) * pixel
    return phantom.hu[lesion.index[0]].astype(float), np.hypot(across - x, across[:, None] - y)


def test_same_arguments_give_the_same_voxels():
    first = torso_phantom(slices=2, size=64, pixel_mm=6.0)
    second = torso_phantom(slices=2, size=64, pixel_mm=6.0)
    assert first.hu.dtype == np.int16 and first.hu.shape == (2, 64, 64)
    assert first.spacing_mm == (3.0, 6.0, 6.0)
    np.testing.assert_array_equal(first.hu, second.hu)


@pytest.mark.parametrize(
    ("tissue", "point", "low", "high"),
    [
        ("air", (-180, -180, 0), -1000, -1000),
        ("liver", (-85, 0, 0), 102, 108),
        ("spleen", (96, 30, 0), 113, 123),
        ("aorta", (9, -1, 8), 155, 165),
        ("vena cava", (-22, -8, 0), 133, 143),
        ("vertebral marrow", (-8, 24, 16), 140, 280),
        ("back muscle", (-32, 70, 0), 35, 75),
        ("fat under the skin", (-146, -10, 0), -112, -85),
        ("stomach fluid", (60, -20, 0), 8, 24),
        ("stomach gas", (56, -58, 0), -1000, -960),
        ("lung", (70, 46, 24), -880, -800),
        ("gall bladder", (-44, -60, -24), 4, 12),
        ("spinal cord", (0, 52, 0), 37, 43),
        ("pancreas", (20, -26, -24), 75, 105),
        ("left kidney", (58, 32, -24), 130, 182),
    ],
)
def test_tissue_has_the_expected_hu(fine, tissue, point, low, high):
    assert low <= mean_around(fine, *point) <= high, tissue


def test_values_are_in_the_range_of_a_scanner_and_the_corners_are_air(fine):
    assert fine.hu.min() == -1000
    assert 500 < fine.hu.max() < 1500
    assert (fine.hu[:, :40] == -1000).all()


def test_lesions_of_all_sizes_are_listed(fine):
    sizes = {lesion.diameter_mm for lesion in fine.lesions}
    assert {3.0, 5.0, 7.0, 10.0} <= sizes
    assert {lesion.contrast_hu for lesion in fine.lesions} >= {-10.0, -15.0, -20.0, 15.0}
    assert torso_phantom(slices=1, size=64, pixel_mm=0.75).lesions == ()


def test_lesions_have_their_size_and_contrast(fine):
    assert len(fine.lesions) == 18
    for lesion in fine.lesions:
        hu, distance = around(fine, lesion)
        radius = lesion.diameter_mm / 2
        ring = (distance > radius + 1.5) & (distance < radius + 3.5)
        assert hu[ring].std() < 2, lesion
        contrast = hu - hu[ring].mean()
        core = contrast[distance < max(0.8, radius - 1)].mean()
        assert core == pytest.approx(lesion.contrast_hu, abs=1 + 0.1 * abs(lesion.contrast_hu))
        area = contrast[distance < radius + 1.5].sum() / lesion.contrast_hu * 0.75**2
        assert 2 * np.sqrt(area / np.pi) == pytest.approx(lesion.diameter_mm, abs=0.5), lesion


def test_lesion_index_is_its_centre(fine):
    for lesion in fine.lesions:
        s, r, c = lesion.index
        _, distance = around(fine, lesion)
        assert distance[r, c] <= 0.75
        assert abs((s - 3) * 8.0 - lesion.centre_mm[2]) <= 4.0


def test_flat_regions_are_uniform_and_inside_their_tissue(fine):
    phantom = torso_phantom(slices=1, size=512)
    regions = [(fine, region) for region in fine.flat_regions]
    regions += [(phantom, region) for region in phantom.flat_regions]
    assert {(region.name, region.size) for _, region in regions} == {("liver", 64)}
    for whole, region in regions:
        window = whole.hu[region.at].astype(float)
        assert window.shape == (region.size, region.size)
        assert window.std() <= 2.0, region
        assert abs(window.mean() - 105) < 3


def test_default_heights_offer_flat_liver_and_flat_lung():
    phantom = torso_phantom(slices=24, size=64, pixel_mm=6.0)
    names = [region.name for region in phantom.flat_regions]
    assert names.count("liver") >= 5
    assert names.count("lung") >= 1


def test_the_lung_region_is_uniform():
    across = (np.arange(64) - 31.5) * 0.75 + 60
    lung = axial_plane(across, 33.0, 0.75)
    x = (across > 62) & (across < 78)
    y = (across > 34) & (across < 50)
    window = lung[np.ix_(y, x)]
    assert window.std() <= 3.0
    assert -880 < window.mean() < -800


def test_anatomy_does_not_depend_on_the_sampling(fine, coarse):
    blocks = fine.hu.reshape(7, 256, 2, 256, 2).mean((2, 4))
    difference = np.abs(blocks - coarse.hu)
    assert {region.size for region in coarse.flat_regions} == {32}
    # Edges of bone and gas differ by the blur of larger pixels; tissue must not.
    assert np.median(difference) <= 1
    assert (difference < 15).mean() > 0.97
    assert [x.centre_mm for x in fine.lesions] == [x.centre_mm for x in coarse.lesions]


def test_invalid_sampling_is_refused():
    with pytest.raises(BadInputError, match="at least one slice"):
        torso_phantom(slices=0)
    with pytest.raises(BadInputError, match="2 x 2 pixels"):
        torso_phantom(size=1)
    with pytest.raises(BadInputError, match="above 0 mm"):
        torso_phantom(pixel_mm=-1.0)
