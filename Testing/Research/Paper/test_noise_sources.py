"""Noise sources have the statistics of their definition and independent pixels."""

import numpy as np
import pytest
import torch
from pseudoct_research.paper.noise_sources import (
    DRAWS,
    GaussianNoise,
    HistogramNoise,
    difference_histogram,
)
from PseudoCTDenoiseLib.ct.hounsfield import RANGE_HU
from PseudoCTDenoiseLib.denoising.inference import apply_network
from PseudoCTDenoiseLib.denoising.noise_maps import predict_noise_maps

SLICES = torch.zeros(2, 256, 256)


def skewed_pair():
    """Return differences of 0, 3 and 40 HU in the body with weights 2 : 2 : 1, others in air."""
    ndct = np.zeros((6, 100), np.int16)
    ldct = ndct.copy()
    ldct[:2], ldct[2] = 3, 40
    ndct[5, :50] = ndct[4, :50] = -1000
    ldct[5, :50], ldct[4, :50] = -990, -1024
    return ldct, ndct


def drawn(source, seed=0):
    torch.manual_seed(seed)
    return apply_network(source, SLICES) * RANGE_HU


def test_hist_draws_each_difference_with_its_frequency():
    ldct, ndct = skewed_pair()
    noise = drawn(HistogramNoise(*difference_histogram(ldct, ndct)))
    values, counts = noise.round().unique(return_counts=True)
    assert values.tolist() == [0, 3, 40]
    # Zeros are row 3, half of 4 and half of 5.
    assert (counts / noise.numel()).tolist() == pytest.approx([0.4, 0.4, 0.2], abs=0.005)
    assert (noise - noise.round()).std().item() == pytest.approx(1 / 12**0.5, rel=0.02)


def test_hist_has_mean_deviation_and_shape_of_the_differences():
    rng = np.random.default_rng(0)
    ndct = np.zeros((4, 200, 200), np.int16)
    ldct = np.rint(rng.laplace(2.0, 15.0, ndct.shape)).astype(np.int16)
    noise = drawn(HistogramNoise(*difference_histogram(ldct, ndct))).numpy()
    assert noise.mean() == pytest.approx(ldct.mean(), abs=0.3)
    assert noise.std() == pytest.approx(ldct.std(), rel=0.02)
    marks = [0.01, 0.25, 0.5, 0.75, 0.99]
    assert np.quantile(noise, marks) == pytest.approx(np.quantile(ldct, marks), abs=1.5)


def test_gaussian_noise_has_its_deviation_and_no_skewness():
    noise = drawn(GaussianNoise(82.0)).flatten()
    assert noise.std().item() == pytest.approx(82, rel=0.01)
    assert abs(noise.mean().item()) < 1
    scaled = noise / 82
    assert scaled.pow(3).mean().item() == pytest.approx(0, abs=0.03)
    assert scaled.pow(4).mean().item() == pytest.approx(3, abs=0.06)


@pytest.mark.parametrize(
    "make",
    [lambda: HistogramNoise(*difference_histogram(*skewed_pair())), lambda: GaussianNoise(5)],
)
def test_pixels_slices_and_draws_are_independent_and_the_seed_repeats_them(make, device):
    source = make()
    torch.manual_seed(3)
    maps = predict_noise_maps([source] * DRAWS, SLICES.to(device))
    assert maps.shape == (DRAWS, *SLICES.shape) and maps.device.type == device.type
    flat = maps.flatten(0, 1).flatten(1)
    between = torch.corrcoef(flat) - torch.eye(len(flat), device=device)
    assert between.abs().max() < 0.03
    right = torch.corrcoef(torch.stack([maps[..., 1:].flatten(), maps[..., :-1].flatten()]))
    assert right[0, 1].abs() < 0.01
    torch.manual_seed(3)
    assert torch.equal(maps, predict_noise_maps([source] * DRAWS, SLICES.to(device)))
