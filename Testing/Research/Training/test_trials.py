"""Trials differ in one setting each and are validated on held-out conditions."""

from __future__ import annotations

from dataclasses import asdict

import numpy as np
import pytest
from pseudoct_research.training.training_pairs import NoisySlice
from pseudoct_research.training.trials import (
    BASE,
    HELD_OUT,
    NARROW,
    TRIALS,
    held_out_patches,
    milliseconds_a_slice,
)
from PseudoCTDenoiseLib.models.networks import build_network

ALL = [trial for group in TRIALS.values() for trial in group]


@pytest.mark.parametrize("trial", ALL, ids=lambda trial: trial.name)
def test_a_trial_differs_in_one_setting(trial):
    base, mine = asdict(BASE), asdict(trial.settings)
    different = {key for key in base if base[key] != mine[key]}
    assert len(different - {"parameters"}) <= 1
    build_network(trial.settings.architecture, trial.settings.parameters)


def test_trials_have_unique_names():
    by_name = {trial.name: trial for trial in ALL}
    assert all(by_name[trial.name] == trial for trial in ALL)
    settings = [str(asdict(trial.settings)) for trial in by_name.values()]
    assert len(set(settings)) == len(settings)


def test_held_out_conditions_are_outside_the_training_domain():
    def inside(dose, sharpness, thickness):
        return (
            NARROW.doses[0] <= dose <= NARROW.doses[1]
            and NARROW.sharpness[0] <= sharpness <= NARROW.sharpness[1]
            and NARROW.thickness[0] <= thickness <= NARROW.thickness[1]
        )

    assert [name for name, one in HELD_OUT.items() if inside(*one)] == ["seen"]


def stack(count=4, size=220):
    rng = np.random.default_rng(0)
    below, slices = None, []
    for _ in range(count):
        ndct = np.full((size, size), 50, np.int16)
        noise = rng.normal(0, 20, size=(2, size, size)).astype(np.float16)
        below = NoisySlice(ndct, noise, 0.8, below)
        slices.append(below)
    return slices


def test_thick_slices_and_low_doses_differ_in_their_noise():
    patches = held_out_patches(stack(), count=3, size=64)
    noise = {name: float((low - normal).std()) for name, (low, normal) in patches.items()}
    assert set(noise) == set(HELD_OUT)
    # Averaging three slices gives 1/√3 of σ; 6 % dose (16.7 − 1)/(4 − 1) of the variance.
    assert noise["thickness"] / noise["seen"] == pytest.approx(3**-0.5, rel=0.1)
    assert noise["dose"] / noise["seen"] > 1.8
    assert all(low.shape == (3, 1, 64, 64) for low, _ in patches.values())


def test_a_forward_pass_is_timed():
    assert milliseconds_a_slice(build_network("UNet", {"widths": [2, 4]}), 32, runs=1) > 0
