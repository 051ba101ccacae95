"""A kernel change is the ratio of two apodisations."""

import math

import numpy as np
import pytest
import torch
from PseudoCTDenoiseLib.simulation.kernel_change import MAX_GAIN, change_kernel
from PseudoCTDenoiseLib.simulation.reconstruction_kernels import (
    SHARP,
    SOFT,
    ReconstructionKernel,
)

PIXEL_MM = 0.8


def waves(cycles, size=64, across=0):
    """Return a wave with a number of cycles over the field, and its frequency in 1/cm."""
    rows, columns = torch.meshgrid(torch.arange(size), torch.arange(size), indexing="ij")
    wave = torch.cos(2 * math.pi * (cycles * columns + across * rows) / size)
    return wave, math.hypot(cycles, across) / (size * PIXEL_MM / 10)


@pytest.mark.parametrize(("had", "wanted"), [(SOFT, SHARP), (SHARP, SOFT)], ids=str)
@pytest.mark.parametrize("across", [0, 5])
def test_every_frequency_is_scaled_by_the_ratio_of_the_kernels(had, wanted, across):
    wave, frequency = waves(12, across=across)
    ratio = wanted.response(torch.tensor(frequency)) / had.response(torch.tensor(frequency))
    changed = change_kernel(wave, PIXEL_MM, had, wanted)
    assert torch.allclose(changed, ratio * wave, rtol=0.01, atol=0.02)


def test_the_same_kernel_keeps_the_image_and_another_keeps_its_mean():
    images = torch.from_numpy(np.random.default_rng(0).normal(40, 10, (3, 32, 48))).float()
    assert torch.allclose(change_kernel(images, PIXEL_MM, SOFT, SOFT), images, atol=1e-2)
    changed = change_kernel(images, PIXEL_MM, SOFT, SHARP)
    assert torch.allclose(changed.mean(dim=(1, 2)), images.mean(dim=(1, 2)), atol=1e-3)


def test_the_inverse_change_restores_the_image():
    gentle = ReconstructionKernel("gentle", 6.0, 2.0)
    images = torch.from_numpy(np.random.default_rng(0).normal(0, 10, (32, 32))).float()
    there = change_kernel(images, PIXEL_MM, SOFT, gentle)
    assert torch.allclose(change_kernel(there, PIXEL_MM, gentle, SOFT), images, atol=0.5)
    assert not torch.allclose(there, images, atol=5)


def test_the_gain_of_suppressed_frequencies_is_limited():
    blind = ReconstructionKernel("blind", 1.0, 2.0)
    wave, _ = waves(20)
    lifted = change_kernel(wave, PIXEL_MM, blind, SHARP).abs().max()
    assert MAX_GAIN / 2 < lifted <= MAX_GAIN * 1.001
    tiny = change_kernel(wave, 0.05, blind, SHARP).abs().max()
    assert MAX_GAIN / 2 < tiny <= MAX_GAIN * 1.001
