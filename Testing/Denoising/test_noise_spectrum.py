"""Simulated noise gets the spectrum of the scan's noise, and keeps its level."""

import numpy as np
import pytest
import torch
from PseudoCTDenoiseLib.denoising.noise_spectrum import MAX_GAIN, with_spectrum_of_scan

SIZE, SLICES = 160, 4


def noise_of(curve, seed, slices=SLICES):
    """Return noise of 20 HU whose amplitude is ``curve`` of the frequency in cycles per pixel."""
    white = torch.randn(slices, SIZE, SIZE, generator=torch.Generator().manual_seed(seed))
    frequency = torch.hypot(torch.fft.fftfreq(SIZE)[:, None], torch.fft.rfftfreq(SIZE))
    noise = torch.fft.irfft2(torch.fft.rfft2(white) * curve(frequency), s=(SIZE, SIZE))
    return noise * (20 / noise.std())


def soft(frequency):
    return torch.exp(-((frequency / 0.35) ** 2))


def harder(frequency):
    """Return a spectrum with more fine and less coarse noise."""
    return soft(frequency) * torch.exp(frequency)


def amplitude(noise, low, high):
    frequency = torch.hypot(torch.fft.fftfreq(SIZE)[:, None], torch.fft.rfftfreq(SIZE))
    return float(torch.fft.rfft2(noise).abs()[..., (frequency >= low) & (frequency < high)].mean())


def ratio(noise, band, reference=(0.13, 0.2)):
    return amplitude(noise, *band) / amplitude(noise, *reference)


@pytest.mark.parametrize("scans, simulated", [(soft, harder), (harder, soft)])
def test_the_spectrum_becomes_that_of_the_scan(scans, simulated):
    clean = torch.full((SLICES, SIZE, SIZE), 50.0)
    drawn = torch.stack([noise_of(simulated, seed) for seed in (1, 2)])
    found = with_spectrum_of_scan(drawn, clean + noise_of(scans, 3), clean)
    assert found.shape == drawn.shape and found.dtype == drawn.dtype
    for band in ((0.25, 0.3), (0.35, 0.4), (0.45, 0.5)):
        wanted = ratio(noise_of(scans, 4), band)
        assert abs(ratio(drawn, band) / wanted - 1) > 0.05
        assert ratio(found, band) == pytest.approx(wanted, rel=0.06)
    assert found.std() == pytest.approx(float(drawn.std()), rel=0.1)


def test_only_the_texture_counts_and_not_the_level():
    clean = torch.full((SLICES, SIZE, SIZE), 50.0)
    drawn = noise_of(soft, 1)[None]
    weak, strong = (
        with_spectrum_of_scan(drawn, clean + level * noise_of(harder, 3), clean)
        for level in (0.01, 3)
    )
    assert torch.allclose(weak, strong, atol=0.2)


def test_an_implausible_gain_is_limited():
    clean = torch.full((SLICES, SIZE, SIZE), 50.0)
    drawn = noise_of(lambda f: torch.exp(-((f / 0.1) ** 2)), 1)[None]
    found = with_spectrum_of_scan(drawn, clean + noise_of(torch.ones_like, 3), clean)
    before, after = (torch.fft.rfft2(noise).abs() for noise in (drawn, found))
    gain = (after / before)[before > 1e-3 * before.max()]
    assert gain.max() == pytest.approx(MAX_GAIN, rel=0.01)
    assert gain.min() > 1 / MAX_GAIN - 0.01


@pytest.mark.parametrize("shape", [(SLICES, SIZE, SIZE), (1, 20, 20), (3, 1, 40)])
@pytest.mark.parametrize("value", [-1000.0, 50.0])
def test_without_flat_soft_tissue_or_noise_the_noise_stays_as_it_is(shape, value):
    clean = torch.full(shape, value)
    drawn = torch.randn(2, *shape)
    assert torch.equal(with_spectrum_of_scan(drawn, clean, clean), drawn)


def test_a_lone_slice_says_too_little():
    clean = 50 + 0.2 * noise_of(soft, 5, 1)
    drawn = noise_of(soft, 1, 1)[None]
    assert torch.equal(with_spectrum_of_scan(drawn, clean + noise_of(harder, 2, 1), clean), drawn)


def test_the_inputs_are_not_changed():
    clean = torch.full((SLICES, SIZE, SIZE), 50.0)
    images = [noise_of(soft, 1)[None], clean + noise_of(harder, 2), clean]
    before = [image.clone() for image in images]
    with_spectrum_of_scan(*images)
    assert all(map(torch.equal, images, before))


def test_slices_without_tissue_do_not_count():
    clean = torch.full((SLICES + 1, SIZE, SIZE), 50.0)
    clean[-1] = -1000.0
    scan = clean + noise_of(harder, 3, SLICES + 1)
    drawn = noise_of(soft, 1, SLICES + 1)[None]
    both = with_spectrum_of_scan(drawn, scan, clean)
    first = with_spectrum_of_scan(drawn[:, :-1], scan[:-1], clean[:-1])
    assert np.allclose(both[:, :-1], first, atol=1e-3)
