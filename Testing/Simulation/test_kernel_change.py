"""A kernel change is the ratio of two apodisations; a change of pixel size keeps the field."""

import math

import numpy as np
import pytest
import torch
from PseudoCTDenoiseLib.simulation.kernel_change import MAX_GAIN, change_kernel
from PseudoCTDenoiseLib.simulation.reconstruction_kernels import (
    SHARP,
    SOFT,
    ReconstructionKernel,
    StackedKernels,
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


@pytest.mark.parametrize("across", [False, True])
@pytest.mark.parametrize("size", [48, 80])
def test_the_nyquist_frequency_is_left_out_on_both_axes(size, across):
    wave, _ = waves(0, across=32) if across else waves(32)
    assert change_kernel(wave, PIXEL_MM, SOFT, SOFT, (size, size)).abs().max() < 1e-3


@pytest.mark.parametrize("size", [48, 80])
def test_another_pixel_size_shows_the_same_field_of_view(size):
    for cycles, across in ((3, 0), (0, 7), (5, 11)):
        wave, _ = waves(cycles, across=across)
        resized = change_kernel(wave, PIXEL_MM, SOFT, SOFT, (size, size))
        wanted, _ = waves(cycles, size, across)
        assert torch.allclose(resized, wanted, atol=1e-3)


def test_frequencies_above_the_limit_of_larger_pixels_do_not_alias():
    wave, _ = waves(30)
    assert change_kernel(wave, PIXEL_MM, SOFT, SOFT, (48, 48)).abs().max() < 1e-3


@pytest.mark.parametrize("size", [None, (48, 48)])
def test_each_image_of_a_stack_has_its_own_kernels_and_pixels(size):
    images = torch.from_numpy(np.random.default_rng(0).normal(0, 10, (3, 64, 64))).float()
    pixel_mm = torch.tensor([0.5, 0.8, 1.1])[:, None, None]
    had, wanted = [SOFT, SHARP, SHARP], [SHARP, SOFT, SHARP]
    stack = change_kernel(images, pixel_mm, StackedKernels(had), StackedKernels(wanted), size)
    for number, changed in enumerate(stack):
        kernels = had[number], wanted[number]
        alone = change_kernel(images[number], float(pixel_mm[number]), *kernels, size)
        assert torch.allclose(changed, alone, atol=1e-4)
    one_for_all = change_kernel(images, pixel_mm, SOFT, StackedKernels(wanted), size)
    assert torch.allclose(one_for_all[0], stack[0], atol=1e-4)
