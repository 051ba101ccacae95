"""The scan goes through a folder that the user alone can read and that always goes away."""

from __future__ import annotations

import gc
import resource
import tempfile
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from PseudoCTDenoiseLib.errors import BadInputError
from PseudoCTDenoiseLib.worker.job_folder import JobFolder, JobRequest


@pytest.fixture
def folder():
    folder = JobFolder.make()
    yield folder
    folder.remove()


@contextmanager
def full_disk(free_bytes: int):
    """As if no file could grow beyond this."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (free_bytes, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


def test_nobody_else_may_read_the_folder_or_a_file(folder, hu):
    folder.writeJob(hu, JobRequest({}))
    assert mode(folder.path) == 0o700
    assert {mode(path) for path in folder.path.iterdir()} == {0o600}


def test_the_worker_reads_what_was_asked(folder, hu):
    request = JobRequest({"steps": 3}, "fast", False, 2, 0.5, "/models/é \udcff")
    folder.writeJob(hu, request)
    values, read = JobFolder(folder.path).readJob()
    assert np.array_equal(values, hu) and values.dtype == np.int16
    assert read == request


def test_values_become_int16_or_are_refused_by_name(folder, hu):
    folder.writeJob(hu + 0.4, JobRequest({}))
    assert np.array_equal(folder.readJob()[0], hu)
    with pytest.raises(BadInputError, match="beyond what HU can be"):
        folder.writeJob(hu + 1e6, JobRequest({}))


@pytest.mark.parametrize("free_bytes", [10, 5000, 24_800])
def test_a_full_disk_is_said_in_words(folder, hu, free_bytes):
    request = JobRequest({"note": "long " * 10_000})
    with full_disk(free_bytes), pytest.raises(BadInputError, match="free some space"):
        folder.writeJob(hu, request)


def test_a_file_for_a_result_is_private_and_takes_its_space_or_says_that_there_is_none(folder):
    array = folder.newArray("denoised.npy", (2, 30, 40))
    assert mode(array.path) == 0o600
    array[1] = 7
    assert np.array_equal(folder.readArray("denoised.npy", (2, 30, 40))[1], array[1])
    with full_disk(3000), pytest.raises(BadInputError, match="free some space"):
        folder.newArray("noise.npy", (2, 30, 40))


def test_a_place_where_nothing_can_be_written_is_said_in_words(tmp_path):
    with pytest.raises(BadInputError, match="No temporary folder can be made .*missing"):
        JobFolder.make(tmp_path / "missing")


def test_no_place_for_temporary_files_at_all_is_said_in_words(monkeypatch):
    def nowhere():
        raise FileNotFoundError(2, "No usable temporary directory found")

    monkeypatch.setattr(tempfile, "gettempdir", nowhere)
    with pytest.raises(BadInputError, match="No usable temporary directory"):
        JobFolder.make()


def test_a_folder_that_nobody_holds_goes_away():
    path = JobFolder.make().path
    gc.collect()
    assert not path.exists()


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_signal_at_any_instruction_leaves_no_folder(tmp_path, interrupt_everywhere):
    parent = tmp_path / "parent"
    parent.mkdir()
    # An interrupt in the finalizer comes after the removal, and Python does not pass it on.
    for _ in interrupt_everywhere(lambda: JobFolder.make(parent).remove()):
        assert not list(parent.iterdir())


def test_a_folder_of_somebody_else_stays(tmp_path, monkeypatch):
    monkeypatch.setattr("secrets.token_hex", lambda size: "same")
    (tmp_path / "PseudoCTDenoise-same").mkdir()
    with pytest.raises(BadInputError, match="No temporary folder can be made"):
        JobFolder.make(tmp_path)
    gc.collect()
    assert (tmp_path / "PseudoCTDenoise-same").is_dir()


def test_the_workers_hold_on_a_folder_is_not_the_owners(folder):
    JobFolder(folder.path)
    gc.collect()
    assert folder.path.exists()


def test_an_array_comes_back(folder):
    values = np.arange(6, dtype=np.int16).reshape(1, 2, 3)
    folder.writeArray("a.npy", values)
    assert np.array_equal(folder.readArray("a.npy", (1, 2, 3)), values)


@pytest.mark.parametrize("name", ["../a.npy", "/etc/hostname", "missing.npy", "", "."])
def test_a_file_that_is_not_in_the_folder_is_refused(folder, tmp_path, name):
    np.save(folder.path.parent / "a.npy", np.zeros(3, np.int16))
    with pytest.raises(BadInputError, match="run it again"):
        folder.readArray(name, (3,))
    (folder.path.parent / "a.npy").unlink()


@pytest.mark.parametrize(
    "values", [np.zeros((1, 2), np.float32), np.zeros((2, 1), np.int16), np.array([[None, 1]])]
)
def test_an_array_of_another_kind_is_refused(folder, values):
    np.save(folder.path / "a.npy", values, allow_pickle=values.dtype == object)
    with pytest.raises(BadInputError, match="run it again"):
        folder.readArray("a.npy", (1, 2))


def test_half_a_file_is_refused(folder):
    folder.writeArray("a.npy", np.zeros((100, 100), np.int16))
    path = folder.path / "a.npy"
    path.write_bytes(path.read_bytes()[:5000])
    with pytest.raises(BadInputError, match="run it again"):
        folder.readArray("a.npy", (100, 100))


def test_a_folder_may_be_removed_again():
    folder = JobFolder.make()
    folder.writeArray("a.npy", np.zeros(3, np.int16))
    (folder.path / "deep").mkdir()
    folder.remove()
    assert not folder.path.exists()
    folder.remove()
    folder.removeFile("a.npy")
