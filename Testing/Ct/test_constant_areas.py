"""Areas of one exact value are padding; noise, clipped air and saturated metal are not."""

import numpy as np
import pytest
from PseudoCTDenoiseLib.ct.constant_areas import (
    constant_areas,
    surrounding_padding,
    tissue_padding,
)


def noisy(shape=(96, 128), level=50.0, noise=20.0):
    return np.random.default_rng(0).normal(level, noise, shape).round().clip(-1024)


@pytest.mark.parametrize("value", [-1000, 0, 40, 3071, 32767])
@pytest.mark.parametrize("dtype", [np.int16, np.float32])
def test_all_of_a_round_field_of_view_is_surrounded_by_padding(value, dtype):
    y, x = np.mgrid[-1:1:96j, -1:1:128j]
    outside = x**2 + y**2 > 1
    hu = np.where(outside, value, noisy()).astype(dtype)
    found = constant_areas(hu)
    assert found[outside].all()
    assert found[~outside].mean() < 0.01  # neighbours that have the value by chance


def test_padding_inside_the_image_and_in_a_narrow_border_counts():
    hu = noisy()
    inside, border = np.s_[30:39, 40:49], np.s_[:, :5]
    hu[inside] = hu[border] = 0
    found = constant_areas(hu)
    assert found[inside].all() and found[border].all()
    assert found.sum() < 1.05 * (81 + 5 * 96)


def test_a_smaller_area_is_tissue():
    hu = noisy()
    hu[30:38, 40:49] = hu[:, :4] = 0
    assert not constant_areas(hu).any()


@pytest.mark.parametrize("noise", [1, 5, 30])
def test_noise_has_no_constant_areas_even_where_it_is_clipped(noise):
    assert not constant_areas(noisy((256, 256), 50, noise)).any()
    assert not constant_areas(noisy((256, 256), -1024, noise)).any()


@pytest.mark.parametrize("shape", [(1, 1), (1, 40), (9, 4)])
def test_a_small_image_of_one_value_is_one_area(shape):
    assert constant_areas(np.zeros(shape)).all()


def test_air_saturated_metal_and_tissue_without_noise_are_not_padding_of_tissue():
    hu = noisy()
    hu[:20], hu[20:40], hu[60:80] = -1000, 3071, 0
    assert constant_areas(hu)[:40].all()
    expected = np.zeros(hu.shape, bool)
    expected[60:80] = True
    assert (tissue_padding(hu) & ~expected).sum() < 5 and tissue_padding(hu)[expected].all()
    assert not tissue_padding(np.where(np.arange(128) < 50, 40.0, 60.0 + 0 * hu)).any()


def test_only_padding_at_the_edge_of_the_image_surrounds_the_body():
    hu = noisy()
    hu[hu == 0] = 1
    hu[:20] = hu[40:60, 40:60] = 0
    assert tissue_padding(hu)[40:60, 40:60].all()
    expected = np.zeros(hu.shape, bool)
    expected[:20] = True
    assert np.array_equal(surrounding_padding(hu), expected)


def places(length):
    """Return first pixels of an area at both edges, and at every offset of blocks of 3 pixels."""
    return [*range(-4, 5), *range(length - 13, length - 4)]


@pytest.mark.parametrize("shape", [(30, 31), (31, 32), (32, 30)])
def test_an_area_is_found_wherever_it_lies(shape):
    hu = noisy(shape)
    rows, columns = shape
    for top in places(rows):
        for left in places(columns):
            image = hu.copy()
            area = np.s_[max(top, 0) : top + 9, max(left, 0) : left + 9]
            image[area] = 7
            assert constant_areas(image)[area].all(), (top, left)


def test_ragged_padding_of_the_lowest_value_but_one_counts_to_its_last_pixel():
    hu = noisy((200, 200))
    rows, columns = np.mgrid[:200, :200]
    wedge = columns < 8 + 0.03 * rows
    hu[wedge], hu[:, 190:] = 0, -1000
    assert np.array_equal(constant_areas(hu) & wedge, wedge)


def test_noise_beside_padding_of_the_value_at_which_it_is_cut_is_not_padding():
    noise = np.random.default_rng(0).normal(-1005, 12, (160, 160)).clip(-1000).round()
    noise[:, :40] = -1000
    found = constant_areas(noise)
    assert found[:, :40].all() and not found[:, 49:].any()
