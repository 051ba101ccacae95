"""The simulator's noise matches a real scanner in texture and in dependence on dose."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from pseudoct_research.evaluation.simulator_check import (
    RealNoise,
    SimulatedNoise,
    acceptance,
    read_facts,
    simulated_noise,
)
from PseudoCTDenoiseLib.errors import BadInputError

LAGS = ("x1", "x2", "x3", "y1", "y2", "y3")


def real(f_av, spectrum, correlations, spread):
    means = dict(zip(LAGS, correlations, strict=True))
    return RealNoise(
        f_av, np.array(spectrum) / 1e4, means, dict(zip(LAGS, spread, strict=True)), {}
    )


# Means of two patients (kernel B30f) and of three (D45f) of one Siemens scanner at quarter dose.
# fmt: off
REAL = {
    "soft": real(
        2.595,
        (241, 246, 322, 417, 502, 574, 680, 671, 682, 705, 667, 647, 626, 538, 490, 400,
         351, 293, 236, 188, 142, 108, 84, 58, 44, 30, 20, 14, 10, 6, 4, 2),
        (0.523, 0.040, -0.003, 0.397, -0.135, -0.086),
        (0.022, 0.024, 0.038, 0.082, 0.044, 0.014),
    ),
    "sharp": real(
        4.68,
        (73, 69, 88, 105, 137, 165, 182, 199, 229, 264, 294, 317, 313, 351, 358, 397,
         410, 427, 430, 470, 476, 462, 462, 475, 445, 428, 416, 387, 341, 308, 271, 251),
        (0.114, -0.016, -0.018, -0.098, -0.045, -0.007),
        (0.120, 0.058, 0.019, 0.005, 0.091, 0.012),
    ),
}
# fmt: on

KERNELS = pytest.mark.parametrize("kernel", ["soft", "sharp"])


@pytest.fixture(scope="module")
def measured():
    return simulated_noise()


@KERNELS
@pytest.mark.slow
def test_noise_on_the_phantom_is_accepted(measured, kernel):
    failed = [c for c in acceptance(measured[kernel], REAL[kernel]) if not c.passed]
    assert not failed


@KERNELS
@pytest.mark.slow
def test_noise_on_the_phantom_is_accepted_by_the_facts_file(measured, kernel, shared):
    facts = read_facts(shared / "data" / "noise_facts.json")
    failed = [c for c in acceptance(measured[kernel], facts[kernel]) if not c.passed]
    assert not failed


@KERNELS
def test_the_figures_in_this_file_match_the_facts_file(kernel, shared):
    facts = read_facts(shared / "data" / "noise_facts.json")[kernel]
    kept = REAL[kernel]
    assert kept.f_av_per_cm == pytest.approx(facts.f_av_per_cm)
    np.testing.assert_allclose(kept.spectrum, facts.spectrum, atol=6e-5)
    assert kept.autocorrelation == pytest.approx(facts.autocorrelation, abs=6e-4)
    assert kept.spread == pytest.approx(facts.spread, abs=6e-4)


@pytest.mark.slow
def test_the_kernels_differ_like_real_kernels(measured):
    soft, sharp = measured["soft"], measured["sharp"]
    assert sharp.f_av_per_cm - soft.f_av_per_cm > 1.5
    assert 2 < sharp.sigma_hu / soft.sigma_hu < 3.5
    assert soft.quanta == sharp.quanta


def noise(**changes):
    """Return a measurement that equals REAL["soft"] in every figure."""
    soft = REAL["soft"]
    frequency = np.arange(0.125, 8, 0.25)
    agreeing = SimulatedNoise(
        "soft", 5e4, frequency, soft.spectrum, soft.autocorrelation, 24.0, {0.5: 3**-0.5}, 0.8
    )
    return replace(agreeing, **changes)


def failures(measured, against=REAL["soft"]):
    return [check.metric for check in acceptance(measured, against) if check.passed is False]


def test_every_figure_can_fail():
    assert failures(noise()) == []
    shifted = np.roll(REAL["soft"].spectrum, 1)
    assert failures(noise(spectrum=shifted))[0] == "f_av in 1/cm"
    bump = REAL["soft"].spectrum.copy()
    bump[9] *= 1.2
    assert failures(noise(spectrum=bump)) == ["largest deviation of the NPS in % of its peak"]
    lags = REAL["soft"].autocorrelation | {"x2": 0.14}
    assert failures(noise(autocorrelation=lags)) == ["autocorrelation x2"]
    assert failures(noise(dose_ratios={0.5: 0.62})) == ["σ added at dose 0.5 over that at 0.25"]
    assert failures(noise(lung_to_liver=0.5)) == ["σ in lung over σ in liver"]


def test_without_real_figures_only_the_laws_are_checked():
    checks = acceptance(noise(lung_to_liver=0.5))
    assert [c.passed for c in checks if "dose" in c.metric or "lung" in c.metric] == [True, False]
    assert all(c.passed is None for c in checks if "f_av" in c.metric or "auto" in c.metric)


@pytest.mark.parametrize("content", ["no json", "[]", "{}", '{"soft_kernel": []}', None])
def test_files_without_the_figures_are_refused(tmp_path, content):
    path = tmp_path / "facts.json"
    if content is not None:
        path.write_text(content)
    with pytest.raises(BadInputError, match="facts.json"):
        read_facts(path)


FREQUENCIES = (np.arange(32) + 0.5) / 4


def facts_of(folder, *patients):
    path = folder / "facts.json"
    kinds = {"soft_kernel_X": patients, "sharp_kernel_Y": patients[:1], "what": ""}
    path.write_text(json.dumps(kinds), "utf-8")
    return path


def patient(name, f_av, x1, frequencies=FREQUENCIES):
    return {
        "patient": name,
        "f_av_per_cm": f_av,
        "autocorr": {"x1": x1},
        "nps_freq_per_cm": list(frequencies),
        "nps_normalised": [x1, 1 - x1, *[0.0] * (len(frequencies) - 2)],
    }


def test_facts_are_means_over_patients(tmp_path):
    path = facts_of(tmp_path, patient("a", 2.0, 0.25), patient("b", 3.0, 0.75))
    facts = read_facts(path)["soft"]
    assert facts.f_av_per_cm == 2.5
    assert facts.autocorrelation == {"x1": 0.5}
    assert facts.spread == {"x1": 0.25}
    np.testing.assert_allclose(facts.spectrum[:3], [0.5, 0.5, 0])
    assert list(facts.patients) == ["a", "b"]


@pytest.mark.parametrize("frequencies", [FREQUENCIES[:20], 1.1 * FREQUENCIES])
def test_spectra_at_other_frequencies_are_refused(tmp_path, frequencies):
    path = facts_of(tmp_path, patient("a", 2.0, 0.25, frequencies))
    with pytest.raises(BadInputError, match="spectrum of a is not at the 32 frequencies"):
        read_facts(path)
