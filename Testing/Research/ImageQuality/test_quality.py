"""Metrics and goals match the known values of an ideal filter on the phantom."""

import json
import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from pseudoct_research.image_quality.goals import goals
from pseudoct_research.image_quality.quality_metrics import quality_metrics
from pseudoct_research.image_quality.quality_page import quality_page
from pseudoct_research.image_quality.quality_report import goals_table, report
from pseudoct_research.image_quality.quality_scan import (
    detector_mtf,
    scan_quality_phantom,
)
from pseudoct_research.phantom.quality_phantom import CONTRASTS_HU, PIXEL_MM
from PseudoCTDenoiseLib.ct.strength import apply_strength
from PseudoCTDenoiseLib.errors import BadInputError
from PseudoCTDenoiseLib.simulation.ct_scanner import CtScanner
from PseudoCTDenoiseLib.simulation.reconstruction_kernels import SOFT

SIGMA_MM = 0.7
REALISATIONS = 16


def identity(hu):
    return hu


def gaussian(frequency_per_cm):
    return np.exp(-2 * (math.pi * SIGMA_MM / 10 * frequency_per_cm) ** 2)


def ideal_filter(hu):
    cycles = torch.fft.fftfreq(hu.shape[-1], PIXEL_MM)
    radius = 10 * torch.hypot(cycles[:, None], cycles[None, : hu.shape[-1] // 2 + 1])
    spectrum = torch.fft.rfft2(torch.from_numpy(hu)) * torch.from_numpy(gaussian(radius.numpy()))
    return torch.fft.irfft2(spectrum, hu.shape[-2:]).numpy()


@pytest.fixture(scope="module")
def unchanged():
    scan = scan_quality_phantom(identity, SOFT, realisations=4)
    return quality_metrics(scan)


@pytest.fixture(scope="module")
def scan():
    return scan_quality_phantom(
        ideal_filter, SOFT, strengths=(0, 50, 100), realisations=REALISATIONS
    )


@pytest.fixture(scope="module")
def filtered(scan):
    return quality_metrics(scan)


def test_an_identity_denoiser_has_no_benefit_and_no_cost(unchanged):
    ldct, same = unchanged
    assert same.noise_reduction == 0
    assert same.f_av_per_cm == ldct.f_av_per_cm
    assert list(same.ttf50_ratio.values()) == pytest.approx([1.0] * 3, abs=1e-4)
    assert all(disc.change == disc.lowest == disc.highest == 0 for disc in same.discs)
    # In air the noise of the LDCT is clipped.
    bias = dict(same.hu_bias)
    assert 0 < bias.pop("air") < 2 and bias == pytest.approx(dict.fromkeys(bias, 0), abs=1e-3)
    missed = [goal.name for goal in goals(ldct, same) if not goal.met]
    assert "Noise reduction" in missed and set(missed) <= {"Noise reduction", "HU bias, air"}


@pytest.mark.slow
def test_the_ttf_of_a_filter_is_exact_at_every_contrast(filtered):
    frequency = torch.linspace(0, 8, 8001, dtype=torch.float64)
    mtf = torch.exp(-SOFT.damping(frequency)) * detector_mtf(CtScanner(), frequency)
    blurred = mtf * torch.from_numpy(gaussian(frequency.numpy()))
    half, clean_half = (float(frequency[(m < 0.5).nonzero()[0]]) for m in (blurred, mtf))
    for name in CONTRASTS_HU:
        assert filtered[0].ttf50_per_cm[name] == pytest.approx(clean_half, rel=0.01)
        assert filtered[-1].ttf50_per_cm[name] == pytest.approx(half, rel=0.03)
        assert filtered[-1].ttf50_ratio[name] == pytest.approx(half / clean_half, rel=0.03)


def test_the_nps_of_a_filter_is_exact(filtered):
    frequency, before = filtered[0].nps
    _, after = filtered[-1].nps
    expected = before * gaussian(frequency) ** 2
    assert np.abs(after - expected).max() < 0.03 * expected.max()
    mean = np.trapezoid(expected * frequency) / np.trapezoid(expected)
    assert filtered[-1].f_av_per_cm == pytest.approx(mean, rel=0.03)
    # The variance is the integral of the spectrum over the plane.
    left = math.sqrt(np.trapezoid(expected * frequency) / np.trapezoid(before * frequency))
    assert filtered[-1].noise_reduction == pytest.approx(100 * (1 - left), rel=0.03)


def test_a_filter_has_no_hu_bias(filtered):
    bias = {tissue: value for tissue, value in filtered[-1].hu_bias.items() if tissue != "air"}
    assert bias == pytest.approx(dict.fromkeys(bias, 0), abs=0.05)


def test_larger_discs_and_higher_contrasts_are_detected_better(filtered):
    auc = {(disc.diameter_mm, disc.contrast_hu): disc.auc for disc in filtered[0].discs}
    d_prime = {(disc.diameter_mm, disc.contrast_hu): disc.d_prime for disc in filtered[0].discs}
    assert auc[3, 5] < auc[5, 10] < auc[10, 15] <= 1
    assert d_prime[3, 5] < d_prime[5, 5] < d_prime[10, 5] < d_prime[10, 15]
    assert d_prime[10, 15] == pytest.approx(3 * d_prime[10, 5])


def test_the_metrics_are_those_of_the_strengths(scan, filtered):
    assert [metrics.strength for metrics in filtered] == [0, 50, 100]
    ldct, half, full = (windows[0] for windows in scan.windows)
    inside = slice(8, -8)  # the coarse noise near the border comes from outside of the window
    shown = apply_strength(ldct[None], full[None], 50)[0]
    assert half[inside, inside] == pytest.approx(shown[inside, inside], abs=1e-3)
    assert filtered[0].noise_reduction < filtered[1].noise_reduction < filtered[2].noise_reduction


def test_a_missed_goal_is_reported(filtered, tmp_path):
    found = {goal.name: goal for goal in goals(filtered[0], filtered[-1])}
    for name in CONTRASTS_HU:
        assert not found[f"TTF50 kept, {name} contrast"].met
    assert not found["Shift of f_av"].met and found["HU bias, fat"].met
    half = goals(filtered[0], filtered[1])
    table = goals_table({50: half, 100: list(found.values())})
    assert table.count("✗") == sum(not goal.met for goal in [*half, *found.values()])

    written = report({"model": "ideal"}, filtered)
    assert written["model"] == "ideal" and written["goals_at_strength_percent"] == 100
    assert {goal["name"]: goal["met"] for goal in written["goals"]} == {
        name: goal.met for name, goal in found.items()
    }
    assert [entry["strength_percent"] for entry in written["strengths"]] == [0, 50, 100]
    assert json.loads(json.dumps(written, allow_nan=False)) == written
    quality_page(tmp_path / "page.png", filtered, title="An ideal filter")
    assert (tmp_path / "page.png").read_bytes().startswith(b"\x89PNG")


def test_a_figure_that_cannot_be_measured_misses_its_goal(filtered):
    ldct, denoised = filtered[0], filtered[-1]
    broken = replace(denoised, ttf50_ratio=dict.fromkeys(CONTRASTS_HU, math.nan))
    found = {goal.name: goal for goal in goals(ldct, broken)}
    assert not found["TTF50 kept, low contrast"].met
    written = report({}, [ldct, broken])["goals"]
    assert next(g for g in written if g["name"] == "TTF50 kept, low contrast")["value"] is None


@pytest.mark.slow
def test_the_same_seed_gives_the_same_scans():
    one, same, other = (
        scan_quality_phantom(identity, SOFT, realisations=4, seed=seed) for seed in (3, 3, 4)
    )
    assert np.array_equal(one.windows, same.windows)
    assert not np.array_equal(one.windows, other.windows)


@pytest.mark.parametrize("count", [-2, 0, 2, 5])
def test_invalid_numbers_of_realisations_are_refused(count):
    with pytest.raises(BadInputError, match="even number"):
        scan_quality_phantom(identity, SOFT, realisations=count)


@pytest.mark.parametrize("denoise", [lambda hu: hu[:, 1:], lambda hu: hu * np.nan])
def test_an_invalid_result_of_the_denoiser_is_refused(denoise):
    with pytest.raises(BadInputError, match="another shape or values"):
        scan_quality_phantom(denoise, SOFT, realisations=4)
