"""The plan of a job has its stages, and its seconds follow from those of the parts."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from PseudoCTDenoiseLib.denoising import trial_timing
from PseudoCTDenoiseLib.denoising.map_choice import ENSEMBLE, NO_MAPS
from PseudoCTDenoiseLib.denoising.plan import (
    DENOISING,
    FIRST_SIMULATION_SECONDS,
    MAPS,
    NOISE,
    RISK_PASSES,
    SHORT_SCAN,
    SIMULATION_SECONDS,
    TUNING,
    PartSeconds,
    plan_job,
    resolve_orientations,
)

from .job_cases import (
    BOTH,
    DEFAULT,
    NAMES,
    PAPER,
    PRETRAINED,
    job,
    scan,
    unet,
    with_other_last_layers,
)

SECOND = PartSeconds(1.0, 1.0, 1.0, 1.0)
PLAIN = replace(PAPER, update_period=None)


@pytest.mark.parametrize("size", [256, 512, 1024])
def test_a_short_scan_has_eight_orientations_and_one_with_more_pixels_three(size):
    settings = replace(PRETRAINED, orientations=None)
    longest = SHORT_SCAN * 512**2 // size**2
    for slices, orientations in ((1, 8), (longest, 8), (longest + 1, 3)):
        resolved = resolve_orientations(settings, (slices, size, size))
        assert resolved == replace(settings, orientations=orientations)
    assert resolve_orientations(PRETRAINED, (longest + 1, size, size)) is PRETRAINED


@pytest.mark.parametrize("maps", [NO_MAPS, ENSEMBLE])
@pytest.mark.parametrize(
    "settings",
    [*BOTH, PRETRAINED, replace(PAPER, tuning="slice"), replace(DEFAULT, steps=0)],
    ids=[*NAMES, "pretrained", "paper, per slice", "no steps"],
)
def test_the_estimate_has_the_stages_that_run(settings, maps):
    planned = job(scan(), settings, maps=maps)
    plan = planned.estimate()
    reports = []
    result = planned.run(plan, progress=reports.append)
    assert list(plan.seconds) == planned.stages == list(result.seconds)
    assert list(dict.fromkeys(report.stage for report in reports)) == planned.stages
    assert all(seconds > 0 for seconds in (*plan.seconds.values(), *result.seconds.values()))
    assert plan.total_seconds == sum(plan.seconds.values())


def test_the_papers_loop_is_planned_by_its_updates_and_forward_passes():
    def seconds(**changes):
        return plan_job(replace(PLAIN, **changes), 3, True, SECOND).seconds

    # Two slices to tune on, three slices in all, four steps.
    assert seconds() == {NOISE: 2, TUNING: 4 + 2, DENOISING: 3, MAPS: 3}
    assert seconds(tuning="slice") == {NOISE: 3, TUNING: 3 * (4 + 1), DENOISING: 3, MAPS: 3}
    assert seconds(orientations=8)[DENOISING] == 3 * 8
    assert seconds(update_period=2)[TUNING] == 4 + 2 * 2
    assert seconds(anchor="density")[DENOISING] == 3 + 2


def test_the_default_is_planned_with_its_simulation_and_its_risk_estimates():
    part = PartSeconds(slice=0.0, update=0.0, noise=0.0, tuning_slice=1.0)
    targets = 2 * 1.0 + FIRST_SIMULATION_SECONDS + 2 * SIMULATION_SECONDS
    without_risk = plan_job(replace(DEFAULT, patience=None), 3, False, part)
    assert without_risk.seconds[TUNING] == pytest.approx(targets)
    assert without_risk.first_targets_share == pytest.approx(1.0)
    # Forty steps have two estimates more than none, each on the two slices.
    none, two = (
        plan_job(replace(DEFAULT, steps=steps), 3, False, part).seconds[TUNING]
        for steps in (20, 60)
    )
    assert two - none == pytest.approx(2 * 2 * RISK_PASSES)


def test_the_share_before_the_first_step_is_that_of_the_first_targets():
    assert plan_job(PLAIN, 3, False, SECOND).first_targets_share == pytest.approx(2 / (4 + 2))
    assert plan_job(PRETRAINED, 3, False, SECOND).first_targets_share == 0


def test_the_estimate_takes_tuning_to_be_in_float32(monkeypatch):
    seen = []

    def seconds(work, device):
        seen.clear()
        work()
        return 1.0 if torch.bfloat16 in seen else 10.0

    denoiser = unet()
    denoiser.bottom.first.register_forward_hook(lambda layer, given, out: seen.append(out.dtype))
    monkeypatch.setattr(trial_timing, "shortest_time", seconds)
    settings = replace(DEFAULT, precision="bfloat16")
    part = job(scan(), settings, [], denoiser).part_seconds()
    assert part == PartSeconds(slice=1.0, update=10.0, noise=0.0, tuning_slice=10.0)


def test_the_forward_pass_is_timed_in_one_orientation(monkeypatch):
    seen = []

    def in_one_orientation(network, slices, *, orientations=1, precision=torch.float32):
        seen.append((orientations, len(slices)))
        return slices

    monkeypatch.setattr(trial_timing, "apply_network", in_one_orientation)
    job(scan(), replace(PRETRAINED, orientations=8), []).part_seconds()
    assert set(seen) == {(1, 1)}


def test_an_update_is_timed_on_patches_that_fit_the_slice(monkeypatch):
    shapes = []
    denoiser = unet()
    denoiser.head.register_forward_pre_hook(lambda layer, given: shapes.append(given[0].shape))
    monkeypatch.setattr(trial_timing, "shortest_time", lambda work, device: work())
    image = torch.zeros(1, 16, 48)
    trial_timing.time_update(denoiser, image, replace(DEFAULT, patch_size=32, batch=2))
    assert shapes and set(shapes) == {(2, 4, 8, 8)}  # two patches of 16×16, unshuffled


def test_passes_of_noise_models_are_planned_in_full_where_the_paper_needs_them(monkeypatch):
    monkeypatch.setattr(trial_timing, "shortest_time", lambda work, device: 1.0)
    denoiser = unet()
    models = [with_other_last_layers(denoiser, 1)]
    seconds = job(scan(), PAPER, models, denoiser, maps=ENSEMBLE).estimate().seconds
    assert (seconds[NOISE], seconds[MAPS]) == (2.0, 3.0)
