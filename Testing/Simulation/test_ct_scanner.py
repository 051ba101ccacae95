"""Fan-beam rays follow the geometry, and their line integrals are correct."""

from __future__ import annotations

import math

import pytest
import torch
from PseudoCTDenoiseLib.simulation.ct_scanner import (
    WATER_ATTENUATION,
    CtScanner,
    fan_line_integrals,
    relative_fluence,
)

SCANNER = CtScanner()
VIEWS, CHANNELS = 12, 92


def ray_offsets(channels):
    """Return the signed distance in mm of each ray from the centre of rotation."""
    fan = (torch.arange(channels) + 0.5) / channels * 2 - 1
    return -SCANNER.source_to_centre * torch.sin(fan * SCANNER.half_fan)


def water_disc(radius_mm, x_mm=0.0, y_mm=0.0, size=512, pixel_mm=0.75):
    """Return HU (1, rows, columns) of a water disc in air with partial volumes at its edge."""
    across = (torch.arange(size) - (size - 1) / 2) * pixel_mm
    distance = torch.hypot(across - x_mm, across[:, None] - y_mm)
    return (((radius_mm - distance) / pixel_mm + 0.5).clamp(0, 1) * 1000 - 1000)[None]


def test_the_field_of_view_is_that_of_a_clinical_scanner():
    assert SCANNER.field_radius == pytest.approx(251.2, abs=0.1)
    assert math.degrees(2 * SCANNER.half_fan) == pytest.approx(49.9, abs=0.1)


@pytest.mark.parametrize("radius_mm", [60.0, 160.0])
def test_the_line_integral_of_a_water_disc_is_its_chord_times_its_attenuation(radius_mm):
    measured = fan_line_integrals(water_disc(radius_mm), 0.75, SCANNER, VIEWS, CHANNELS)[0]
    half_chord = (radius_mm**2 - ray_offsets(CHANNELS) ** 2).clamp(min=0).sqrt()
    expected = (2 * half_chord * WATER_ATTENUATION).expand(VIEWS, -1)
    # The chord of grazing rays changes within a channel, so their tolerance depends on the
    # diameter.
    diameter = 2 * radius_mm * WATER_ATTENUATION
    inner = half_chord > 0.7 * radius_mm
    torch.testing.assert_close(measured[:, inner], expected[:, inner], rtol=5e-3, atol=0)
    torch.testing.assert_close(measured, expected, rtol=0, atol=0.03 * diameter)


@pytest.mark.parametrize("finer", [2, 4])
def test_a_finer_image_of_the_same_object_gives_the_same_integrals(finer):
    usual = fan_line_integrals(water_disc(120.0), 0.75, SCANNER, VIEWS, CHANNELS)
    fine = water_disc(120.0, size=512 * finer, pixel_mm=0.75 / finer)
    found = fan_line_integrals(fine, 0.75 / finer, SCANNER, VIEWS, CHANNELS)
    torch.testing.assert_close(found, usual, rtol=0, atol=0.001 * float(usual.max()))


def test_a_size_that_is_not_a_multiple_of_the_pooling_stays_centred():
    measured = fan_line_integrals(
        water_disc(120.0, size=1000, pixel_mm=0.384), 0.384, SCANNER, VIEWS, CHANNELS
    )[0]
    middle = (measured * ray_offsets(CHANNELS)).sum(dim=1) / measured.sum(dim=1)
    assert middle.abs().max() < 0.05


def test_an_off_centre_disc_is_projected_at_its_angle():
    x, y, radius = 70.0, -45.0, 40.0
    measured = fan_line_integrals(water_disc(radius, x, y), 0.75, SCANNER, VIEWS, CHANNELS)[0]
    source = 2 * math.pi * torch.arange(VIEWS)[:, None] / VIEWS
    fan = ((torch.arange(CHANNELS) + 0.5) / CHANNELS * 2 - 1) * SCANNER.half_fan
    direction = source + fan
    across = y * torch.cos(direction) - x * torch.sin(direction)
    distance = ray_offsets(CHANNELS) - across
    expected = 2 * (radius**2 - distance**2).clamp(min=0).sqrt() * WATER_ATTENUATION
    inner = distance.abs() < 0.8 * radius
    assert inner.any(dim=1).all()
    torch.testing.assert_close(measured[inner], expected[inner], rtol=0.01, atol=0)


def test_padding_attenuates_like_air():
    padding = torch.full((1, 64, 64), -2048.0)
    assert (fan_line_integrals(padding, 5.0, SCANNER, 4, 16) == 0).all()


def test_views_through_more_tissue_get_more_quanta():
    line_integrals = torch.zeros(1, 2, 4)
    line_integrals[0, 1, 2] = 3.0
    fluence = relative_fluence(line_integrals, SCANNER)
    difference = fluence[0, 1] - fluence[0, 0]
    torch.testing.assert_close(difference, torch.full((4,), SCANNER.modulation * 3.0))


def test_the_bowtie_compensates_its_share_of_a_water_cylinder():
    cylinder = 2 * WATER_ATTENUATION * (160**2 - ray_offsets(184) ** 2).clamp(min=0).sqrt()
    no_modulation = CtScanner(modulation=0.0, bowtie=1.0)
    fluence = relative_fluence(cylinder[None, None], no_modulation)
    behind = fluence - cylinder
    assert behind.max() - behind.min() < 1e-4
    half = relative_fluence(cylinder[None, None], CtScanner(modulation=0.0, bowtie=0.5))
    torch.testing.assert_close(half, fluence / 2)
