"""The channelised Hotelling observer matches theory."""

import math

import numpy as np
import pytest
from pseudoct_research.image_quality.model_observer import (
    area_under_curve,
    change_interval,
    channel_width_mm,
    laguerre_gauss,
    observer_scores,
    win_shares,
)

PIXEL_MM, SIDE, NOISE_HU = 0.75, 31, 25.0


def normal_share(value):
    return (1 + math.erf(value / math.sqrt(2))) / 2


def disc(diameter_mm, contrast_hu):
    across = (np.arange(SIDE) - SIDE // 2) * PIXEL_MM
    return contrast_hu * (np.hypot(across[:, None], across) <= diameter_mm / 2)


def responses(signal, channels, *, realisations=300, places=4, seed=0):
    rng = np.random.default_rng(seed)
    images = rng.normal(0, NOISE_HU, (2, realisations, places, SIDE, SIDE))
    images[1] += signal
    return np.tensordot(images, channels, axes=([3, 4], [1, 2]))


@pytest.fixture
def channels():
    return laguerre_gauss(channel_width_mm(7.0, 0.5), PIXEL_MM, SIDE)


def test_the_lowest_channel_has_the_variance_of_the_blurred_disc():
    lowest = laguerre_gauss(channel_width_mm(8.0, 0.6), 0.1, 401, count=1)[0]
    across = (np.arange(401) - 200) * 0.1
    variance = (lowest.sum(axis=0) * across**2).sum() / lowest.sum()
    assert variance == pytest.approx(8.0**2 / 16 + 0.6**2, rel=1e-3)


def test_channels_have_unit_energy_and_are_orthogonal(channels):
    products = np.einsum("aij,bij->ab", channels, channels)
    assert products == pytest.approx(np.eye(len(channels)), abs=0.02)


@pytest.mark.parametrize("diameter, contrast", [(3.0, 15.0), (7.0, 5.0), (7.0, 10.0)])
def test_the_auc_in_white_noise_matches_the_hotelling_formula(channels, diameter, contrast):
    signal = disc(diameter, contrast)
    mean = np.tensordot(channels, signal, axes=([1, 2], [0, 1]))
    covariance = NOISE_HU**2 * np.einsum("aij,bij->ab", channels, channels)
    d_prime = math.sqrt(mean @ np.linalg.solve(covariance, mean))
    ideal = math.sqrt((signal**2).sum()) / NOISE_HU
    assert d_prime < ideal
    auc = area_under_curve(win_shares(observer_scores(responses(signal, channels))))
    assert auc == pytest.approx(normal_share(d_prime / math.sqrt(2)), abs=0.025)


def test_a_gaussian_of_channel_width_is_detected_like_by_the_ideal_observer(channels):
    signal = 45 * channels[0]
    auc = area_under_curve(win_shares(observer_scores(responses(signal, channels))))
    assert auc == pytest.approx(normal_share(45 / NOISE_HU / math.sqrt(2)), abs=0.02)


def test_training_and_test_noise_are_independent(channels):
    """Without a signal, the AUC is 0.5 even with few realisations and many channels."""
    areas = [
        area_under_curve(
            win_shares(observer_scores(responses(0, channels, realisations=12, seed=seed)))
        )
        for seed in range(40)
    ]
    assert np.mean(areas) == pytest.approx(0.5, abs=0.03)


def test_ties_count_one_half():
    assert area_under_curve(win_shares(np.zeros((2, 6, 3)))) == 0.5


def test_the_interval_is_zero_without_change_and_negative_for_a_loss(channels):
    noise = responses(disc(7.0, 8.0), channels)
    before = win_shares(observer_scores(noise))
    assert change_interval(before, before) == (0, 0)
    worse = noise + np.random.default_rng(5).normal(0, NOISE_HU, noise.shape)
    after = win_shares(observer_scores(worse))
    change = area_under_curve(after) - area_under_curve(before)
    low, high = change_interval(before, after)
    assert low < change < high < 0
    assert change_interval(before, after) == (low, high)
