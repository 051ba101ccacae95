"""Elliptical inserts in training patches: area, contrast, blur, and presence in the target."""

import math

import numpy as np
import pytest
import torch
from pseudoct_research.training import inserts
from pseudoct_research.training.inserts import draw_inserts, ellipse
from pseudoct_research.training.kernel_stacks import StackedKernels
from pseudoct_research.training.training_domain import TrainingDomain
from pseudoct_research.training.training_pairs import NoisySlice, draw_patches
from PseudoCTDenoiseLib.denoising.patches import Augmentation
from PseudoCTDenoiseLib.simulation.reconstruction_kernels import SHARP, SOFT


def one_ellipse(centre, axes, angle):
    centre, axes = torch.tensor([centre, axes])[..., None, None]
    return ellipse(40, centre, axes, torch.tensor(angle))


@pytest.mark.parametrize("axes", [(10.0, 10.0), (12.0, 7.0), (3.0, 2.0)])
@pytest.mark.parametrize("angle", [0.0, 0.6, 2.5])
def test_an_ellipse_has_the_expected_area_and_centre(axes, angle):
    covered = one_ellipse((19.3, 21.6), axes, angle)
    assert covered.min() == 0 and covered.max() == 1
    assert float(covered.sum()) == pytest.approx(math.pi * axes[0] * axes[1], rel=0.03)
    place = torch.arange(40) + 0.5
    down = float((covered.sum(1) * place).sum() / covered.sum())
    along = float((covered.sum(0) * place).sum() / covered.sum())
    assert (down, along) == pytest.approx((19.3, 21.6), abs=0.05)


def test_the_angle_is_between_the_first_axis_and_the_rows():
    lying = one_ellipse((20.0, 20.0), (4.0, 12.0), 0.0)
    assert lying[20].sum() == pytest.approx(24, abs=0.5)
    assert lying[:, 20].sum() == pytest.approx(8, abs=0.5)
    standing = one_ellipse((20.0, 20.0), (12.0, 4.0), math.pi / 2)
    assert torch.allclose(lying, standing, atol=1e-4)


def inserts_of(size, kernels, rng):
    pixel_mm = torch.full((len(kernels), 1, 1), 0.7)
    return draw_inserts(size, pixel_mm, StackedKernels(kernels), rng)


def one_disc(monkeypatch, kernel, hu=100.0, diameter=12.0):
    monkeypatch.setattr(inserts, "MOST_INSERTS", 1)
    monkeypatch.setattr(inserts, "DIAMETER_MM", (diameter, diameter))
    monkeypatch.setattr(inserts, "AXIS_RATIO", (1.0, 1.0))
    monkeypatch.setattr(inserts, "CONTRAST_HU", (hu, hu))
    images = inserts_of(128, 8 * [kernel], np.random.default_rng(0))
    return images[images.sum((1, 2)).abs().argmax()]  # an insert that the border does not crop


def test_an_insert_has_its_contrast_and_the_blur_of_the_kernel(monkeypatch):
    soft, sharp = (one_disc(monkeypatch, kernel) for kernel in (SOFT, SHARP))
    for image in (soft, sharp):
        area = math.pi * 6**2 / 0.7**2
        assert float(image.sum().abs()) == pytest.approx(100 * area, rel=0.02)
    steepest = [float(image.diff(dim=1).abs().max()) for image in (soft, sharp)]
    assert steepest[1] > 1.3 * steepest[0]


def test_inserts_are_bright_and_dark_small_and_large():
    rng = np.random.default_rng(0)
    images = inserts_of(96, 200 * [SOFT], rng)
    bright = images.amax((1, 2)) > -images.amin((1, 2))
    assert 70 < int(bright.sum()) < 130
    covered = (images.abs() > 2).float().mean((1, 2))
    assert covered.min() < 0.02 < 0.15 < covered.max()


def patches(share):
    one = NoisySlice(np.full((64, 64), 50, np.int16), np.full((2, 64, 64), 8.0))
    domain = TrainingDomain(
        (0.25, 0.25), (0, 0), (1, 1), (1, 1), (1, 1), noise_left=None, inserts=share
    )
    still = Augmentation(flips=False, rotations=False)
    drawn = draw_patches([one], 40, 32, np.random.default_rng(0), domain, still)
    return [4096 * patch[:, 0] - 1024 for patch in drawn]


def test_a_share_of_the_patches_has_inserts_and_the_noise_is_unchanged():
    for share, least, most in ((None, 0, 0), (0.5, 5, 30), (1.0, 25, 40)):
        ldct, ndct = patches(share)
        assert torch.allclose(ldct - ndct, torch.tensor(8.0), atol=0.01)
        with_one = ((ndct - 50).abs().amax((1, 2)) > 1).sum()
        assert least <= int(with_one) <= most
