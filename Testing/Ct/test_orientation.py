"""The slice axis is detected, or reported as ambiguous."""

import math

import numpy as np
import pytest
from PseudoCTDenoiseLib.ct.orientation import (
    MAX_TILT_DEGREES,
    as_viewed,
    axial_axis,
    tilt_degrees,
)


@pytest.mark.parametrize("axis", [0, 1, 2])
@pytest.mark.parametrize("sign", [1, -1])
def test_the_slice_axis_is_the_axis_along_the_patient_in_either_direction(axis: int, sign: int):
    superior = [0.0, 0.0, 0.0]
    superior[axis] = float(sign)
    assert axial_axis((8, 8, 8), superior) == axis


def test_a_single_slice_determines_the_slice_axis_in_any_direction():
    assert axial_axis((64, 1, 64), (0.7, 0.0, 0.7)) == 1


@pytest.mark.parametrize(("beyond", "axis"), [(-1, 2), (1, None)])
def test_a_tilted_gantry_is_accepted_and_an_oblique_reformat_is_not(beyond: int, axis: int | None):
    tilt = math.radians(MAX_TILT_DEGREES + beyond)
    superior = (0.0, math.sin(tilt), math.cos(tilt))
    assert axial_axis((8, 8, 8), superior) == axis
    assert tilt_degrees(superior) == pytest.approx(MAX_TILT_DEGREES + beyond)


def test_two_voxels_along_an_axis_do_not_determine_the_slice_axis():
    assert axial_axis((64, 2, 64), (0.0, 0.0, 1.0)) == 2


def test_two_axes_of_a_single_voxel_do_not_determine_the_slice_axis():
    assert axial_axis((1, 1, 64), (0.0, 0.0, 1.0)) == 2


def test_a_gantry_tilt_of_30_degrees_is_accepted():
    tilt = math.radians(30)
    assert axial_axis((8, 8, 8), (0.0, math.sin(tilt), -math.cos(tilt))) == 2


def test_rounding_of_a_direction_cosine_above_1_is_tolerated():
    assert tilt_degrees((0.0, 0.0, 1.0 + 1e-12)) == 0


R = math.sqrt(0.5)


@pytest.mark.parametrize(
    ("across", "down", "rows", "columns"),
    [
        ((1, 0, 0), (0, 1, 0), 1, 1),
        ((1, 0, 0), (0, -1, 0), -1, 1),
        ((-1, 0, 0), (0, -1, 0), -1, -1),
        ((-1, 0, 0), (0, -math.cos(0.5), math.sin(0.5)), -1, -1),  # a tilted gantry
        ((-1, 0, 0), (0, 0, -1), 1, 1),  # coronal
        ((0, 0, -1), (-1, 0, 0), 1, 1),  # coronal, turned
        ((-R, -R, 0), (R, -R, 0), 1, 1),  # turned by half a right angle
    ],
)
def test_viewers_show_the_right_on_the_left_side_and_anterior_on_top(across, down, rows, columns):
    hu = np.arange(12).reshape(1, 3, 4)
    assert np.array_equal(as_viewed(hu, across, down), hu[:, ::rows, ::columns])


@pytest.mark.parametrize(("right", "front"), [(1, 1), (-1, 1), (1, -1)])
def test_rows_that_run_from_front_to_back_become_columns(right: int, front: int):
    hu = np.arange(12).reshape(1, 3, 4)
    upright = hu.swapaxes(1, 2)[:, ::front, ::right]
    assert np.array_equal(as_viewed(hu, (0, front, 0), (right, 0, 0)), upright)
