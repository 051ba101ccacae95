"""The means of the densities are kept, by hand-made cases whose offsets are known."""

import pytest
import torch
from PseudoCTDenoiseLib.ct.hounsfield import normalise, to_hu
from PseudoCTDenoiseLib.denoising.bias_correction import (
    DENSITIES_HU,
    LARGEST_OFFSET_HU,
    DensityAnchor,
    density_anchor,
)


def halves(left: float, right: float, noise: float = 0.0) -> torch.Tensor:
    """Two slices of 128×128, their left and right halves of two densities, normalised."""
    image = torch.full((2, 128, 128), left)
    image[..., 64:] = right
    return normalise(image + noise * torch.randn(image.shape, generator=torch.manual_seed(0)))


def shifted(by: float):
    return lambda one: normalise(to_hu(one) + by)


@pytest.mark.parametrize("by", [-2.0, 0.5, 2.0])
@pytest.mark.parametrize("noise", [0.0, 30.0])
def test_what_a_denoiser_adds_is_taken_off(by, noise):
    slices = halves(50.0, -100.0, noise)
    anchor = density_anchor(slices, shifted(by))

    corrected = anchor.apply(to_hu(slices) + by)

    error = corrected - to_hu(slices)
    assert abs(float(error[..., :40].mean())) < 0.35 * abs(by)
    assert abs(float(error[..., 90:].mean())) < 0.35 * abs(by)


def test_each_density_has_an_offset_of_its_own():
    def denoise(one):
        hu = to_hu(one)
        return normalise(torch.where(hu > -50, hu + 1, hu - 1))

    slices = halves(50.0, -100.0)
    offsets = density_anchor(slices, denoise).offsets
    assert offsets[DENSITIES_HU.index(50.0)] < -0.5
    assert offsets[DENSITIES_HU.index(-100.0)] > 0.5


def test_noise_alone_moves_nothing():
    clean = halves(50.0, -100.0)
    noisy = halves(50.0, -100.0, 10.0)
    index = iter(range(2))
    anchor = density_anchor(noisy, lambda one: clean[[next(index)]])
    assert anchor.offsets.abs().max() < 0.25  # three standard errors


def test_air_stays_as_it_is():
    anchor = DensityAnchor(torch.tensor([0.0, 3.0, 3.0, 3.0, 3.0, 3.0]))
    air = torch.full((1, 64, 64), -1000.0)
    assert torch.equal(anchor.apply(air), air)


def test_where_the_scan_is_cut_off_nothing_is_measured():
    """Noise clipped at −1024 HU has a mean, which is not the tissue's."""
    noisy = normalise(torch.full((1, 64, 64), -1024.0))
    anchor = density_anchor(noisy, lambda one: normalise(torch.full_like(one, -900.0)))
    assert torch.equal(anchor.offsets, torch.zeros(len(DENSITIES_HU)))


def test_an_offset_is_limited():
    anchor = density_anchor(halves(50.0, -100.0), shifted(-500.0))
    assert float(anchor.offsets.abs().max()) == LARGEST_OFFSET_HU


@pytest.mark.parametrize("shape", [(1, 1, 1), (1, 3, 200), (2, 14, 16)])
def test_slices_of_any_size(shape):
    slices = normalise(torch.zeros(shape))
    hu = density_anchor(slices, shifted(1.0)).apply(to_hu(slices))
    assert hu.shape == shape and hu.isfinite().all()
