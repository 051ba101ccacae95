"""Gridding equals filtered back-projection, aliasing included."""

from __future__ import annotations

import math
import warnings

import pytest
import torch
from PseudoCTDenoiseLib.simulation import noise_reconstruction
from PseudoCTDenoiseLib.simulation.ct_scanner import CtScanner
from PseudoCTDenoiseLib.simulation.noise_reconstruction import ParallelRays, reconstruct_noise
from PseudoCTDenoiseLib.simulation.reconstruction_kernels import ReconstructionKernel

TINY = CtScanner(channels=24, channel_pitch=12.0, views=20)
"""Rays 3.3 mm apart over 158 mm."""
KERNEL = ReconstructionKernel("tiny", f0_per_cm=0.7, order=3.0)


def drawn(scanner, slices=1, seed=0):
    shape = slices, scanner.views, 2 * scanner.channels
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def summed(sinogram, shape, pixel_mm, scanner, kernel):
    """Return the filtered back-projection as a direct sum over views and frequencies."""
    rays = ParallelRays(scanner)
    offsets, angles = rays.offsets.double(), rays.angles.double()
    frequency = torch.arange(1, rays.rays // 2, dtype=torch.double) / (rays.rays * rays.spacing)
    frequency = frequency[frequency <= kernel.cutoff_per_cm / 10]
    wave = torch.exp(-2j * math.pi * frequency[:, None] * offsets)
    spectrum = sinogram.double().to(torch.complex128) @ wave.T * rays.spacing
    spectrum = spectrum * kernel.response(10 * frequency) / 10
    # Both half axes of frequency, in steps of 1 / length of the detector.
    spectrum = 2 * spectrum / (rays.rays * rays.spacing)
    rows, columns = shape
    y = (torch.arange(rows, dtype=torch.double) - rows // 2) * pixel_mm
    x = (torch.arange(columns, dtype=torch.double) - columns // 2) * pixel_mm
    image = torch.zeros(len(sinogram), rows, columns, dtype=torch.double)
    for view, angle in enumerate(angles):
        offset = y[:, None] * torch.cos(angle) - x * torch.sin(angle)
        back = torch.exp(2j * math.pi * frequency * offset[..., None])
        image += torch.einsum("sf,rcf->src", spectrum[:, view], back).real
    return image * (math.pi / rays.views)


@pytest.mark.parametrize("shape", [(24, 24), (17, 30)])
def test_gridding_equals_the_direct_sum_over_views_and_frequencies(shape):
    sinogram = drawn(TINY, slices=2)
    fast = reconstruct_noise(sinogram, shape, 5.0, TINY, KERNEL)
    exact = summed(sinogram, shape, 5.0, TINY, KERNEL).float()
    assert fast.shape == (2, *shape)
    assert (fast - exact).std() < 0.01 * exact.std()
    assert (fast - exact).abs().max() < 0.05 * exact.std()


def test_batches_of_one_slice_give_the_same_images(monkeypatch):
    sinogram = drawn(TINY, slices=3)
    together = reconstruct_noise(sinogram, (17, 30), 5.0, TINY, KERNEL)
    monkeypatch.setattr(noise_reconstruction, "_MAX_VALUES", 1)
    one_by_one = reconstruct_noise(sinogram, (17, 30), 5.0, TINY, KERNEL)
    torch.testing.assert_close(one_by_one, together, rtol=1e-4, atol=1e-5 * float(together.std()))


def test_frequencies_above_the_limit_of_the_pixel_grid_alias():
    """Compare every second pixel of a fine grid with a coarse grid, whose limit is exceeded."""
    sinogram = drawn(TINY)
    fine = reconstruct_noise(sinogram, (48, 48), 5.0, TINY, KERNEL)
    coarse = reconstruct_noise(sinogram, (24, 24), 10.0, TINY, KERNEL)
    assert KERNEL.cutoff_per_cm > 10 / (2 * 10.0)
    sampled = fine[:, ::2, ::2]
    assert (coarse - sampled).std() < 0.01 * sampled.std()


def test_parallel_rays_cover_the_detector_at_half_its_pitch():
    rays = ParallelRays(CtScanner())
    assert rays.spacing == pytest.approx(595 / 1085.6 * 1.2858 / 2)
    assert len(rays.offsets) == 1472
    assert rays.offsets[736] == 0
    assert rays.angles[-1] < math.pi


def test_an_image_does_not_depend_on_the_other_slices():
    sinogram = drawn(TINY, slices=3)
    together = reconstruct_noise(sinogram, (16, 16), 5.0, TINY, KERNEL)
    alone = reconstruct_noise(sinogram[1:2], (16, 16), 5.0, TINY, KERNEL)
    torch.testing.assert_close(together[1:2], alone)


def test_no_warning_reaches_the_user():
    noise_reconstruction._spreading_matrix.cache_clear()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        reconstruct_noise(drawn(TINY), (8, 8), 5.0, TINY, KERNEL)


def test_a_gpu_gives_the_same_image(device):
    sinogram = drawn(TINY)
    image = reconstruct_noise(sinogram.to(device), (24, 24), 5.0, TINY, KERNEL)
    expected = reconstruct_noise(sinogram, (24, 24), 5.0, TINY, KERNEL)
    torch.testing.assert_close(image.cpu(), expected, rtol=1e-3, atol=1e-4)
