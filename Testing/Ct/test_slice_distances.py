"""Distances between slices are even, or the message says where they change."""

from __future__ import annotations

import numpy as np
import pytest
from PseudoCTDenoiseLib.ct.slice_distances import uneven_warning, unevenness


@pytest.mark.parametrize(
    "offsets", [[0, 2.5, 5], [10, 12.6, 15.1], [0, 0.67, 1.33, 2.0], [0.0, 4.0]]
)
def test_even_distances_and_rounded_ones_are_even(offsets):
    assert unevenness(offsets) == ""


def test_a_distance_that_is_more_than_a_tenth_too_long_is_uneven():
    assert unevenness([0, 2.5, 5, 7.5, 10.2]) == ""
    assert "2.8 mm after slice 4" in unevenness([0, 2.5, 5, 7.5, 10.3])


def test_the_first_places_are_named_and_the_others_counted():
    offsets = np.cumsum([0, 2, 5, 2, 2, 4, 2, 2, 6, 2, 8, 2, 2])
    assert unevenness(offsets) == (
        "distances from 2 to 8 mm: 5 mm after slice 2, 4 mm after slice 5, 6 mm after slice 8 and "
        "1 more"
    )


def test_places_are_also_named_as_the_files_name_them():
    labels = ["Instance Number 9", "Instance Number 8", "", "Instance Number 6"]
    assert "5 mm after slice 2 (Instance Number 8)" in unevenness([0, 2, 7, 9], labels)
    warning = uneven_warning([0, 2, 4, 9, 11], [*labels[:2], "", "x"], positions_kept=True)
    assert "5 mm after slice 3)" in warning


def test_a_slow_change_of_the_distances_is_noticed():
    offsets = np.cumsum([0] + 12 * [2.5] + 12 * [2.72])
    assert "change along the scan, so that one slice would lie 1.32 mm off" in unevenness(offsets)


def test_the_warning_says_how_far_slices_lie_from_their_place():
    offsets = [0, 2.5, 5, 10, 12.5]
    assert "lie up to 2.5 mm from their true place" in uneven_warning(offsets, positions_kept=False)
    assert uneven_warning(offsets, positions_kept=True).endswith("Each slice keeps its position.")
