"""The scan's own noise: kernel and level are found again where they are known."""

import numpy as np
import pytest
import torch
from PseudoCTDenoiseLib.ct.hounsfield import normalise
from PseudoCTDenoiseLib.denoising.noise_estimation import DRAWS, ScanNoise
from PseudoCTDenoiseLib.simulation.low_dose import LowDoseSimulator
from PseudoCTDenoiseLib.simulation.reconstruction_kernels import kernel_of_sharpness

SIZE, PIXEL_MM = 160, 0.75


@pytest.fixture(scope="module")
def body():
    """Two slices of soft tissue in air, HU."""
    rows, columns = np.mgrid[:SIZE, :SIZE] - SIZE / 2 + 0.5
    hu = np.where((rows / 60) ** 2 + (columns / 72) ** 2 < 1, 50.0, -1000.0)
    return torch.from_numpy(np.stack([hu, hu])).float()


def scan_noise(body, sharpness, sigma_hu, seed=0, pixel_mm=PIXEL_MM):
    """Noise of a scan of that kernel and level; its denoiser knows the truth."""
    generator = torch.Generator().manual_seed(5)
    kernel = kernel_of_sharpness(sharpness)
    noise = LowDoseSimulator(PIXEL_MM).added_noise(body, 0.25, kernel, generator)
    noise *= sigma_hu / noise[body > 0].std()

    def denoise(slices):
        return normalise(body[: len(slices)]).to(slices)

    return ScanNoise(normalise(body + noise), denoise, pixel_mm, seed)


@pytest.mark.parametrize("sharpness", [0.0, 0.5, 1.0])
def test_kernel_and_level_of_a_scan_are_found_without_a_reference(body, sharpness):
    found = scan_noise(body, sharpness, 25.0)
    assert found.sharpness == pytest.approx(sharpness, abs=0.12)
    assert found.draws.shape == (DRAWS, 2, SIZE, SIZE)
    sigma = 4096 * found.draws[:, body > 0].std()
    assert sigma == pytest.approx(25.0, rel=0.1)


def test_draws_are_independent_and_repeat_with_the_seed(body):
    first, again, other = (scan_noise(body, 0.0, 25.0, seed).draws for seed in (0, 0, 1))
    assert torch.equal(first, again) and not torch.equal(first, other)
    inside = [draw[body > 0] for draw in first]
    assert abs(torch.corrcoef(torch.stack(inside))[0, 1]) < 0.1


def test_an_unknown_pixel_size_is_made_up_for(body):
    found = scan_noise(body, 0.5, 25.0, pixel_mm=None)
    assert 4096 * found.draws[:, body > 0].std() == pytest.approx(25.0, rel=0.1)


@pytest.mark.parametrize("shape", [(1, 32, 48), (1, 3, 40), (2, 1, 1)])
@pytest.mark.parametrize("value", [-1000.0, 50.0])
def test_a_scan_without_noise_or_body_gives_numbers(value, shape):
    slices = normalise(torch.full(shape, value))
    found = ScanNoise(slices, lambda x: x + 1 / 4096, 0.7)
    draws = found.draws
    assert torch.equal(found.clean, slices + 1 / 4096)
    assert draws.isfinite().all() and draws.abs().max() < 1e-3
