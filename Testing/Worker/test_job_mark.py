"""The worker uses and removes only the folder of a job."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from new_job_folder import new_job_folder
from PseudoCTDenoiseLib.denoising.settings import DenoisingSettings
from PseudoCTDenoiseLib.exit_codes import BAD_INPUT, FAULT
from PseudoCTDenoiseLib.worker import worker
from PseudoCTDenoiseLib.worker.job_folder import JobRequest
from PseudoCTDenoiseLib.worker.job_mark import is_job_folder, open_file, remove_job_folder
from PseudoCTDenoiseLib.worker.protocol import Failure, decode


@pytest.fixture
def job(hu):
    folder = new_job_folder()
    folder.write_job(hu, JobRequest(DenoisingSettings()))
    yield folder
    folder.remove()


@pytest.fixture
def run_worker(tmp_path, monkeypatch):
    """Return a function that runs the worker on a folder; its torch is the given lines."""
    packages = tmp_path / "packages"
    packages.mkdir()
    monkeypatch.setenv("PYTHONPATH", str(packages))

    def run(folder: str, cwd: Path, torch: str = "raise KeyError('reached')"):
        (packages / "torch.py").write_text(torch, encoding="utf-8")
        ended = subprocess.run(
            [sys.executable, worker.__file__, folder],
            cwd=cwd,
            stdin=subprocess.PIPE,
            capture_output=True,
        )
        failures = map(decode, ended.stdout.decode().splitlines())
        return ended.returncode, [each for each in failures if isinstance(each, Failure)]

    return run


@pytest.mark.parametrize("named", [".", "scans", "scans/", "scans/../scans"])
def test_a_folder_that_is_no_job_stays_as_it_is(run_worker, tmp_path, named):
    scans = tmp_path / "scans"
    (scans / "scans").mkdir(parents=True)
    (scans / "scan.nrrd").write_text("precious")
    (scans / "job.json").write_text(json.dumps({"settings": {}}))
    cwd = scans if named == "." else tmp_path
    code, (failure,) = run_worker(named, cwd)
    assert (code, failure.kind) == (BAD_INPUT, "bad-input")
    assert "not the folder of a job" in failure.message
    names = sorted(path.name for path in scans.iterdir())
    assert names == ["job.json", "scan.nrrd", "scans"]


def test_the_folder_of_a_job_is_used_and_then_removed(run_worker, job, tmp_path):
    code, (failure,) = run_worker(str(job.path), tmp_path)
    assert code == FAULT and "reached" in failure.message
    assert not job.path.exists()


def test_a_link_a_copy_and_a_renamed_job_are_no_jobs(run_worker, job, tmp_path):
    assert is_job_folder(job.path)
    others = [tmp_path / f"PseudoCTDenoise-{digit * 16}" for digit in "ab"] + [tmp_path / "c"]
    others[0].symlink_to(job.path)
    shutil.copytree(job.path, others[1])
    shutil.copytree(job.path, others[2])
    for other in others:
        code, _ = run_worker(other.name, tmp_path)
        assert code == BAD_INPUT and (other / "input.npy").exists()
        remove_job_folder(other)
        assert (other / "input.npy").exists()


@pytest.mark.parametrize("mark", ["missing", "link", "FIFO", "folder", "other text"])
def test_a_folder_without_its_own_mark_is_no_job(job, tmp_path, mark):
    path = job.path / "job.mark"
    os.rename(path, tmp_path / "kept")
    if mark == "link":
        path.symlink_to(tmp_path / "kept")
    elif mark == "FIFO":
        os.mkfifo(path)
    elif mark == "folder":
        path.mkdir()
    elif mark == "other text":
        path.write_text(job.path.name + "0")
    assert not is_job_folder(job.path)


def test_a_job_of_another_user_is_not_touched(job, monkeypatch):
    monkeypatch.setattr(os, "geteuid", lambda: os.getuid() + 1)
    remove_job_folder(job.path)
    assert job.path.exists()


@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir, lambda path: os.symlink("/dev/zero", path)])
def test_only_files_are_opened(tmp_path, make):
    make(tmp_path / "file")
    with pytest.raises(OSError):
        open_file(tmp_path / "file")


# The end of the session or of the terminal, by a signal to the worker and its parent.

SEND = "import os, signal; os.kill(os.getpid(), signal.{}); print('still here'); raise KeyError"


@pytest.mark.parametrize("name", ["SIGTERM", "SIGHUP"])
def test_a_signal_that_ends_the_session_ends_the_worker_without_its_folder(
    run_worker, job, tmp_path, name
):
    if signal.getsignal(getattr(signal, name)) is signal.SIG_IGN:
        pytest.skip(f"{name} is ignored here, as by nohup, and the worker respects that")
    code, failures = run_worker(str(job.path), tmp_path, SEND.format(name))
    assert (code, failures) == (FAULT, [])
    assert not job.path.exists()


def test_nohup_keeps_the_worker_running(run_worker, job, tmp_path):
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        _, (failure,) = run_worker(str(job.path), tmp_path, SEND.format("SIGHUP"))
    finally:
        signal.signal(signal.SIGHUP, before)
    assert "KeyError" in failure.message
