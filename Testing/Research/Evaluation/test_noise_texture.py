"""Shape of the spectrum and autocorrelation describe the noise texture."""

import numpy as np
import pytest
from pseudoct_research.evaluation.noise_texture import (
    autocorrelation,
    normalised_spectrum,
    radial_mean_frequency,
)


def test_a_normalised_spectrum_sums_to_one_and_keeps_its_mean_frequency():
    frequency, power = np.array([1.0, 2.0, 3.0]), np.array([2.0, 4.0, 2.0])
    assert normalised_spectrum(power) == pytest.approx([0.25, 0.5, 0.25])
    assert radial_mean_frequency(frequency, power) == 2


def test_autocorrelation_distinguishes_columns_from_rows():
    windows = np.broadcast_to(np.where(np.arange(16) % 2, 1.0, -1.0), (3, 16, 16)) + 40
    assert autocorrelation(windows) == pytest.approx(
        {"x1": -1, "x2": 1, "x3": -1, "y1": 1, "y2": 1, "y3": 1}
    )


def test_autocorrelation_of_a_moving_average_falls_in_thirds():
    white = np.random.default_rng(9).normal(0, 20, (300, 64, 66))
    windows = (white[:, :, :-2] + white[:, :, 1:-1] + white[:, :, 2:]) / 3
    found = autocorrelation(windows)
    expected = {"x1": 2 / 3, "x2": 1 / 3, "x3": 0, "y1": 0, "y2": 0, "y3": 0}
    assert found == pytest.approx(expected, abs=0.01)
