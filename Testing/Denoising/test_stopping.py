"""Early stopping: the patience rule, and the weights that are the result."""

import numpy as np
import pytest
import torch
from PseudoCTDenoiseLib.denoising.plan import RISK_EVERY
from PseudoCTDenoiseLib.denoising.settings import DenoisingSettings
from PseudoCTDenoiseLib.denoising.stopping import (
    StopRule,
    interpolate_weights,
    risk_stop_rule,
    tuned_weight_share,
)


def stops_after(values, patience):
    """Return the last step, None if there is none, and the best step, for values from step 1 on."""
    rule = StopRule(patience)
    end = next((step for step, value in enumerate(values, 1) if rule(step, value)), None)
    return end, rule.best_step


@pytest.mark.parametrize("patience", [1, 5, 30])
def test_a_flat_curve_stops_after_the_patience(patience):
    assert stops_after([4.0] * 200, patience) == (1 + patience, 1)


def test_a_falling_curve_never_stops():
    assert stops_after(np.linspace(9, 1, 300), 1) == (None, 300)


@pytest.mark.parametrize("patience", [3, 10, 25])
def test_a_curve_that_rises_again_stops_the_patience_after_its_lowest(patience):
    values = [*np.linspace(10, 1, 50), *np.linspace(1.1, 10, 100)]
    assert stops_after(values, patience) == (50 + patience, 50)


def test_a_second_decrease_within_the_patience_goes_on():
    assert stops_after([4.0] * 10 + [3.0] * 100, 15) == (11 + 15, 11)


def test_without_patience_all_steps_are_run():
    assert stops_after([4.0] * 500, None) == (None, 1)


def test_steps_may_lie_apart_like_those_of_the_risk():
    rule = StopRule(40)
    curve = {0: 9.0, 20: 7.0, 40: 6.5, 60: 6.6, 80: 6.7, 100: 6.8}
    assert [step for step, value in curve.items() if rule(step, value)] == [80, 100]
    assert rule.best_step == 40


def test_one_estimate_that_is_higher_by_chance_does_not_end_the_tuning_of_the_default():
    rule = risk_stop_rule(DenoisingSettings().patience, removed_energy=100.0)
    curve = zip(range(0, 5 * RISK_EVERY, RISK_EVERY), [90.0, 70.0, 75.0, 60.0, 50.0], strict=True)
    assert not any([rule(step, risk) for step, risk in curve])


FLAT_CURVES = [
    ({0: 9.0, 20: 6.0, 40: 6.3, 60: 6.4, 80: 6.2}, 80),
    ({0: 9.0, 20: 6.0, 40: 6.6, 60: 6.4, 80: 6.6}, 60),
    ({0: 9.0, 20: 9.2, 40: 9.3, 60: 9.4, 80: 9.1}, 0),
    ({0: 9.0, 20: 8.8, 40: 9.1, 60: 8.9, 80: 9.0}, 60),
]


@pytest.mark.parametrize(("curve", "best"), FLAT_CURVES)
def test_the_latest_step_within_the_tolerance_is_best_if_it_is_better_than_the_first(curve, best):
    rule = StopRule(1000, tolerance=0.5)
    for step, value in curve.items():
        rule(step, value)
    assert rule.best_step == best


def test_a_curve_within_the_tolerance_goes_on():
    rule = StopRule(40, tolerance=0.5)
    curve = {0: 9.0, 20: 6.0, 40: 6.4, 60: 6.4, 80: 6.6, 100: 6.6}
    assert [step for step, value in curve.items() if rule(step, value)] == [100]


def test_a_risk_that_stays_flat_goes_on_and_one_that_rises_clearly_ends():
    for rise, best in ((0.1, 60), (5.0, 20)):
        rule = risk_stop_rule(1000, removed_energy=100.0)
        for step, risk in {0: 90.0, 20: 60.0, 40: 60.0 + rise, 60: 60.0 + rise}.items():
            rule(step, risk)
        assert rule.best_step == best


def test_an_implausible_risk_ends_the_tuning_without_a_result():
    rule = risk_stop_rule(1000, removed_energy=100.0)
    curve = {0: 45.0, 20: 9.0, 40: -9.9, 60: -10.1}
    assert [step for step, risk in curve.items() if rule(step, risk)] == [60]
    assert rule.implausible and rule.best_step == 0


@pytest.mark.parametrize("risk", [60.0, 100.0, 120.0])
def test_step_0_has_no_tuned_weights(risk):
    assert tuned_weight_share({0: risk, 20: 100.0}, 0, 80.0) == 0


@pytest.mark.parametrize(
    ("percent", "share"),
    [(-0.5, 0.5), (4.9, 0.5), (5.1, 1.0), (60.0, 1.0)],
)
def test_tuned_weights_are_averaged_unless_the_risk_falls_enough(percent, share):
    """The page on the default method states 5 % of the energy of the removed noise."""
    fallen = percent / 100 * 80.0
    assert tuned_weight_share({0: 100.0, 20: 100.0 - fallen}, 20, 80.0) == share


@pytest.mark.parametrize("share", [0.0, 0.5, 1.0])
def test_weights_are_interpolated_between_start_and_tuned(share):
    start, tuned = torch.nn.Linear(2, 2), torch.nn.Linear(2, 2)
    for network, value in ((start, 1.0), (tuned, 3.0)):
        torch.nn.init.constant_(network.weight, value)
    interpolate_weights(tuned, start, share)
    assert (tuned.weight == 1 + 2 * share).all() and (start.weight == 1).all()
