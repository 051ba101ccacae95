"""The target's share of the noise: the best guess leaves what was chosen, at every dose."""

import numpy as np
import pytest
from PseudoCTDenoiseLib.denoising.target_noise import NOISE_LEFT, target_share


@pytest.mark.parametrize("noise_left", [0.0, 0.25, 0.5])
@pytest.mark.parametrize("dose", [0.05, 0.25, 0.6])
def test_the_best_guess_of_the_target_keeps_that_share_of_all_noise(dose, noise_left):
    rng = np.random.default_rng(0)
    own = rng.normal(0, 1, 200_000)
    added = rng.normal(0, np.sqrt(1 / dose - 1), own.shape)
    target = own + target_share(dose, noise_left) * added
    noise = own + added
    assert (target @ noise) / (noise @ noise) == pytest.approx(noise_left, abs=0.01)


def test_at_the_dose_that_is_left_the_target_is_the_scan():
    assert target_share(NOISE_LEFT) == 0
