"""Selection of representative slices and image regions."""

from __future__ import annotations

import numpy as np
import pytest
from PseudoCTDenoiseLib.ct.slice_selection import (
    evenly_spaced_slices,
    most_informative_slice,
    organ_box,
    tissue_share,
)


def air(slices, size=20):
    return np.full((slices, size, size), -1000, np.int16)


def test_the_tissue_share_is_that_of_the_pixels_above_lung():
    hu = air(3)
    hu[1, :10] = -499
    hu[2] = 50
    hu[0, :10] = -500
    assert tissue_share(hu).tolist() == [0, 0.5, 1]


def test_padding_of_one_value_is_not_tissue():
    hu = np.random.default_rng(0).normal(40, 20, (3, 40, 40)).astype(np.int16)
    hu[0], hu[1, :20] = 0, 0
    assert tissue_share(hu).tolist() == [0, 0.5, 1]
    assert evenly_spaced_slices(hu, 3) == [1, 2]


def test_slices_are_evenly_spaced_over_the_body():
    hu = air(14)
    hu[2:12] = 50
    assert evenly_spaced_slices(hu, 5) == [3, 5, 7, 9, 11]
    assert evenly_spaced_slices(hu, 2) == [4, 9]
    assert evenly_spaced_slices(hu, 1) == [7]


def test_the_slices_are_distinct_and_within_the_body():
    hu = air(14)
    hu[2:12] = 50
    for count in range(1, 20):
        chosen = evenly_spaced_slices(hu, count)
        assert len(chosen) == len(set(chosen)) == min(count, 10)
        assert set(chosen) <= set(range(2, 12))
        assert all(type(index) is int for index in chosen)


def test_all_slices_count_in_a_scan_without_a_body():
    assert evenly_spaced_slices(air(4), 2) == [1, 3]
    assert evenly_spaced_slices(air(1), 8) == [0]


def test_the_most_informative_slice_shows_the_most_organs_not_the_most_bone():
    hu = air(4)
    hu[0, :5] = 50
    hu[1] = 1000
    hu[2, :10] = 20
    hu[3, :9] = 180
    assert most_informative_slice(hu) == 2
    assert most_informative_slice(air(3)) == 0


@pytest.mark.parametrize("rows, columns", [(1, 1), (3, 5), (12, 10)])
def test_the_box_holds_more_organ_than_any_other(rows, columns):
    hu = np.random.default_rng(0).integers(-100, 300, (12, 10)).astype(np.int16)
    counts = {
        (top, left): int(
            (
                (hu[top : top + rows, left : left + columns] >= 20)
                & (hu[top : top + rows, left : left + columns] <= 180)
            ).sum()
        )
        for top in range(12 - rows + 1)
        for left in range(10 - columns + 1)
    }
    assert counts[organ_box(hu, rows, columns)] == max(counts.values())


def test_the_box_is_given_by_its_top_row_and_left_column():
    hu = air(1, 30)[0]
    hu[4:9, 17:24] = 40
    assert organ_box(hu, 5, 7) == (4, 17)
