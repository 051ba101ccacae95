"""Clipping at −1024 HU: where a scan is clipped, and the bias of clipped noise."""

import numpy as np
import pytest
import torch
from PseudoCTDenoiseLib.denoising.clipping import (
    clipped_fraction,
    clipping_bias,
    clipping_probability,
    padding,
    unmeasured,
)


def test_the_clipped_fraction_is_1_in_padding_0_in_tissue_and_half_at_the_border():
    hu = torch.full((2, 80, 80), 40.0)
    hu[1, :, :40] = -1024
    share = clipped_fraction(hu)
    assert (share[0] == 0).all()
    assert torch.allclose(share[1, :, :20], torch.tensor(1.0), atol=1e-5)
    assert torch.allclose(share[1, :, 60:], torch.tensor(0.0), atol=1e-5)
    assert torch.allclose(share[1, :, 39:41].mean(), torch.tensor(0.5), atol=1e-5)
    assert (share[1, :, 1:] <= share[1, :, :-1] + 1e-6).all()


def test_half_of_the_noise_around_the_lower_limit_is_clipped():
    noise = torch.randn(1, 128, 128, generator=torch.Generator().manual_seed(0)) * 30
    share = clipped_fraction((noise - 1024).clamp(min=-1024))
    assert share.mean() == pytest.approx(0.5, abs=0.01)
    assert share.min() > 0.3 and share.max() < 0.7


@pytest.mark.parametrize("signal_hu", [-1070.0, -1024.0, -1010.0, -1000.0, -960.0, 40.0])
def test_probability_and_bias_of_clipping_are_those_of_gaussian_noise(signal_hu):
    noise = 30 * torch.randn(1_000_000, generator=torch.Generator().manual_seed(0))
    noisy = signal_hu + noise
    signal, deviation = torch.tensor(signal_hu), torch.tensor(30.0)
    true = (noisy < -1024).float().mean()
    assert float(clipping_probability(signal, deviation)) == pytest.approx(float(true), abs=2e-3)
    true = noisy.clamp(min=-1024).mean() - max(signal_hu, -1024)
    assert float(clipping_bias(signal, deviation)) == pytest.approx(float(true), abs=0.1)


def test_without_noise_nothing_above_the_limit_is_clipped():
    signal, no_noise = torch.tensor([-1023.0, -1000.0, 40.0]), torch.zeros(3)
    assert (clipping_probability(signal, no_noise) == 0).all()
    assert (clipping_bias(signal, no_noise) == 0).all()


def test_padding_is_distinguished_from_noise_around_the_limit():
    air = 30 * torch.randn(2, 100, 140, generator=torch.Generator().manual_seed(0)) - 1024
    air = air.clamp(min=-1024)
    assert not padding(air).any()
    air[1, 20:60, 30:90] = -1024
    air[1, 80:90] = -3024  # thinner than the window
    found = padding(air)
    assert not found[0].any() and found[1, 20:60, 30:90].all()
    assert found[1].sum() < 1.1 * 40 * 60
    assert padding(torch.full((1, 9, 4), -3024.0)).all()


@pytest.mark.parametrize("deviation", [20, 60, 150])
def test_noise_below_the_limit_is_measured(deviation):
    air = np.random.default_rng(0).normal(-1000, deviation, (128, 128)).round().astype(np.int16)
    assert (air < -1024).mean() > 0.1 and not unmeasured(air).any()


@pytest.mark.parametrize("value", [-1025, -1500, -2048, -32768])
def test_padding_below_the_limit_is_not_measured_to_its_last_voxel(value):
    hu = np.random.default_rng(0).normal(-1000, 20, (128, 128)).round().clip(-1023)
    rows, columns = np.mgrid[-1:1:128j, -1:1:128j]
    outside = rows**2 + columns**2 > 0.9
    hu = np.where(outside, value, hu).astype(np.int16)
    hu[outside & (rows > 0.5) & (columns > 0.5)] = value - (value > -32768)  # interpolated padding
    assert np.array_equal(unmeasured(hu), outside)


def test_noise_beside_padding_is_measured():
    noise = np.random.default_rng(0).normal(-1000, 60, (130, 130))
    hu = (noise[1:-1, 1:-1] + noise[2:, 1:-1] + noise[1:-1, 2:]).round() + 2000  # correlated
    hu[:, :40] = -2048
    assert np.array_equal(unmeasured(hu.astype(np.int16)), hu == -2048)


def test_a_narrow_strip_far_below_the_limit_is_padding():
    hu = np.full((64, 64), 40, np.int16)
    hu[10:12] = -2000
    assert np.array_equal(unmeasured(hu), hu == -2000)
