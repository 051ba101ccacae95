"""What lies at −1024 HU, and what noise that is cut off there does to the mean."""

import pytest
import torch
from PseudoCTDenoiseLib.denoising.clipping import (
    box_mean,
    cut_off_chance,
    cut_off_mean,
    cut_off_share,
    padding,
)


def test_the_share_is_one_in_padding_none_in_tissue_and_half_at_their_border():
    hu = torch.full((2, 80, 80), 40.0)
    hu[1, :, :40] = -1024
    share = cut_off_share(hu)
    assert (share[0] == 0).all()
    assert torch.allclose(share[1, :, :20], torch.tensor(1.0), atol=1e-5)
    assert torch.allclose(share[1, :, 60:], torch.tensor(0.0), atol=1e-5)
    assert torch.allclose(share[1, :, 39:41].mean(), torch.tensor(0.5), atol=1e-5)
    assert (share[1, :, 1:] <= share[1, :, :-1] + 1e-6).all()


def test_of_noise_around_the_scales_end_half_is_cut_off():
    noise = torch.randn(1, 128, 128, generator=torch.Generator().manual_seed(0)) * 30
    share = cut_off_share((noise - 1024).clamp(min=-1024))
    assert share.mean() == pytest.approx(0.5, abs=0.01)
    assert share.min() > 0.3 and share.max() < 0.7


@pytest.mark.parametrize("shown_hu", [-1070.0, -1024.0, -1010.0, -1000.0, -960.0, 40.0])
def test_chance_and_mean_of_cut_off_noise_are_known(shown_hu):
    noise = 30 * torch.randn(1_000_000, generator=torch.Generator().manual_seed(0))
    seen = shown_hu + noise
    shown, deviation = torch.tensor(shown_hu), torch.tensor(30.0)
    true = (seen < -1024).float().mean()
    assert float(cut_off_chance(shown, deviation)) == pytest.approx(float(true), abs=2e-3)
    true = seen.clamp(min=-1024).mean() - max(shown_hu, -1024)
    assert float(cut_off_mean(shown, deviation)) == pytest.approx(float(true), abs=0.1)


def test_without_noise_nothing_above_the_end_is_cut_off():
    shown, nothing = torch.tensor([-1023.0, -1000.0, 40.0]), torch.zeros(3)
    assert (cut_off_chance(shown, nothing) == 0).all()
    assert (cut_off_mean(shown, nothing) == 0).all()


def test_padding_is_told_from_noise_around_the_scales_end():
    air = 30 * torch.randn(2, 100, 140, generator=torch.Generator().manual_seed(0)) - 1024
    air = air.clamp(min=-1024)
    assert not padding(air).any()
    air[1, 20:60, 30:90] = -1024
    air[1, 80:90] = -3024  # thinner than the window
    found = padding(air)
    assert not found[0].any() and found[1, 20:60, 30:90].all()
    assert found[1].sum() < 1.1 * 40 * 60
    assert padding(torch.full((1, 9, 4), -3024.0)).all()


@pytest.mark.parametrize("shape", [(1, 1, 1), (2, 1, 40), (1, 9, 4), (3, 100, 37)])
def test_a_uniform_image_is_its_own_mean(shape):
    mean = box_mean(torch.full(shape, 7.0))
    assert mean.shape == shape and torch.allclose(mean, torch.tensor(7.0))


def test_the_mean_reaches_fourteen_pixels_along_rows_and_columns():
    image = torch.zeros(1, 64, 80)
    image[0, 32, 40] = 1
    around = torch.zeros(64, 80, dtype=torch.bool)
    around[18:47, 26:55] = True
    assert torch.equal(box_mean(image)[0] > 1e-8, around)
    assert box_mean(image).sum() == pytest.approx(1, abs=1e-5)
