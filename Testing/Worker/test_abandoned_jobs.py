"""The scan of a job whose process was killed is removed at the next start, but never that of a
running job.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from new_job_folder import new_job_folder
from PseudoCTDenoiseLib.worker import worker
from PseudoCTDenoiseLib.worker.job_folder import remove_abandoned_jobs

pytestmark = pytest.mark.skipif(os.name != "posix", reason="only POSIX systems have these locks")

HOST = f"""\
import os, sys, tempfile
sys.path.insert(0, {str(Path(worker.__file__).parents[2])!r})
import numpy as np
from PseudoCTDenoiseLib.worker.denoising_process import DenoisingProcess
from PseudoCTDenoiseLib.worker.runner import SubprocessRunner
tempfile.tempdir = sys.argv[1]
job = DenoisingProcess(SubprocessRunner(), np.zeros((3, 64, 64), np.int16), program=sys.argv[2])
"""
RUN = """\
job.logged.connect(lambda text: print(job._worker_id, flush=True))
job.start()
job.wait()
"""
DIE_BEFORE_THE_WORKER_STARTS = """\
job._runner.start = lambda *arguments: os.kill(os.getpid(), 9)
job.start()
"""


@pytest.fixture
def host(temporary_folder, fake_worker):
    """Return a function that starts a process with a job of a worker that ends with its input."""
    started = []

    def start(code=RUN):
        program = fake_worker("hello(); say('log', text='up'); until_the_input_ends()")
        command = [sys.executable, "-c", HOST + code, str(temporary_folder), program]
        started.append(subprocess.Popen(command, stdout=subprocess.PIPE))
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.communicate()


def start_a_job() -> None:
    new_job_folder().remove()


def scans(folder: Path) -> list[Path]:
    return list(folder.glob("*/input.npy"))


def test_the_scan_goes_at_the_next_start_if_host_and_worker_were_killed(
    host, temporary_folder, wait_until, is_alive
):
    process = host()
    pid = int(process.stdout.readline())
    os.kill(pid, signal.SIGSTOP)  # a stopped worker cannot remove it either
    process.kill()
    process.wait()
    assert scans(temporary_folder)
    start_a_job()
    assert not list(temporary_folder.iterdir())
    os.kill(pid, signal.SIGKILL)
    assert wait_until(lambda: not is_alive(pid))


def test_the_scan_goes_at_the_next_start_if_the_host_died_before_its_worker_began(
    host, temporary_folder
):
    host(DIE_BEFORE_THE_WORKER_STARTS).wait()
    assert scans(temporary_folder)
    remove_abandoned_jobs()
    assert not list(temporary_folder.iterdir())


@pytest.mark.parametrize("state", ["running", "stopped"])
def test_the_scan_of_a_living_host_stays(host, temporary_folder, state):
    process = host()
    pid = int(process.stdout.readline())
    if state == "stopped":
        os.kill(pid, signal.SIGSTOP)
        process.send_signal(signal.SIGSTOP)
    start_a_job()
    remove_abandoned_jobs()
    assert scans(temporary_folder)
    process.kill()
    process.wait()
    os.kill(pid, signal.SIGKILL)
    remove_abandoned_jobs()


def test_the_scan_of_a_job_of_this_process_stays(hu):
    folder = new_job_folder()
    folder.write_array("input.npy", hu)
    start_a_job()
    remove_abandoned_jobs()
    assert (folder.path / "input.npy").exists()
    folder.remove()


def test_a_link_is_not_followed_and_a_folder_without_a_lock_stays(host, temporary_folder, tmp_path):
    host(DIE_BEFORE_THE_WORKER_STARTS).wait()
    (left,) = temporary_folder.iterdir()
    moved = left.rename(tmp_path / "moved")
    left.symlink_to(moved)
    unlocked = temporary_folder / f"PseudoCTDenoise-{'a' * 16}"
    unlocked.mkdir()
    start_a_job()
    remove_abandoned_jobs()
    assert (left / "input.npy").exists() and unlocked.exists()
    left.unlink()
    unlocked.rmdir()


def test_a_killed_removal_is_finished_at_the_next_start(host, temporary_folder, monkeypatch):
    """The lock is the last file to go, so the folder is still known as that of a dead process."""
    host(DIE_BEFORE_THE_WORKER_STARTS).wait()
    unlink, removed = os.unlink, []

    def killed(path, **options):
        if removed:
            raise SystemExit
        removed.append(path)
        unlink(path, **options)

    with monkeypatch.context() as killing, pytest.raises(SystemExit):
        killing.setattr(os, "unlink", killed)
        remove_abandoned_jobs()
    assert removed and list(temporary_folder.iterdir())
    remove_abandoned_jobs()
    assert not list(temporary_folder.iterdir())


def test_without_a_temporary_folder_nothing_is_removed(monkeypatch):
    def nowhere():
        raise FileNotFoundError(2, "No usable temporary directory found")

    monkeypatch.setattr("tempfile.gettempdir", nowhere)
    remove_abandoned_jobs()
