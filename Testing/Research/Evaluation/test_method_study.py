"""Metrics of the study of the method, on constructed cases."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from pseudoct_research.datasets.ct_dataset import CtScan
from pseudoct_research.evaluation import method_study
from pseudoct_research.evaluation.comparison import CtPair
from pseudoct_research.evaluation.method_study import (
    INGREDIENTS,
    METHOD,
    NO_TUNING,
    WITH_METHOD,
    Condition,
    banding,
    clean_scan,
    measure,
    risk_accuracy,
    stopping_curve,
    study_pairs,
)

SHORT = replace(METHOD, steps=40, patch_size=16, batch=2, tuning_slices=2, learning_rate=1e-3)


def body(slices=3, size=64):
    hu = np.full((slices, size, size), -1000.0)
    hu[:, 8:-8, 8:-8] = 50
    return hu


def pair(noise=40.0):
    rng = np.random.default_rng(0)
    clean = np.full((3, 64, 64), 50, np.int16)
    noisy = clean + noise * rng.normal(size=clean.shape)
    return CtPair("one", np.rint(noisy).clip(-1024).astype(np.int16), clean, 1.0)


def nothing():
    """Network that returns its input."""
    network = torch.nn.Conv2d(1, 1, 1, bias=False)
    torch.nn.init.ones_(network.weight)
    return network


def blur():
    """Weighted mean of 3×3 pixels; tuning would spread its weights."""
    network = torch.nn.Conv2d(1, 1, 3, padding=1, padding_mode="replicate", bias=False)
    torch.nn.init.constant_(network.weight, 0.07)
    with torch.no_grad():
        network.weight[0, 0, 1, 1] = 0.44
    return network


def test_an_identity_network_gains_nothing():
    start, same = measure(pair(), nothing(), [], {"same": method_study.START}, 0.25)
    for row in (start, same):
        assert row["gain"] == row["more"] == row["change_hu"] == row["steps"] == 0
    assert start["variant"] == NO_TUNING and start["best_step"] is None


def test_gain_and_change_of_tuning_are_relative_to_the_baseline():
    one = pair()
    start, tuned = measure(one, blur(), [], {WITH_METHOD: SHORT}, 0.25)
    assert tuned["more"] == pytest.approx(tuned["gain"] - start["gain"])
    assert start["gain"] > 1 and tuned["more"] > 0 and tuned["change_hu"] > 0
    assert tuned["steps"] == 40 and tuned["best_step"] in (0, 20, 40)


def test_a_stopping_curve_has_the_true_gain_at_every_estimate():
    one = pair()
    curve = stopping_curve(one, blur(), 60, replace(SHORT, patience=20))
    assert [row["step"] for row in curve] == [0, 20, 40, 60]
    assert next(row["step"] for row in curve if row["chosen"]) <= SHORT.steps
    assert curve[0]["gain"] > 1 and len({row["gain"] for row in curve}) == 4
    assert sum(row["chosen"] for row in curve) == 1
    taken = next(row for row in curve if row["chosen"])
    assert taken["risk_hu2"] <= curve[0]["risk_hu2"]


def test_the_error_of_a_stopping_curve_is_that_of_the_network_itself():
    one, settings = pair(), replace(SHORT, patience=20)
    unchanged = stopping_curve(one, nothing(), 20, settings)[0]["error_hu2"]
    assert unchanged == pytest.approx(np.mean((one.ldct - one.ndct) ** 2.0), rel=0.01)
    first, *_, last = stopping_curve(one, blur(), 40, settings)
    assert first["error_hu2"] < unchanged and last["error_hu2"] != first["error_hu2"]


def test_the_accuracy_of_the_risk_is_that_of_known_curves():
    curve = [
        {"risk_hu2": str(risk), "error_hu2": str(error), "chosen": str(risk == 10)}
        for risk, error in ((40, 90), (30, 70), (10, 30), (35, 80))
    ]
    assert risk_accuracy(curve) == pytest.approx(
        {"estimated_hu2": -30, "true_hu2": -60, "correlation": 1}
    )
    curve[2]["error_hu2"] = "120"
    assert risk_accuracy(curve)["true_hu2"] == 30 and risk_accuracy(curve)["correlation"] < 0


def test_the_gain_at_the_chosen_step_is_that_of_the_method():
    one, settings = pair(), replace(SHORT, patience=20, orientations=1, anchor=None)
    taken = next(row for row in stopping_curve(one, blur(), 60, settings) if row["chosen"])
    _, method = measure(one, blur(), [], {WITH_METHOD: settings}, 0.25)
    assert method["best_step"] == taken["step"] > 0 and method["share"] in (0.5, 1.0)
    assert method["gain"] == pytest.approx(taken["gain"], abs=0.005)


def test_a_noise_free_scan_hardly_changes(monkeypatch):
    monkeypatch.setattr(method_study, "METHOD", SHORT)
    clean = np.rint(body()).astype(np.int16)
    row = clean_scan(nothing(), clean, 1.0)
    assert row["steps"] == 0 and row["noise_found_hu"] < 4
    assert row["change_hu"] == row["start_change_hu"] == 0


@pytest.mark.slow
def test_banding_is_the_deviation_of_the_slice_means():
    reference = body(slices=400, size=32)
    off = np.random.default_rng(0).normal(0, 3, size=(400, 1, 1))
    drift = np.linspace(0, 5, 400)[:, None, None]  # a slow drift is not banding
    assert banding(reference[:9], reference[:9]) == 0
    assert banding(reference + off + drift, reference) == pytest.approx(3, rel=0.08)


@pytest.mark.slow
def test_every_scan_is_simulated_in_every_condition():
    noise = np.random.default_rng(0).normal(0, 10, size=(9, 64, 64))
    scan = CtScan("one", np.rint(body(slices=9) + noise).astype(np.int16), 1.0)
    conditions = [Condition("soft", 0.25), Condition("sharp", 0.1)]
    seen = list(study_pairs([scan, scan], conditions, 3))
    assert [(one, number) for one, number, _ in seen] == [
        (condition, number) for condition in conditions for number in range(2)
    ]
    assert all(len(pair.ndct) == 3 for *_, pair in seen)
    assert np.array_equal(seen[0][2].ndct, scan.hu[[1, 4, 7]])
    noise = [float((one.ldct - one.ndct)[:, 20:-20, 20:-20].std()) for *_, one in seen]
    assert noise[2] > 2 * noise[0]


CHANGES = {
    WITH_METHOD: {},
    "no density anchor": {"anchor": None},
    "no moving average": {"moving_average": None},
    "no stop rule": {"patience": None},
    "a quarter of the learning rate": {"learning_rate": METHOD.learning_rate / 4},
    "four times the learning rate": {"learning_rate": METHOD.learning_rate * 4},
    "noise always as drawn": {"noise_sign": "as-is"},
    "one slice to tune on": {"tuning_slices": 1},
    "own output as target": {"teacher": "network"},
}


@pytest.mark.parametrize("name", CHANGES)
def test_an_ingredient_changes_the_setting_of_its_name(name):
    assert INGREDIENTS[name] == replace(METHOD, orientations=3, **CHANGES[name])


def test_at_a_quarter_of_the_dose_the_target_is_the_ndct():
    _, tuned = measure(pair(), blur(), [], {WITH_METHOD: SHORT}, 0.25)
    assert tuned["more_target"] == pytest.approx(tuned["more"], abs=1e-4)
