"""Noise of a lower dose: its variance is that of the formula, and the anatomy does not change."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from PseudoCTDenoiseLib.errors import BadInputError
from PseudoCTDenoiseLib.simulation.ct_scanner import WATER_ATTENUATION, CtScanner
from PseudoCTDenoiseLib.simulation.low_dose import (
    LowDoseSimulator,
    _measurements_per_ray,
    _on_parallel_rays,
    simulate_low_dose,
)
from PseudoCTDenoiseLib.simulation.noise_reconstruction import ParallelRays
from PseudoCTDenoiseLib.simulation.reconstruction_kernels import SHARP, SOFT

SMALL = CtScanner(channels=92, channel_pitch=1.2858 * 8, views=90)
"""The default field of view with an eighth of the channels and views."""
PLAIN = replace(SMALL, modulation=0.0, bowtie=0.0)


def water_disc(slices=1, size=96, pixel_mm=4.0, radius_mm=150.0, hu=50.0):
    """Return (slices, rows, columns) of a disc in air with partial volumes at its edge."""
    across = (np.arange(size) - (size - 1) / 2) * pixel_mm
    distance = np.hypot(across, across[:, None])
    share = np.clip((radius_mm - distance) / pixel_mm + 0.5, 0, 1)
    plane = (share * (hu + 1000) - 1000).astype(np.float32)
    return np.repeat(plane[None], slices, axis=0)


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


# --------------------------------------------------------------- rays


def test_opposite_rays_have_the_same_line_integral():
    """Use an off-centre Gaussian blob, whose line integrals are known."""
    scanner = CtScanner()
    x, y, sigma = 60.0, -35.0, 25.0
    views, channels = 180, 184
    source = 2 * math.pi * torch.arange(views)[:, None] / views
    fan = ((torch.arange(channels) + 0.5) / channels * 2 - 1) * scanner.half_fan
    direction = source + fan

    def blob(offset, angle):
        across = y * torch.cos(angle) - x * torch.sin(angle)
        return torch.exp(-((offset - across) ** 2) / (2 * sigma**2))

    fan_values = blob(-scanner.source_to_centre * torch.sin(fan), direction)[None]
    rays = ParallelRays(scanner)
    expected = blob(rays.offsets, rays.angles[:, None])
    inside = rays.offsets.abs() < 0.99 * scanner.field_radius
    for values in _on_parallel_rays(fan_values, scanner):
        difference = (values[0] - expected)[:, inside]
        assert difference.abs().max() < 0.01


def test_a_central_ray_has_twice_the_channel_variance_and_rays_outside_the_field_none():
    rays = ParallelRays(SMALL)
    factor = _measurements_per_ray(SMALL, torch.device("cpu"))
    assert factor[rays.rays // 2] == pytest.approx(2, rel=1e-5)
    assert (factor[rays.offsets.abs() >= SMALL.field_radius] == 0).all()


# --------------------------------------------------------------- variance


@pytest.mark.parametrize("dose", [0.1, 0.25, 0.75])
def test_the_variance_equals_the_formula_of_yu(dose):
    radius, quanta = 150.0, 1e4
    simulator = LowDoseSimulator(4.0, quanta, PLAIN)
    disc = torch.from_numpy(water_disc(radius_mm=radius, hu=0.0))
    deviation = simulator.ray_deviation(disc, dose)[0]
    middle = deviation[:, ParallelRays(PLAIN).rays // 2]

    inverse = math.exp(2 * radius * WATER_ATTENUATION) / quanta
    added = (1 - dose) / dose * inverse * (1 + (1 + dose) / dose * 10 * inverse)
    torch.testing.assert_close(
        middle, torch.full_like(middle, (2 * added) ** 0.5), rtol=0.02, atol=0
    )


def test_modulation_and_bowtie_change_the_variance_by_their_fluence():
    radius = 160.0
    disc = torch.from_numpy(water_disc(radius_mm=radius, hu=0.0))
    scanner = replace(SMALL, electronic_noise=0.0)
    deviation = LowDoseSimulator(4.0, 1e4, scanner).ray_deviation(disc, 0.5)[0]
    rays = ParallelRays(SMALL)
    middle = rays.rays // 2
    aside = int((rays.offsets - 100).abs().argmin())
    offset = float(rays.offsets[aside])

    through = 2 * radius * WATER_ATTENUATION
    beside = 2 * math.sqrt(radius**2 - offset**2) * WATER_ATTENUATION
    assert float(deviation[:, middle].mean()) ** 2 == pytest.approx(
        2 * math.exp(through - 0.5 * through) / 1e4, rel=0.03
    )
    per_ray = _measurements_per_ray(SMALL, torch.device("cpu"))
    expected = math.exp(beside - through + 0.5 * (through - beside)) * float(per_ray[aside]) / 2
    ratio = float((deviation[:, aside] ** 2).mean() / (deviation[:, middle] ** 2).mean())
    assert ratio == pytest.approx(expected, rel=0.03)


def test_drawn_noise_has_the_standard_deviation_of_its_rays():
    simulator = LowDoseSimulator(4.0, 1e4, SMALL)
    disc = torch.from_numpy(water_disc())
    draws = simulator.noise_sinogram(disc.expand(40, -1, -1), 0.25, generator())
    deviation = simulator.ray_deviation(disc, 0.25)
    drawn = deviation[0] > 0
    ratio = draws[:, drawn] / deviation[0, drawn]
    assert float(ratio.mean()) == pytest.approx(0, abs=0.01)
    assert float(ratio.std()) == pytest.approx(1, rel=0.01)


def test_variances_of_scan_and_added_noise_sum_to_that_of_the_low_dose():
    """Compare with the variance at the low dose of a noise-free image."""
    simulator = LowDoseSimulator(4.0, 1e4, SMALL)
    disc = torch.from_numpy(water_disc())
    scan = simulator.ray_deviation(disc, 1.0, image_dose=math.inf) ** 2
    added = simulator.ray_deviation(disc, 0.25) ** 2
    quarter = simulator.ray_deviation(disc, 0.25, image_dose=math.inf) ** 2
    torch.testing.assert_close(scan + added, quarter)


@pytest.mark.parametrize("dose", [0.0, -0.5, 1.5, math.nan])
def test_impossible_doses_are_refused(dose):
    with pytest.raises(BadInputError, match="above 0 and at most 1"):
        LowDoseSimulator(4.0, scanner=SMALL).ray_deviation(torch.zeros(1, 8, 8), dose)


# --------------------------------------------------------------- images


def test_the_full_dose_adds_no_noise():
    hu = water_disc().astype(np.int16)
    simulator = LowDoseSimulator(4.0, 1e4, SMALL)
    np.testing.assert_array_equal(simulate_low_dose(hu, simulator, 1.0, SOFT), hu)


def test_the_seed_determines_the_noise():
    hu = water_disc(slices=3).astype(np.int16)
    simulator = LowDoseSimulator(4.0, 1e4, SMALL)
    first, again, other = (
        simulate_low_dose(hu, simulator, 0.25, SOFT, seed=seed) for seed in (5, 5, 6)
    )
    np.testing.assert_array_equal(first, again)
    middle = np.s_[:, 40:56, 40:56]
    correlation = np.corrcoef((first - hu)[middle].ravel(), (other - hu)[middle].ravel())[0, 1]
    assert abs(correlation) < 0.3
    assert first.dtype == np.int16


def test_air_is_clipped_at_minus_1024_also_where_the_scan_is_lower():
    hu = water_disc().astype(np.int16)
    hu[:, 10, 10] = -1100
    low = simulate_low_dose(hu, LowDoseSimulator(4.0, 300.0, SMALL), 0.1, SHARP)
    assert low.min() == -1024


def test_progress_counts_slices():
    seen = []
    simulator = LowDoseSimulator(4.0, 1e4, SMALL)
    hu = water_disc(slices=5).astype(np.int16)
    simulate_low_dose(hu, simulator, 0.5, SOFT, batch=2, progress=lambda *step: seen.append(step))
    assert seen == [(step, 5) for step in range(1, 6)]


def test_noise_grows_with_the_root_of_the_lost_dose():
    disc = torch.from_numpy(water_disc())
    simulator = LowDoseSimulator(4.0, 1e5, SMALL)
    sigma = {
        dose: float(simulator.added_noise(disc, dose, SOFT, generator()).std())
        for dose in (0.1, 0.25, 0.5, 0.75)
    }
    for dose, value in sigma.items():
        law = math.sqrt((1 / dose - 1) / 3)
        assert value / sigma[0.25] == pytest.approx(law, rel=0.05), dose


# --------------------------------------------------------------- N0


@pytest.mark.parametrize("kernel", [SOFT, SHARP], ids=["soft", "sharp"])
@pytest.mark.parametrize("quanta", [2e4, 2e5])
def test_the_estimated_tube_output_is_that_of_the_scan(kernel, quanta):
    scanner = replace(SMALL, electronic_noise=0.0)
    truth = LowDoseSimulator(2.0, quanta, scanner)
    clean = water_disc(slices=8, size=192, pixel_mm=2.0)
    scan = simulate_low_dose(clean, truth, 1.0, kernel, image_dose=math.inf, seed=1)
    fitted = LowDoseSimulator(2.0, 1e6, scanner).fitted(scan, kernel=kernel, seed=2)
    assert fitted.quanta == pytest.approx(quanta, rel=0.1)


def test_a_scan_without_noise_or_tissue_is_refused():
    simulator = LowDoseSimulator(4.0, scanner=SMALL)
    with pytest.raises(BadInputError, match="N0 cannot be estimated"):
        simulator.fitted(water_disc().astype(np.int16))
    with pytest.raises(BadInputError, match="no soft tissue"):
        simulator.fitted(np.full((1, 96, 96), -1000, np.int16))
