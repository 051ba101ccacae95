"""Pixel sizes are the same from every format; pixels that are not square have a warning."""

import numpy as np
import pytest
from PseudoCTDenoiseLib.ct.pixel_spacing import (
    are_square,
    pixel_shape_warning,
    spacing_in_decimals,
    square_pixel_mm,
)
from PseudoCTDenoiseLib.errors import BadInputError


@pytest.mark.parametrize("spacing", [0.7, 0.488281, 0.68359375, 0.9765625, 1.0, 5.0])
def test_single_and_double_precision_give_the_number_in_the_header(spacing):
    assert spacing_in_decimals(spacing) == spacing
    assert spacing_in_decimals(float(np.float32(spacing))) == spacing
    assert spacing_in_decimals(np.nextafter(spacing, 0)) == spacing  # spacing times direction


@pytest.mark.parametrize("sides", [(0.7, 0.7), (0.7, 0.7001), (0.7, 0.694)])
def test_square_pixels_need_no_warning(sides):
    assert are_square(sides) and pixel_shape_warning(sides) is None
    assert square_pixel_mm(sides, "A scan") == sides[0]


@pytest.mark.parametrize("sides", [(0.7, 1.4), (1.4, 0.7), (0.7, 0.72)])
def test_other_pixels_have_a_warning_with_their_sides(sides):
    rows, columns = sides
    assert not are_square(sides)
    assert f"A scan has pixels of {columns:g}×{rows:g} mm" in pixel_shape_warning(sides, "A scan")
    with pytest.raises(BadInputError, match=f"A scan has pixels of {columns:g} x {rows:g} mm"):
        square_pixel_mm(sides, "A scan")
