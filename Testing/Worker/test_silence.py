"""A worker that is stopped, or alive without progress, is reported to its parent."""

from __future__ import annotations

import os
import signal
import time

import pytest
from PseudoCTDenoiseLib.worker import runner, worker_process
from PseudoCTDenoiseLib.worker.denoising_process import DenoisingProcess
from PseudoCTDenoiseLib.worker.runner import SubprocessRunner
from PseudoCTDenoiseLib.worker.worker_process import JobState

RUNNING = 'hello()\nsay("device", description="CPU", reason="selected")\n'
ALIVE = 'while True: say("alive"); time.sleep(0.005)\n'


@pytest.fixture(autouse=True)
def short_times(monkeypatch):
    monkeypatch.setattr(worker_process, "CHECK_SECONDS", 0.05)
    monkeypatch.setattr(worker_process, "SILENCE_SECONDS", 0.2)
    monkeypatch.setattr(worker_process, "LOST_SECONDS", 0.4)


@pytest.fixture
def start(hu, fake_worker, make_runner):
    """Return a function that starts a job and stores its silences."""

    def start(code):
        job = DenoisingProcess(make_runner(), hu, program=fake_worker(code))
        job.silences = []
        job.silent.connect(job.silences.append)
        job.start()
        return job

    return start


def test_a_stopped_worker_is_reported_and_can_still_be_cancelled(start):
    job = start(RUNNING + ALIVE)
    job.device_reported.connect(lambda device: os.kill(job._worker_id, signal.SIGSTOP))
    job.silent.connect(lambda silence: silence.is_complete and job.cancel())
    assert job.wait() is JobState.CANCELLED
    assert job.silences[-1].without_message == pytest.approx(0.2)


def test_a_worker_without_progress_is_reported_as_alive(start, wait_until):
    job = start(RUNNING + ALIVE)
    # Messages may be late on a busy computer, but they do come.
    assert wait_until(
        lambda: (
            job._runner.pump(0.01)
            and job.silences
            and job.silences[-1].without_message < job.silences[-1].without_progress
        )
    )
    assert job.silences[0].without_progress == pytest.approx(0.2)
    job.abort()


def test_progress_ends_the_silence(start, wait_until):
    progress = 'say("progress", stage="a", step=1, total=2, seconds_left=1, share=0.5)'
    job = start(f"{RUNNING}input()\n{progress}\nuntil_the_input_ends()")
    assert wait_until(lambda: job._runner.pump(0.01) and len(job.silences) > 3)
    seen = []
    job.progressed.connect(lambda message: seen.append(len(job.silences)))
    job._runner.write_line("")
    assert wait_until(lambda: job._runner.pump(0.01) and seen and len(job.silences) > seen[0])
    assert job.silences[seen[0]].without_progress == pytest.approx(0.2)
    job.abort()


def test_time_in_which_the_parent_did_not_run_does_not_count(hu, fake_worker, monkeypatch):
    """The computer was asleep, or the window was busy."""
    slept = [0.0]
    monkeypatch.setattr(worker_process, "CHECK_SECONDS", 5.0)
    monkeypatch.setattr(worker_process, "SILENCE_SECONDS", 10.0)
    monkeypatch.setattr(runner.time, "monotonic", lambda now=time.monotonic: now() + slept[0])
    job = DenoisingProcess(SubprocessRunner(), hu, program=fake_worker(RUNNING + ALIVE))
    job.silent.connect(lambda silence: pytest.fail("only one check was due"))
    job.start()
    slept[0] = 3600.0
    job._runner.pump(0)
    job.abort()


def test_an_exception_at_a_silence_ends_the_job(hu, fake_worker):
    def give_up(silence):
        if silence.is_final:
            raise RuntimeError("lost")

    job = DenoisingProcess(SubprocessRunner(), hu, program=fake_worker(RUNNING + "time.sleep(600)"))
    job.silent.connect(give_up)
    job.start()
    with pytest.raises(RuntimeError, match="lost"):
        job.wait()
    assert job.state is JobState.CANCELLED
