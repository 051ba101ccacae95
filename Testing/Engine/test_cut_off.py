"""How much of a scan lies at −1024 HU, around each voxel."""

import numpy as np
import pytest
import torch
from PseudoCTDenoiseLib.engine.cut_off import box_mean, cut_off_mean, cut_off_share


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


@pytest.mark.parametrize("shown_hu", [-1024.0, -1010.0, -1000.0, -960.0, 40.0])
def test_the_mean_of_cut_off_noise_is_known(shown_hu):
    noise = 30 * torch.randn(1_000_000, generator=torch.Generator().manual_seed(0))
    true = (shown_hu + noise).clamp(min=-1024).mean() - shown_hu
    raised = cut_off_mean(torch.tensor(shown_hu), torch.tensor(30.0))
    assert float(raised) == pytest.approx(float(true), abs=0.1)
    assert raised >= 0 and (raised < 1e-3) == (shown_hu > 0)


def test_without_noise_nothing_is_added_and_below_the_end_no_more_than_at_it():
    shown = torch.tensor([-1024.0, -1000.0, 40.0])
    assert (cut_off_mean(shown, torch.zeros(3)) < 1e-6).all()
    at_it, below = cut_off_mean(torch.tensor([-1024.0, -3024.0]), torch.tensor([30.0, 30.0]))
    assert at_it == below == pytest.approx(30 / np.sqrt(2 * np.pi), rel=1e-4)


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
