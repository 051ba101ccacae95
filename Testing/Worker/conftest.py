"""A small scan, replacement workers for special cases, and a check of what is left behind."""

from __future__ import annotations

import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from command_line import save_tiny_models
from PseudoCTDenoiseLib.worker import runner
from PseudoCTDenoiseLib.worker.runner import SubprocessRunner
from replacement_worker import write_worker
from SlicerHarness.fixtures import scene, slicerApp  # noqa: F401
from SlicerHarness.requirements import missingRequirement

PATIENCE_SECONDS = 120.0
"""Longest time that a test waits; only a busy computer needs that long."""


@pytest.fixture(scope="session")
def hu() -> np.ndarray:
    """Three slices of 64x64 pixels: soft tissue in air with the noise of a low dose."""
    values = np.full((3, 64, 64), -1000.0)
    values[:, 12:-12, 12:-12] = 50
    values += np.random.default_rng(0).normal(0, 20, values.shape)
    return np.rint(values).clip(-1024).astype(np.int16)


@pytest.fixture(scope="session")
def models_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with tiny models."""
    folder = tmp_path_factory.mktemp("models")
    save_tiny_models(folder)
    return folder


@pytest.fixture
def fake_worker(tmp_path: Path) -> Callable[[str], str]:
    """Return a function that writes a replacement of the worker and returns its path."""

    def write(code: str, name: str = "worker") -> str:
        return write_worker(tmp_path / name, code)

    return write


@pytest.fixture(scope="session", autouse=True)
def started_first(request: pytest.FixtureRequest) -> None:
    """Start the stand-in for Slicer, so that its folder is not inside the folder of a test."""
    if missingRequirement() is None:
        request.getfixturevalue("slicerApp")


@pytest.fixture(params=["subprocess", "QProcess"])
def make_runner(request: pytest.FixtureRequest) -> Callable:
    """Run the test with each kind of runner."""
    if request.param == "subprocess":
        return SubprocessRunner
    request.getfixturevalue("scene")  # an uncaught error of a slot fails the test
    from PseudoCTDenoiseLib.worker.qprocess_runner import QProcessRunner

    return QProcessRunner


@pytest.fixture
def wait_until() -> Callable[[Callable[[], object]], bool]:
    """Return a function that waits for a condition and returns True if it is met."""
    return comes_true


@pytest.fixture
def is_alive() -> Callable[[int], bool]:
    """Return a function that returns True if a process with this id runs."""

    def look(pid: int) -> bool:
        state = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True).stdout
        # A dead process keeps its id until its parent reads the exit status.
        return bool(state.strip()) and not state.strip().startswith(b"Z")

    return look


def comes_true(condition: Callable[[], object]) -> bool:
    pause, end = threading.Event(), time.monotonic() + PATIENCE_SECONDS
    while not condition():
        if time.monotonic() > end:
            return False
        pause.wait(0.02)
    return True


def left_processes(mark: str) -> list[str]:
    """Return the processes with this text in their command line."""
    listed = subprocess.run(["ps", "-A", "-o", "pid=,args="], capture_output=True).stdout
    lines = listed.decode("utf-8", "replace").splitlines()
    return [line for line in lines if mark in line]


def nothing_left(folder: Path) -> bool:
    """Wait until no file and no process of a job is left; return True if this happens."""
    mark = folder.parent.name
    return comes_true(lambda: not list(folder.iterdir()) and not left_processes(mark))


@pytest.fixture(autouse=True)
def temporary_folder(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Path]:
    """Create job folders in a folder with a space and an accent; check that they are removed."""
    folder = tmp_path / "fichiers temporaires é"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    # The engine in this process would create a folder of torch; processes of the product do not.
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", str(tmp_path))
    # The output of an ended worker is waited for as long as a busy computer needs.
    monkeypatch.setattr(runner, "STREAM_SECONDS", PATIENCE_SECONDS)
    yield folder
    assert nothing_left(folder), [*folder.rglob("*"), *left_processes(tmp_path.name)]
