"""The power spectrum of noise in flat windows."""

import numpy as np
import pytest
from PseudoCTDenoiseLib.ct.noise_texture import noise_power_spectrum


def test_white_noise_has_a_flat_spectrum_of_variance_times_pixel_area():
    windows = np.random.default_rng(6).normal(70, 12, (400, 64, 64))
    frequency, power = noise_power_spectrum(windows, 0.8)
    assert frequency[:2] == pytest.approx([0.125, 0.375]) and frequency[-1] == 7.875
    assert power == pytest.approx(np.full(32, 12**2 * 0.8**2), rel=0.05)


def test_the_spectrum_of_filtered_noise_is_the_filters_own():
    pixel_mm, sigma_px = 0.7, 0.8
    f = np.fft.fftfreq(64)
    transfer = np.exp(-2 * (np.pi * sigma_px) ** 2 * (f[:, None] ** 2 + f**2))
    windows = np.fft.ifft2(30 * 64 * transfer).real[None]  # |DFT|^2 is the filter's, exactly
    frequency, power = noise_power_spectrum(windows, pixel_mm)
    cycles_per_px = frequency / 10 * pixel_mm
    expected = (30 * pixel_mm) ** 2 * np.exp(-4 * (np.pi * sigma_px * cycles_per_px) ** 2)
    # What is left is where the samples of a ring happen to lie in it.
    assert power == pytest.approx(expected, abs=0.01 * expected.max())
    assert np.average(frequency, weights=power) == pytest.approx(
        np.average(frequency, weights=expected), abs=0.02
    )


def test_the_power_of_a_pure_wave_is_in_its_own_ring():
    x = np.arange(64)
    windows = np.broadcast_to(10 * np.cos(2 * np.pi * 8 * x / 64), (1, 64, 64))
    frequency, power = noise_power_spectrum(windows, 1.0)  # 8 / 6.4 cm = 1.25 /cm
    assert frequency[np.argmax(power)] == 1.375
    fx = 10 * np.fft.fftfreq(64, 1.0)
    ring = np.floor(np.hypot(fx[:, None], fx) / 0.25) == 5
    assert power[5] * ring.sum() / 64**2 == pytest.approx(50)  # the variance of the wave
    assert np.delete(power, 5) == pytest.approx(0, abs=1e-9)


def test_the_power_is_zero_above_the_sampled_frequencies_and_has_no_gap_below():
    white = np.random.default_rng(8).normal(0, 10, (200, 32, 32))
    frequency, power = noise_power_spectrum(white, 1.2)
    assert power[frequency > 6] == pytest.approx(0)
    _, power = noise_power_spectrum(white, 0.4)
    assert power == pytest.approx(np.full(32, 16), rel=0.15)
