"""How the time that a job still takes is told."""

from __future__ import annotations

import pytest
from PseudoCTDenoiseLib.engine import job_progress
from PseudoCTDenoiseLib.engine.job_progress import JobClock


@pytest.fixture
def wait(monkeypatch):
    """Lets the clock go on by so many seconds."""
    now = [1000.0]
    monkeypatch.setattr(job_progress.time, "monotonic", lambda: now[0])

    def wait(seconds):
        now[0] += seconds

    return wait


def test_what_is_left_is_the_plan_at_the_pace_so_far(wait):
    clock = JobClock({"tuning": 10.0, "denoising": 30.0})
    wait(10)
    assert clock.update("tuning", 0.5) == 2 * (5 + 30)  # twice as slow as planned
    wait(10)
    assert clock.update("tuning", 1.0) == 2 * 30
    wait(15)
    assert clock.update("denoising", 0.5) == 35 / 25 * 15
    wait(5)
    assert clock.update("denoising", 1.0) == 0


def test_the_plan_is_believed_until_a_tenth_of_it_is_done(wait):
    clock = JobClock({"tuning": 100.0})
    wait(9)
    assert clock.update("tuning", 0.1) == 90
    wait(9)
    assert clock.update("tuning", 0.2) == pytest.approx(18 / 20 * 80)


def test_a_stage_has_the_seconds_up_to_its_last_note(wait):
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
        assert left == (12 / 6 * 3 if turn == 0 else 0)
    assert clock.seconds == {"tuning": 8, "denoising": 4}


def test_a_stage_that_never_ran_took_no_time(wait):
    clock = JobClock({"tuning": 1.0, "denoising": 1.0})
    wait(1)
    clock.update("denoising", 1.0)
    assert clock.seconds == {"tuning": 0, "denoising": 1}


def test_a_plan_of_no_time_leaves_none(wait):
    assert JobClock({"denoising": 0.0}).update("denoising", 0.5) == 0
