"""The clock of a job reports the remaining time."""

from __future__ import annotations

import pytest
from PseudoCTDenoiseLib.denoising import progress as job_progress
from PseudoCTDenoiseLib.denoising.progress import JobClock


@pytest.fixture
def wait(monkeypatch):
    """Return a function that advances the clock by a number of seconds."""
    now = [1000.0]
    monkeypatch.setattr(job_progress.time, "monotonic", lambda: now[0])

    def wait(seconds):
        now[0] += seconds

    return wait


def test_a_job_on_time_has_the_rest_of_the_plan_left(wait):
    clock = JobClock({"tuning": 10.0, "denoising": 30.0})
    wait(5)
    assert clock.update("tuning", 0.5) == 35
    wait(15)
    assert clock.update("denoising", 0.5) == 15 + 5
    wait(20)
    clock.update("tuning", 1.0)
    assert clock.update("denoising", 1.0) == 0


def test_a_job_that_is_twice_as_slow_as_planned_takes_twice_the_plan(wait):
    clock = JobClock({"tuning": 100.0})
    left = []
    for tenth in range(1, 11):
        wait(20)
        left.append(clock.update("tuning", tenth / 10))
    assert left == sorted(left, reverse=True)
    assert left[4] == pytest.approx((100 + 25) / (50 + 25) * 50)
    assert left[8] == pytest.approx(20, rel=0.15) and left[9] == 0


def test_a_slow_first_step_hardly_changes_the_remaining_time(wait):
    clock = JobClock({"tuning": 10.0})
    wait(3)
    assert clock.update("tuning", 0.01) < 22  # at that pace it would be 300


def test_a_stage_has_the_seconds_up_to_its_last_update(wait):
    clock = JobClock({"tuning": 1.0, "denoising": 1.0})
    wait(3)
    clock.update("tuning", 1.0)
    wait(4)
    clock.update("denoising", 1.0)  # its only note: the work was done before
    assert clock.seconds == {"tuning": 3, "denoising": 4}


def test_stages_that_take_turns_do_not_count_each_others_seconds(wait):
    clock = JobClock({"tuning": 4.0, "denoising": 2.0})
    for turn in range(2):
        wait(4)
        clock.update("tuning", (turn + 1) / 2)
        wait(2)
        left = clock.update("denoising", (turn + 1) / 2)
        assert left == (pytest.approx((6 + 1.5) / (3 + 1.5) * 3) if turn == 0 else 0)
    assert clock.seconds == {"tuning": 8, "denoising": 4}


def test_a_stage_that_never_ran_took_no_time(wait):
    clock = JobClock({"tuning": 1.0, "denoising": 1.0})
    wait(1)
    clock.update("denoising", 1.0)
    assert clock.seconds == {"tuning": 0, "denoising": 1}


def test_a_plan_of_no_time_leaves_none(wait):
    assert JobClock({"denoising": 0.0}).update("denoising", 0.5) == 0
