"""The risk without a reference, held against the one that a linear denoiser is known to have."""

import pytest
import torch
from PseudoCTDenoiseLib.denoising.sure import LEAST_RISK, ScanRisk
from PseudoCTDenoiseLib.denoising.target_noise import NOISE_LEFT
from torch import nn

SIGMA_HU = 20.0
WATER = 0.25


class Keeps(nn.Module):
    """Leaves a share of what differs from water."""

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
    return ScanRisk(offset + white(0), white(1, level))


@pytest.mark.parametrize("share", [0.0, 0.1, 0.25, 0.6, 1.0])
def test_the_risk_of_a_linear_denoiser_is_the_one_on_paper(share):
    expected = (share - NOISE_LEFT) ** 2 * SIGMA_HU**2
    assert risk_of()(Keeps(share)) == pytest.approx(expected, abs=0.02 * SIGMA_HU**2)


def test_noise_of_any_texture_is_no_different():
    # A mean of nine keeps a ninth of the variance and, at the pixel itself, of the noise.
    expected = (1 / 9 - 2 * NOISE_LEFT / 9 + NOISE_LEFT**2) * SIGMA_HU**2
    assert risk_of()(Blurs()) == pytest.approx(expected, abs=0.02 * SIGMA_HU**2)


class Cuts(nn.Module):
    """Pulls what differs from water towards it by a fixed step."""

    def __init__(self, step):
        super().__init__()
        self.step = step

    def forward(self, x):
        return WATER + nn.functional.softshrink(x - WATER, self.step)


def test_a_denoiser_that_is_not_linear_is_judged_by_its_own_slope():
    step = 0.5 * SIGMA_HU / 4096
    risk = risk_of()
    noise = risk.slices - WATER
    wanted = NOISE_LEFT * noise
    true = float(((Cuts(step)(risk.slices) - WATER - wanted) ** 2).mean()) * 4096**2
    # The slope is one where the step does not reach zero.
    assert risk(Cuts(step)) == pytest.approx(true, abs=0.03 * SIGMA_HU**2)


def test_the_best_share_is_found_without_a_reference():
    risk = risk_of()
    shares = [0.05, 0.15, 0.25, 0.35, 0.45]
    assert min(shares, key=lambda share: risk(Keeps(share))) == NOISE_LEFT


def test_what_is_to_be_removed_is_all_noise_but_the_share_that_is_left():
    assert risk_of().removed_energy == pytest.approx((0.75 * SIGMA_HU) ** 2, rel=0.03)


def test_noise_that_was_judged_too_strong_is_lowered():
    best = Keeps(NOISE_LEFT)
    assert risk_of(1.2)(best) < 0
    factor = risk_of(1.2).believable_level(best)
    assert 1.2 * factor == pytest.approx(0.99, abs=0.02)
    mended = ScanRisk(WATER + white(0), factor * white(1, 1.2))
    assert mended(best) == pytest.approx(LEAST_RISK * mended.removed_energy, abs=2)


def test_noise_that_is_believable_stays_as_it_is():
    assert risk_of(0.8).believable_level(Keeps(NOISE_LEFT)) == 1.0
    assert risk_of().believable_level(Keeps(1.0)) == 1.0


def test_air_does_not_count():
    slices, noise = WATER + white(0), white(1)
    risk = ScanRisk(slices, noise)(Keeps(0.6))
    slices[:, :, 64:] = 0.0
    assert ScanRisk(slices, noise)(Keeps(0.6)) == pytest.approx(risk, rel=0.1)
    nothing_but_air = ScanRisk(torch.zeros_like(slices), noise)(Keeps(0.6))
    assert nothing_but_air == nothing_but_air  # a number
