"""A check reports the device of a job and estimates its time."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from Denoising.job_cases import (
    noise_models,
    unet,
    with_other_last_layers,
)
from PseudoCTDenoiseLib.denoising import trial_timing
from PseudoCTDenoiseLib.denoising.job import DenoisingJob
from PseudoCTDenoiseLib.denoising.map_choice import ENSEMBLE, NO_MAPS
from PseudoCTDenoiseLib.denoising.plan import SHORT_SCAN
from PseudoCTDenoiseLib.denoising.presets import paper_settings
from PseudoCTDenoiseLib.denoising.settings import DenoisingSettings
from PseudoCTDenoiseLib.worker.device_check import DeviceCheck
from PseudoCTDenoiseLib.worker.protocol import CheckResult
from PseudoCTDenoiseLib.worker.runner import SubprocessRunner
from PseudoCTDenoiseLib.worker.worker_process import JobState

DEFAULT = DenoisingSettings()
LONG = DenoisingSettings(steps=1000)
SAY = f"""
hello()
say("log", text=" ".join(sys.argv[2:]))
say("device", description="CPU", reason="no GPU")
say("check", seconds_to_start=1.0, seconds_per_slice=2.0, seconds_per_update=3.0,
    seconds_per_noise=4.0, seconds_per_tuning_slice=5.0,
    have_one_trunk=False, default_settings={DEFAULT.as_dict()!r})
"""


@pytest.fixture
def check(fake_worker, make_runner):
    """Return a function that makes a check with a worker of a few lines."""
    return lambda code, *given, **options: DeviceCheck(
        make_runner(), 512, 400, *given, program=fake_worker("folder = ''\n" + code), **options
    )


def test_a_check_has_its_device_and_its_times(check):
    one = check(SAY)
    one.start()
    assert one.wait() is JobState.COMPLETED
    assert (one.device.description, one.device.reason) == ("CPU", "no GPU")
    assert one.timing.seconds_per_update == 3.0


def test_the_arguments_reach_the_worker(check):
    one, logs = check(SAY, "cuda", "big"), []
    one.logged.connect(logs.append)
    one.start()
    one.wait()
    assert logs == ["--check 512x400 --device cuda --model big"]


def test_a_check_without_times_is_a_failure(check):
    one = check("hello()")
    one.start()
    assert one.wait() is JobState.FAILED
    assert one.failure.kind == "bad-result" and "device" in one.failure.message


def test_a_check_may_be_cancelled(check):
    one = check("hello()\nassert input() == 'cancel'\nsys.exit(3)")
    one.start()
    one.cancel()
    assert one.wait() is JobState.CANCELLED and one.timing is None


@pytest.mark.slow
def test_a_check_of_this_machine():
    one = DeviceCheck(SubprocessRunner(), 64, 64, "cpu")
    one.start()
    assert one.wait() is JobState.COMPLETED, one.failure
    assert "CPU" in one.device.description and one.device.reason == "selected by the user"
    assert one.estimate_seconds(LONG, 3) > one.estimate_seconds(replace(LONG, steps=1), 3) > 0


@pytest.fixture
def timed():
    """A check in which every part took one second, and the start no time."""
    one = DeviceCheck(SubprocessRunner(), 64, 64)
    one.timing = CheckResult(0.0, 1.0, 1.0, 1.0, 1.0, False, DEFAULT.as_dict())
    return one


@pytest.mark.parametrize("one_trunk", [False, True])
@pytest.mark.parametrize("with_maps", [False, True])
@pytest.mark.parametrize(
    "settings",
    [
        DEFAULT,
        DenoisingSettings(method="pretrained"),
        DenoisingSettings(steps=0, orientations=8),
        paper_settings(),
        paper_settings(update_period=20),
        DenoisingSettings(teacher="network", tuning_slices=2),
        paper_settings(tuning="slice", steps=7),
    ],
)
def test_the_estimate_equals_that_of_the_engine(timed, monkeypatch, settings, with_maps, one_trunk):
    denoiser = unet()
    models = [with_other_last_layers(denoiser, 1)] if one_trunk else noise_models()
    timed.timing = replace(timed.timing, have_one_trunk=one_trunk)
    trials = []
    monkeypatch.setattr(
        trial_timing, "shortest_time", lambda work, device: trials.append(work) or 1.0
    )
    job = DenoisingJob(
        np.zeros((3, 64, 64), np.int16),
        denoiser,
        models,
        replace(settings, device="cpu", precision="float32"),
        maps=ENSEMBLE if with_maps else NO_MAPS,
    )
    expected = job.estimate().total_seconds + 2 * len(trials)  # each is done twice
    assert timed.estimate_seconds(settings, 3, with_maps) == expected


def test_a_long_scan_is_estimated_in_three_orientations_and_a_short_one_in_eight(timed):
    once = DenoisingSettings(method="pretrained", anchor=None)
    as_many = SHORT_SCAN * 8**2  # of the check's 64×64 as there are of 512×512
    for slices, orientations in ((as_many, 8), (as_many + 1, 3)):
        told = timed.estimate_seconds(replace(once, orientations=orientations), slices)
        assert timed.estimate_seconds(once, slices) == told


def test_an_update_takes_as_long_as_it_has_pixels(timed):
    seconds = [
        timed.estimate_seconds(replace(LONG, batch=DEFAULT.batch * factor), 1, False)
        for factor in (1, 2, 3)
    ]
    first, second = seconds[1] - seconds[0], seconds[2] - seconds[1]
    assert first == pytest.approx(second) == pytest.approx(1002)
    more, larger = (
        timed.estimate_seconds(replace(LONG, **change), 1, False)
        for change in ({"batch": 4 * LONG.batch}, {"patch_size": 2 * LONG.patch_size})
    )
    assert larger == pytest.approx(more)
