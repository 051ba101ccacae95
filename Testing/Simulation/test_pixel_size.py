"""Noise is simulated with a pixel size that a CT can have."""

import pytest
from PseudoCTDenoiseLib.simulation.pixel_size import pixel_size_warning, simulated_pixel_mm


@pytest.mark.parametrize("pixel_mm", [0.1, 0.3, 0.976, 5.0])
def test_the_pixel_size_of_a_ct_is_used(pixel_mm):
    assert simulated_pixel_mm(pixel_mm) == pixel_mm
    assert pixel_size_warning(pixel_mm) is None


@pytest.mark.parametrize(("pixel_mm", "used"), [(1e-9, 0.1), (0.0999, 0.1), (5.01, 5), (1e6, 5)])
def test_another_size_is_limited_with_a_warning(pixel_mm, used):
    assert simulated_pixel_mm(pixel_mm) == used
    text = pixel_size_warning(pixel_mm, "scan")
    assert (
        text.startswith(f"scan has pixels of {pixel_mm:g} mm") and f"pixels of {used:g} mm" in text
    )
