"""The axis from one axial slice to the next is found, or it is said that it cannot be."""

import math

import pytest
from PseudoCTDenoiseLib.ct.orientation import MAX_TILT_DEGREES, axial_axis, tilt_degrees


@pytest.mark.parametrize("axis", [0, 1, 2])
@pytest.mark.parametrize("sign", [1, -1])
def test_it_is_the_axis_along_the_patient_whichever_way_it_points(axis: int, sign: int):
    superior = [0.0, 0.0, 0.0]
    superior[axis] = float(sign)
    assert axial_axis((8, 8, 8), superior) == axis


def test_a_single_slice_is_its_own_plane_however_it_lies():
    assert axial_axis((64, 1, 64), (0.7, 0.0, 0.7)) == 1


@pytest.mark.parametrize(("beyond", "axis"), [(-1, 2), (1, None)])
def test_a_tilted_gantry_is_told_and_a_reformat_is_not(beyond: int, axis: int | None):
    tilt = math.radians(MAX_TILT_DEGREES + beyond)
    superior = (0.0, math.sin(tilt), math.cos(tilt))
    assert axial_axis((8, 8, 8), superior) == axis
    assert tilt_degrees(superior) == pytest.approx(MAX_TILT_DEGREES + beyond)
