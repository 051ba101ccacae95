"""The target's fraction of the noise makes the optimal denoiser leave the chosen fraction."""

import numpy as np
import pytest
from PseudoCTDenoiseLib.denoising.target_noise import RESIDUAL_NOISE_FRACTION, target_noise_fraction


@pytest.mark.parametrize("residual", [0.0, 0.25, 0.5])
@pytest.mark.parametrize("dose", [0.05, 0.25, 0.6])
def test_the_optimal_estimate_leaves_the_chosen_fraction_at_every_dose(dose, residual):
    rng = np.random.default_rng(0)
    own = rng.normal(0, 1, 200_000)
    added = rng.normal(0, np.sqrt(1 / dose - 1), own.shape)
    target = own + target_noise_fraction(dose, residual) * added
    noise = own + added
    assert (target @ noise) / (noise @ noise) == pytest.approx(residual, abs=0.01)


def test_at_a_dose_equal_to_the_fraction_the_target_is_the_scan():
    assert target_noise_fraction(RESIDUAL_NOISE_FRACTION) == 0
