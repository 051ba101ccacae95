"""Removed noise that contains structure is distinguished from removed noise that does not."""

from __future__ import annotations

import numpy as np
import pytest
from PseudoCTDenoiseLib.ct.removed_structure import removed_structure
from PseudoCTDenoiseLib.denoising.removed_noise import EDGE_LIMITS, SPOT_LIMITS
from scipy.ndimage import gaussian_filter

SIZE = 256
DOWN, RIGHT = np.mgrid[:SIZE, :SIZE]
NOWHERE = np.zeros((SIZE, SIZE), bool)


def disc(down, right, radius, hu):
    return np.where((DOWN - down) ** 2 + (RIGHT - right) ** 2 <= radius**2, float(hu), 0.0)


def anatomy():
    """Return a body in air with organs and bones, (rows, columns) HU."""
    image = -1000 + disc(128, 128, 115, 1050)
    for number in range(10):
        angle = 2 * np.pi * number / 10
        image += disc(
            128 + 70 * np.cos(angle), 128 + 70 * np.sin(angle), 6 + number, 60 + 40 * number
        )
    return gaussian_filter(image, 0.8)


def noise(seed=0, hu=25.0):
    """Return noise with few low frequencies, as that of filtered back-projection."""
    white = np.random.default_rng(seed).normal(size=(SIZE, SIZE))
    values = gaussian_filter(white, 0.7) - gaussian_filter(white, 2.5)
    return values * hu / values.std()


CLEAN = anatomy()
SCAN = CLEAN + noise()
DENOISED = CLEAN + 0.25 * noise()


def measured(denoised, scan=SCAN, unchanged=NOWHERE):
    return removed_structure(np.rint(scan), np.rint(denoised), unchanged)


def test_noise_alone_has_neither_edges_nor_spots():
    structure = measured(DENOISED)
    assert structure.edge_correlation < EDGE_LIMITS[0] / 2
    assert 3 < structure.strongest_spot < 6.5


@pytest.mark.parametrize(
    "denoised",
    [gaussian_filter(DENOISED, 1), gaussian_filter(SCAN, 1), np.roll(DENOISED, 1, axis=1)],
    ids=["blurred", "smoothed scan", "shifted by a pixel"],
)
def test_blurred_and_shifted_edges_correlate_with_the_removed_noise(denoised):
    assert measured(denoised).edge_correlation > EDGE_LIMITS[1]


@pytest.mark.parametrize(("radius", "hu"), [(3, 80), (6, 40), (9, 30)])
def test_an_erased_disc_is_a_spot_that_does_not_depend_on_its_sign(radius, hu):
    lesion = disc(128, 128, radius, hu)
    for sign in (1, -1):
        structure = measured(DENOISED, SCAN + sign * lesion)
        assert structure.strongest_spot > SPOT_LIMITS[1]
        assert structure.edge_correlation < EDGE_LIMITS[0]


def test_the_figures_depend_on_neither_the_level_of_the_noise_nor_the_strength():
    half = measured(SCAN + (DENOISED - SCAN) / 2)
    full = measured(DENOISED)
    assert half.strongest_spot == pytest.approx(full.strongest_spot, rel=0.05)
    loud = measured(CLEAN + noise(hu=100.0) * 0.25, CLEAN + noise(hu=100.0))
    assert loud.strongest_spot == pytest.approx(full.strongest_spot, rel=0.1)


def test_air_and_values_that_are_kept_by_design_are_not_judged():
    outside = disc(5, 5, 4, 3000)
    assert measured(DENOISED, SCAN + outside) == measured(DENOISED)
    metal = disc(128, 128, 5, 3000)
    assert measured(DENOISED, SCAN + metal).strongest_spot > SPOT_LIMITS[1]
    kept = np.where(metal > 0, SCAN + metal, DENOISED)
    assert measured(kept, SCAN + metal, metal > 0).strongest_spot < SPOT_LIMITS[0]


def test_the_border_of_the_image_is_not_judged():
    uniform = np.full((SIZE, SIZE), 50.0)
    strongest = [measured(uniform, uniform + noise(seed)).strongest_spot for seed in range(20)]
    assert max(strongest) < 6.5
    cut = measured(uniform, uniform + noise() + disc(0, 128, 6, 60) + disc(255, 255, 6, 60))
    assert cut.strongest_spot == pytest.approx(strongest[0], rel=0.15)


def test_rounding_of_a_quiet_area_is_no_spot():
    quiet = disc(128, 128, 40, 1) > 0
    scan = CLEAN + np.where(quiet, 0.0, noise(hu=8.0))
    assert measured(CLEAN, scan).strongest_spot < SPOT_LIMITS[0]
    step = np.zeros((SIZE, SIZE))
    step[126:128, 126:128] = 1.0
    before, after = (measured(CLEAN, scan + factor * step) for factor in (1, 20))
    assert before.strongest_spot < SPOT_LIMITS[0] and after.strongest_spot > SPOT_LIMITS[1]


def test_small_errors_at_the_steepest_edges_are_no_spots():
    tooth = gaussian_filter(disc(128, 128, 5, 2500), 0.8)
    error = 0.005 * np.gradient(tooth, axis=1)
    clean = CLEAN + tooth
    scan = clean + noise(hu=1.0)
    assert measured(clean + error, scan).strongest_spot < SPOT_LIMITS[0]
    assert measured(clean + 4 * error, scan).strongest_spot > SPOT_LIMITS[1]


@pytest.mark.parametrize(
    ("scan", "denoised"),
    [
        (np.full((SIZE, SIZE), -1000.0), np.full((SIZE, SIZE), -1000.0)),
        (SCAN, SCAN),
        (SCAN[100:140, 100:140], DENOISED[100:140, 100:140]),
        (SCAN[128:129, :], DENOISED[128:129, :]),
    ],
    ids=["air", "nothing removed", "too small", "a single row"],
)
def test_a_slice_without_body_or_without_removed_noise_is_not_judged(scan, denoised):
    assert removed_structure(scan, denoised, np.zeros(scan.shape, bool)) is None


def test_a_uniform_body_has_spots_but_no_edges():
    uniform = np.full((SIZE, SIZE), 50.0)
    structure = measured(uniform, uniform + noise())
    assert structure.edge_correlation is None and structure.strongest_spot < 6.5


def test_odd_sizes_and_whole_numbers_are_accepted():
    scan, denoised = (np.rint(image[:-1, :-1]).astype(np.int16) for image in (SCAN, DENOISED))
    structure = removed_structure(scan, denoised, NOWHERE[:-1, :-1])
    assert structure.strongest_spot == pytest.approx(measured(DENOISED).strongest_spot, rel=0.05)
