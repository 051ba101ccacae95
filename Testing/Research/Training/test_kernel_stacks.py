"""A change of pixel size keeps the field of view, and each image of a stack has its own kernel."""

import math

import numpy as np
import pytest
import torch
from pseudoct_research.training.kernel_stacks import StackedKernels, change_kernels
from PseudoCTDenoiseLib.simulation.reconstruction_kernels import SHARP, SOFT

PIXEL_MM = 0.8


def waves(cycles, size=64, across=0):
    """Return a wave with a number of cycles over the field."""
    rows, columns = torch.meshgrid(torch.arange(size), torch.arange(size), indexing="ij")
    return torch.cos(2 * math.pi * (cycles * columns + across * rows) / size)


@pytest.mark.parametrize("across", [False, True])
@pytest.mark.parametrize("size", [48, 80])
def test_the_nyquist_frequency_is_left_out_on_both_axes(size, across):
    wave = waves(0, across=32) if across else waves(32)
    assert change_kernels(wave, PIXEL_MM, SOFT, SOFT, (size, size)).abs().max() < 1e-3


@pytest.mark.parametrize("size", [48, 80])
def test_another_pixel_size_shows_the_same_field_of_view(size):
    for cycles, across in ((3, 0), (0, 7), (5, 11)):
        wave = waves(cycles, across=across)
        resized = change_kernels(wave, PIXEL_MM, SOFT, SOFT, (size, size))
        wanted = waves(cycles, size, across)
        assert torch.allclose(resized, wanted, atol=1e-3)


def test_frequencies_above_the_limit_of_larger_pixels_do_not_alias():
    wave = waves(30)
    assert change_kernels(wave, PIXEL_MM, SOFT, SOFT, (48, 48)).abs().max() < 1e-3


@pytest.mark.parametrize("size", [None, (48, 48)])
def test_each_image_of_a_stack_has_its_own_kernels_and_pixels(size):
    images = torch.from_numpy(np.random.default_rng(0).normal(0, 10, (3, 64, 64))).float()
    pixel_mm = torch.tensor([0.5, 0.8, 1.1])[:, None, None]
    had, wanted = [SOFT, SHARP, SHARP], [SHARP, SOFT, SHARP]
    stack = change_kernels(images, pixel_mm, StackedKernels(had), StackedKernels(wanted), size)
    for number, changed in enumerate(stack):
        kernels = had[number], wanted[number]
        alone = change_kernels(images[number], float(pixel_mm[number]), *kernels, size)
        assert torch.allclose(changed, alone, atol=1e-4)
    one_for_all = change_kernels(images, pixel_mm, SOFT, StackedKernels(wanted), size)
    assert torch.allclose(one_for_all[0], stack[0], atol=1e-4)
