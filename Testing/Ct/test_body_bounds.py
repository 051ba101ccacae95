"""The bounds of the body leave out air and table."""

import numpy as np
import pytest
from PseudoCTDenoiseLib.ct.body_bounds import body_bounds


def scan(shape, body):
    """Air, a table below the body, and a body in the given slices of the array."""
    hu = np.full(shape, -1000, np.int16)
    hu[:, -4:-2] = 100
    hu[body] = 40
    return hu


@pytest.mark.parametrize(("size", "tolerance"), [(100, 1), (512, 4)])
def test_the_bounds_are_those_of_the_body(size, tolerance):
    rows, columns = slice(size // 4, size // 2), slice(size // 10, 9 * size // 10)
    bounds = body_bounds(scan((40, size, size), np.s_[:, rows, columns]))
    expected = [(0, 39), (rows.start, rows.stop - 1), (columns.start, columns.stop - 1)]
    assert bounds[0].tolist() == [0, 39]
    assert np.abs(bounds - expected).max() <= tolerance
    outwards = (bounds - expected) * [-1, 1]
    assert outwards.min() >= 0  # no part of the body is left out


def test_slices_without_a_body_are_left_out():
    low, high = body_bounds(scan((200, 60, 60), np.s_[100:150, 10:40, 10:40]))[0]
    assert 75 <= low <= 100 and 149 <= high <= 175


def test_without_a_body_the_bounds_are_those_of_the_scan():
    hu = np.full((3, 50, 60), -1000, np.int16)
    assert body_bounds(hu).tolist() == [[0, 2], [0, 49], [0, 59]]
