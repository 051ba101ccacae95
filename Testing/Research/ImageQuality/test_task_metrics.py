"""NPS, TTF and d' match known noise and known edges."""

import math

import numpy as np
import pytest
import torch
from pseudoct_research.image_quality.task_metrics import (
    detectability,
    half_frequency,
    nps_tg233,
    rod_margin,
    task_transfer,
    tg233_mean_frequency,
)
from pseudoct_research.phantom.quality_phantom import Circle, section

PIXEL_MM = 0.75


def gaussian(sigma_mm):
    return lambda frequency: torch.exp(-2 * (math.pi * sigma_mm / 10 * frequency) ** 2)


@pytest.mark.parametrize("sigma_mm", [0.5, 0.8, 1.5])
def test_the_ttf_of_a_gaussian_blur_is_that_gaussian(sigma_mm):
    mtf = gaussian(sigma_mm)
    image = section([Circle(200, 256, 20.0, 40.0)], mtf)
    margin = rod_margin(20.0, PIXEL_MM)
    rod = image[200 - margin : 200 + margin, 256 - margin : 256 + margin]
    curves = task_transfer({"one": rod, "darker": -rod}, PIXEL_MM)
    half = 10 * math.sqrt(math.log(2) / 2) / math.pi / sigma_mm
    for frequency, transfer in curves.values():
        assert half_frequency((frequency, transfer)) == pytest.approx(half, rel=0.01)
        low = frequency < 1.5 * half
        assert transfer[low] == pytest.approx(mtf(torch.from_numpy(frequency[low])), abs=0.015)


def test_the_nps_of_white_noise_is_variance_times_pixel_area():
    windows = np.random.default_rng(0).normal(0, 12, (200, 64, 64))
    frequency, power = nps_tg233(windows, PIXEL_MM)
    # The subtracted trend removes power below 0.6 /cm.
    assert power[frequency > 0.6] == pytest.approx(144 * PIXEL_MM**2, rel=0.03)


@pytest.mark.parametrize("side", [62, 64, 96])
def test_noise_of_one_frequency_peaks_at_that_frequency(side):
    spectrum = np.fft.fft2(np.random.default_rng(0).normal(0, 12, (20, 192, 192)))
    cycles = np.fft.fftfreq(192, PIXEL_MM)
    radius = 10 * np.hypot(cycles[:, None], cycles)
    noise = np.fft.ifft2(spectrum * np.exp(-(((radius - 3.0) / 0.1) ** 2))).real
    nps = nps_tg233(noise[:, :side, :side], PIXEL_MM)
    assert tg233_mean_frequency(nps) == pytest.approx(3.0, rel=0.01)


def test_d_prime_matches_the_integral_over_the_plane():
    cycles = np.linspace(-0.66, 0.66, 441)
    radius = np.hypot(cycles[:, None], cycles)
    inside = radius < 0.66
    x = np.pi * 7.0 * np.maximum(radius, 1e-9)
    disc = 10 * np.pi * 3.5**2 * 2 * torch.special.bessel_j1(torch.from_numpy(x)).numpy() / x
    degrees = radius * 500 * math.tan(math.pi / 180)
    eye = degrees**1.3 * np.exp(-((degrees / 4.9614) ** 2))
    seen = np.where(inside, (disc * np.exp(-2 * (math.pi * 0.6 * radius) ** 2) * eye) ** 2, 0)
    step = (cycles[1] - cycles[0]) ** 2
    power = 300 * radius
    expected = seen.sum() * step / math.sqrt((seen * eye**2 * power).sum() * step)

    frequency = np.linspace(0, 6.6, 200)
    transfer = np.exp(-2 * (math.pi * 0.06 * frequency) ** 2)
    found = detectability((frequency, transfer), (frequency, 30 * frequency), (3.0, 7.0), 10.0)
    assert found[1] == pytest.approx(expected, rel=0.01)
    assert found[0] < found[1]
