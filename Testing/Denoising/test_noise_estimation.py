"""The estimate finds the known kernel, direction and level of a scan's noise."""

import numpy as np
import pytest
import torch
from PseudoCTDenoiseLib.ct.flat_windows import flat_windows, mean_frequency
from PseudoCTDenoiseLib.ct.hounsfield import normalise
from PseudoCTDenoiseLib.denoising.noise_estimation import DRAWS, estimate_noise
from PseudoCTDenoiseLib.simulation.ct_scanner import CtScanner
from PseudoCTDenoiseLib.simulation.low_dose import LowDoseSimulator
from PseudoCTDenoiseLib.simulation.reconstruction_kernels import kernel_at_sharpness
from scipy.ndimage import gaussian_filter

SIZE, PIXEL_MM = 112, 0.75


@pytest.fixture(scope="module")
def body():
    """Return two slices of soft tissue in air, (2, rows, columns) HU."""
    return ellipse(44, 52)


def ellipse(half_rows, half_columns):
    rows, columns = np.mgrid[:SIZE, :SIZE] - SIZE / 2 + 0.5
    hu = np.where((rows / half_rows) ** 2 + (columns / half_columns) ** 2 < 1, 50.0, -1000.0)
    return torch.from_numpy(np.stack([hu, hu])).float()


def known_noise(body, sharpness, sigma_hu, modulation=CtScanner.modulation, pixel_mm=PIXEL_MM):
    scanner = CtScanner(views=168, modulation=modulation)
    noise = LowDoseSimulator(pixel_mm, scanner=scanner).added_noise(
        body, 0.25, kernel_at_sharpness(sharpness), torch.Generator().manual_seed(5)
    )
    return noise * (sigma_hu / noise[body > 0].std())


def estimated_noise(body, sharpness, sigma_hu, seed=0, pixel_mm=PIXEL_MM):
    """Estimate the noise of a scan with known kernel and level; the denoiser returns the truth."""
    noise = known_noise(body, sharpness, sigma_hu)

    def denoise(slices):
        return normalise(body[: len(slices)]).to(slices)

    return estimate_noise(normalise(body + noise), denoise, pixel_mm, seed)


@pytest.mark.parametrize("sharpness", [0.0, 0.5, 1.0])
def test_kernel_and_level_of_a_scan_are_found_without_a_reference(body, sharpness):
    found = estimated_noise(body, sharpness, 25.0)
    assert found.texture.sharpness == pytest.approx(sharpness, abs=0.12)
    assert found.draws.shape == (DRAWS, 2, SIZE, SIZE)
    sigma = 4096 * found.draws[:, body > 0].std()
    assert sigma == pytest.approx(25.0, rel=0.1)


@pytest.mark.parametrize("modulation", [0.0, 0.3, 0.6])
@pytest.mark.parametrize("half_axes", [(24, 54), (54, 24)], ids=["wide", "tall"])
def test_the_direction_of_the_noise_is_found(modulation, half_axes):
    pixel_mm = 3.5  # 38 cm by 17 cm
    body = ellipse(*half_axes)
    noise = known_noise(body, 0.0, 25.0, modulation, pixel_mm)
    found = estimate_noise(normalise(body + noise), lambda x: normalise(body[: len(x)]), pixel_mm)
    assert found.texture.modulation == pytest.approx(modulation, abs=0.2)


def test_each_slice_has_a_level_of_its_own(body):
    noise = known_noise(body, 0.5, 25.0) * torch.tensor([0.6, 1.4])[:, None, None]
    found = estimate_noise(normalise(body + noise), lambda x: normalise(body[: len(x)]), PIXEL_MM)
    for index, sigma in enumerate((15.0, 35.0)):
        inside = found.draws[:, index, body[index] > 0]
        assert 4096 * inside.std() == pytest.approx(sigma, rel=0.1)


def test_the_level_is_that_of_the_whole_noise_if_the_denoiser_leaves_a_part(body):
    noise = known_noise(body, 0.5, 25.0)

    def leave_a_third(slices):
        truth = normalise(body[: len(slices)])
        return truth + (slices - truth) / 3

    found = estimate_noise(normalise(body + noise), leave_a_third, PIXEL_MM)
    assert 4096 * found.draws[:, body > 0].std() == pytest.approx(25.0, rel=0.1)


def test_the_kernel_is_found_if_the_denoiser_leaves_coarse_noise(body):
    noise = known_noise(body, 0.0, 25.0)

    def leave_coarse_noise(slices):
        truth = normalise(body[: len(slices)])
        return truth + torch.from_numpy(gaussian_filter((slices - truth).numpy(), (0, 1.5, 1.5)))

    found = estimate_noise(normalise(body + noise), leave_coarse_noise, PIXEL_MM)
    assert found.texture.sharpness == pytest.approx(0.0, abs=0.12)


def test_noise_that_is_coarser_than_that_of_every_kernel_gives_coarse_draws(body):
    white = np.random.default_rng(0).normal(0, 25, body.shape)
    noise = torch.from_numpy(gaussian_filter(white, (0, 1.0, 1.0))).float()
    found = estimate_noise(normalise(body + noise), lambda x: normalise(body[: len(x)]), PIXEL_MM)
    images = (image.numpy() for image in (body, body, noise, found.draws[0]))
    own, drawn = (mean_frequency(windows) for windows in flat_windows(*images)[2:])
    assert drawn == pytest.approx(own, rel=0.12)


@pytest.mark.slow
def test_draws_are_independent_and_repeat_with_the_seed(body):
    first, again, other = (estimated_noise(body, 0.0, 25.0, seed).draws for seed in (0, 0, 1))
    assert torch.equal(first, again) and not torch.equal(first, other)
    inside = [draw[body > 0] for draw in first]
    assert abs(torch.corrcoef(torch.stack(inside))[0, 1]) < 0.1


def test_the_kernel_compensates_for_an_unknown_pixel_size(body):
    found = estimated_noise(body, 0.5, 25.0, pixel_mm=None)
    assert 4096 * found.draws[:, body > 0].std() == pytest.approx(25.0, rel=0.1)


@pytest.mark.slow
def test_the_pixel_size_changes_the_kernel_that_is_found(body):
    true, large = (estimated_noise(body, 0.5, 25.0, pixel_mm=size) for size in (PIXEL_MM, 1.0))
    # On larger pixels a softer kernel makes noise of the same roughness.
    assert large.texture.sharpness < true.texture.sharpness - 0.2
    assert not torch.equal(large.draws, true.draws)


@pytest.mark.parametrize("shape", [(1, 32, 48), (1, 3, 40), (2, 1, 1)])
@pytest.mark.parametrize("value", [-1000.0, 50.0])
def test_a_scan_without_noise_or_body_gives_numbers(value, shape):
    slices = normalise(torch.full(shape, value))
    found = estimate_noise(slices, lambda x: x + 1 / 4096, 0.7)
    draws = found.draws
    assert torch.equal(found.denoised, slices + 1 / 4096)
    assert draws.isfinite().all() and draws.abs().max() < 1e-3
