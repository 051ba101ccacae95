"""The display window of noise is symmetric and covers nearly all noise."""

import numpy as np
import pytest
from PseudoCTDenoiseLib.ct.display_window import LIMITS_HU, noise_limit

RNG = np.random.default_rng(0)


@pytest.mark.parametrize(("sigma", "limit"), [(3, 10), (6, 20), (15, 50), (20, 100), (1e5, 1000)])
def test_the_limit_is_the_next_round_number_above_three_standard_deviations(sigma, limit):
    assert noise_limit(RNG.normal(0, sigma, (2, 64, 64))) == limit


def test_padding_and_metal_do_not_affect_the_limit():
    noise = np.rint(RNG.normal(0, 6, (64, 64)))
    noise[:32] = 0
    noise[40, :10] = 3000
    assert noise_limit(noise) == 20


def test_the_limit_without_noise_is_the_smallest():
    assert noise_limit(np.zeros((4, 4))) == LIMITS_HU[0]


def test_of_a_long_scan_evenly_spread_voxels_decide():
    """Neither the first slices nor single columns stand for the whole scan."""
    noise = np.zeros((2048, 64, 64), np.int16)  # 8 million voxels
    noise[1024:, :, 32:] = np.rint(RNG.normal(0, 6, (1024, 64, 32)))
    assert noise_limit(noise) == noise_limit(noise[1024:1028]) == 20
