"""Pixel sizes do not depend on the format of the file."""

import numpy as np
import pytest
from PseudoCTDenoiseLib.ct.pixel_spacing import spacing_in_decimals


@pytest.mark.parametrize("spacing", [0.7, 0.488281, 0.68359375, 0.9765625, 1.0, 5.0])
def test_single_and_double_precision_give_the_number_in_the_header(spacing):
    assert spacing_in_decimals(spacing) == spacing
    assert spacing_in_decimals(float(np.float32(spacing))) == spacing
    assert spacing_in_decimals(np.nextafter(spacing, 0)) == spacing  # spacing times direction
