"""Noise that neighbouring slices have in common: measured on a scan, and given to drawn noise."""

import numpy as np
import pytest
from PseudoCTDenoiseLib.simulation.slice_correlation import (
    REACH,
    correlated_slices,
    slice_correlation,
    slice_weights,
)

THIN = (0.7, 0.25, 0.05)


def noise(slices, side=96, correlation=(), hu=20.0):
    """Return noise of this correlation between slices, (slices, side, side)."""
    drawn = np.random.default_rng(0).normal(0, hu, (slices, side, side))
    return np.array(list(correlated_slices(drawn, slice_weights(correlation))))


@pytest.mark.parametrize("correlation", [(), (0.05,), (0.5, 0.1), THIN])
def test_drawn_noise_has_the_correlation_and_keeps_its_level(correlation):
    drawn = noise(40, correlation=correlation)
    assert drawn.std() == pytest.approx(20, rel=0.02)
    assert drawn[0].std() == pytest.approx(20, rel=0.05)
    assert drawn[-1].std() == pytest.approx(20, rel=0.05)
    for distance, expected in enumerate((*correlation, 0, 0), start=1):
        found = np.mean(drawn[:-distance] * drawn[distance:]) / drawn.var()
        assert found == pytest.approx(expected, abs=0.02)


@pytest.mark.parametrize("slices", range(2 * REACH + 3))
def test_every_slice_gets_noise(slices):
    assert len(list(correlated_slices(np.ones((slices, 2, 2)), slice_weights(THIN)))) == slices


def test_noise_without_correlation_stays_as_it_is():
    drawn = np.random.default_rng(0).normal(size=(5, 4, 4)).astype(np.float32)
    assert np.array_equal(list(correlated_slices(drawn, slice_weights(()))), drawn)


@pytest.mark.parametrize("correlation", [(0.0, 0.0, 0.0), THIN])
def test_the_correlation_of_a_scan_is_measured_beside_its_anatomy(correlation):
    anatomy = 50 + 8 * np.sin(np.arange(96) / 5)  # the same in all slices
    measured = slice_correlation(anatomy + noise(8, correlation=correlation))
    assert measured == pytest.approx(correlation, abs=0.1)


def test_what_cannot_be_measured_counts_as_independent():
    assert slice_correlation(noise(1)) == [0.0] * REACH
    assert slice_correlation(noise(4) - 900) == [0.0] * REACH  # no soft tissue
    two = slice_correlation(50 + noise(2, correlation=THIN))
    assert two[0] == pytest.approx(0.7, abs=0.1) and two[1:] == [0.0, 0.0]
    assert slice_correlation(np.full((3, 40, 40), 50)) == [0.0] * REACH  # no noise
