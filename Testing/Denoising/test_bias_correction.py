"""Bias correction keeps the mean of each density, in cases with known offsets."""

import pytest
import torch
from PseudoCTDenoiseLib.ct.hounsfield import normalise, to_hu
from PseudoCTDenoiseLib.denoising.bias_correction import (
    MAXIMUM_OFFSET_HU,
    NODES_HU,
    DensityBiasCorrection,
    measure_density_bias,
)


def halves(left: float, right: float, noise: float = 0.0) -> torch.Tensor:
    """Return two slices of 128×128 with two densities, left and right, normalised."""
    image = torch.full((2, 128, 128), left)
    image[..., 64:] = right
    return normalise(image + noise * torch.randn(image.shape, generator=torch.manual_seed(0)))


def shifted(slices: torch.Tensor, by: float):
    return [(slices, normalise(to_hu(slices) + by))]


@pytest.mark.parametrize("by", [-2.0, 0.5, 2.0])
@pytest.mark.parametrize("noise", [0.0, 30.0])
def test_the_shift_of_a_denoiser_is_subtracted(by, noise):
    slices = halves(50.0, -100.0, noise)
    correction = measure_density_bias(shifted(slices, by))

    corrected = correction.apply(to_hu(slices) + by)

    error = corrected - to_hu(slices)
    assert abs(float(error[..., :40].mean())) < 0.35 * abs(by)
    assert abs(float(error[..., 90:].mean())) < 0.35 * abs(by)


def test_each_density_has_an_offset_of_its_own():
    slices = halves(50.0, -100.0)
    hu = to_hu(slices)
    denoised = normalise(torch.where(hu > -50, hu + 1, hu - 1))
    offsets = measure_density_bias([(slices, denoised)]).offsets
    assert offsets[NODES_HU.index(50.0)] < -0.5
    assert offsets[NODES_HU.index(-100.0)] > 0.5


def test_noise_alone_gives_no_offset():
    clean = halves(50.0, -100.0)
    noisy = halves(50.0, -100.0, 10.0)
    correction = measure_density_bias(zip(noisy.split(1), clean.split(1), strict=True))
    assert correction.offsets.abs().max() < 0.25  # three standard errors


def test_air_is_not_changed():
    correction = DensityBiasCorrection(torch.tensor([0.0, 3.0, 3.0, 3.0, 3.0, 3.0]))
    air = torch.full((1, 64, 64), -1000.0)
    assert torch.equal(correction.apply(air), air)


def test_nothing_is_measured_where_the_scan_is_clipped():
    """Noise that is clipped at −1024 HU is not zero-mean."""
    noisy = normalise(torch.full((1, 64, 64), -1024.0))
    denoised = normalise(torch.full((1, 64, 64), -900.0))
    correction = measure_density_bias([(noisy, denoised)])
    assert torch.equal(correction.offsets, torch.zeros(len(NODES_HU)))


def test_an_offset_is_limited():
    correction = measure_density_bias(shifted(halves(50.0, -100.0), -500.0))
    assert float(correction.offsets.abs().max()) == MAXIMUM_OFFSET_HU


@pytest.mark.parametrize("shape", [(1, 1, 1), (1, 3, 200), (2, 14, 16)])
def test_slices_of_any_size(shape):
    slices = normalise(torch.zeros(shape))
    hu = measure_density_bias(shifted(slices, 1.0)).apply(to_hu(slices))
    assert hu.shape == shape and hu.isfinite().all()
