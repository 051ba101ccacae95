"""SURE compared with the known risk of a linear denoiser."""

import pytest
import torch
from PseudoCTDenoiseLib.denoising.sure import MINIMUM_RELATIVE_RISK, SureEstimate
from PseudoCTDenoiseLib.denoising.target_noise import RESIDUAL_NOISE_FRACTION
from torch import nn

SIGMA_HU = 20.0
WATER = 0.25


class Keeps(nn.Module):
    """Keeps a fraction of the difference from water."""

    def __init__(self, share):
        super().__init__()
        self.share = share

    def forward(self, x):
        return WATER + self.share * (x - WATER)


class Blurs(nn.Module):
    def forward(self, x):
        return nn.functional.avg_pool2d(x, 3, 1, 1)


def white(seed, level=1.0, count=4, size=128):
    generator = torch.Generator().manual_seed(seed)
    return level * SIGMA_HU / 4096 * torch.randn(count, size, size, generator=generator)


def risk_of(level=1.0, offset=WATER):
    return SureEstimate(offset + white(0), white(1, level))


@pytest.mark.parametrize("share", [0.0, 0.1, 0.25, 0.6, 1.0])
def test_the_estimate_is_the_true_risk_of_a_linear_denoiser(share):
    expected = (share - RESIDUAL_NOISE_FRACTION) ** 2 * SIGMA_HU**2
    assert risk_of()(Keeps(share)) == pytest.approx(expected, abs=0.02 * SIGMA_HU**2)


def test_the_estimate_holds_for_a_filter_of_neighbours():
    # The mean of nine pixels keeps a ninth of the variance and a ninth of each pixel's noise.
    expected = (1 / 9 - 2 * RESIDUAL_NOISE_FRACTION / 9 + RESIDUAL_NOISE_FRACTION**2) * SIGMA_HU**2
    assert risk_of()(Blurs()) == pytest.approx(expected, abs=0.02 * SIGMA_HU**2)


class SoftThreshold(nn.Module):
    """Reduces the difference from water by a fixed step (soft threshold)."""

    def __init__(self, step):
        super().__init__()
        self.step = step

    def forward(self, x):
        return WATER + nn.functional.softshrink(x - WATER, self.step)


def test_the_estimate_holds_for_a_nonlinear_denoiser():
    step = 0.5 * SIGMA_HU / 4096
    risk = risk_of()
    noise = risk.slices - WATER
    wanted = RESIDUAL_NOISE_FRACTION * noise
    true = float(((SoftThreshold(step)(risk.slices) - WATER - wanted) ** 2).mean()) * 4096**2
    # The derivative is one where the difference exceeds the step.
    assert risk(SoftThreshold(step)) == pytest.approx(true, abs=0.03 * SIGMA_HU**2)


def test_the_lowest_risk_is_at_the_residual_noise_fraction():
    risk = risk_of()
    shares = [0.05, 0.15, 0.25, 0.35, 0.45]
    assert min(shares, key=lambda share: risk(Keeps(share))) == RESIDUAL_NOISE_FRACTION


def test_the_energy_to_be_removed_is_that_of_three_quarters_of_the_noise():
    assert risk_of().removed_energy == pytest.approx((0.75 * SIGMA_HU) ** 2, rel=0.03)


def test_overestimated_noise_is_lowered():
    best = Keeps(RESIDUAL_NOISE_FRACTION)
    assert risk_of(1.2)(best) < 0
    factor = risk_of(1.2).plausible_noise_scale(best)
    assert 1.2 * factor == pytest.approx(0.99, abs=0.02)
    lowered = SureEstimate(WATER + white(0), factor * white(1, 1.2))
    assert lowered(best) == pytest.approx(MINIMUM_RELATIVE_RISK * lowered.removed_energy, abs=2)


def test_plausible_noise_is_not_changed():
    assert risk_of(0.8).plausible_noise_scale(Keeps(RESIDUAL_NOISE_FRACTION)) == 1.0
    assert risk_of().plausible_noise_scale(Keeps(1.0)) == 1.0


def test_air_is_left_out():
    slices, noise = WATER + white(0), white(1)
    risk = SureEstimate(slices, noise)(Keeps(0.6))
    slices[:, :, 64:] = 0.0
    assert SureEstimate(slices, noise)(Keeps(0.6)) == pytest.approx(risk, rel=0.1)
    air_alone = SureEstimate(torch.zeros_like(slices), noise)(Keeps(0.6))
    assert air_alone == air_alone  # not NaN
