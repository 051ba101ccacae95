"""Only the user can read the job folder, and it is always removed."""

from __future__ import annotations

import gc
import os
import resource
import tempfile
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from new_job_folder import new_job_folder
from PseudoCTDenoiseLib.denoising.settings import DenoisingSettings
from PseudoCTDenoiseLib.errors import BadInputError
from PseudoCTDenoiseLib.worker.job_folder import JobFolder, JobRequest


@pytest.fixture
def folder():
    folder = new_job_folder()
    yield folder
    folder.remove()


@contextmanager
def full_disk(free_bytes: int):
    """Limit the size of files, as on a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (free_bytes, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


def test_nobody_else_may_read_the_folder_or_a_file(folder, hu):
    folder.write_job(hu, JobRequest(DenoisingSettings()))
    assert mode(folder.path) == 0o700
    assert {mode(path) for path in folder.path.iterdir()} == {0o600}


def test_the_worker_reads_the_request(folder, hu):
    settings = DenoisingSettings(steps=3, rescale=(0.5, 2.0))
    request = JobRequest(settings, "é \udcff", "all", 2, 0.5, 0.7)
    folder.write_job(hu, request)
    values, read = JobFolder(folder.path).read_job()
    assert np.array_equal(values, hu) and values.dtype == np.int16
    assert read == request


def test_values_become_int16_or_are_refused_by_name(folder, hu):
    folder.write_job(hu + 0.4, JobRequest(DenoisingSettings()))
    assert np.array_equal(folder.read_job()[0], hu)
    with pytest.raises(BadInputError, match="outside the range of HU"):
        folder.write_job(hu + 1e6, JobRequest(DenoisingSettings()))


@pytest.mark.parametrize("free_bytes", [10, 5000, 24_800])
def test_a_full_disk_is_reported(folder, hu, free_bytes):
    request = JobRequest(DenoisingSettings(), model="long " * 10_000)
    with full_disk(free_bytes), pytest.raises(BadInputError, match="free some (disk )?space"):
        folder.write_job(hu, request)


def test_a_file_for_a_result_is_private_and_reserves_its_space(folder):
    array = folder.new_array("denoised.npy", (2, 30, 40))
    assert mode(array.path) == 0o600
    array[1] = 7
    assert np.array_equal(folder.read_array("denoised.npy", (2, 30, 40))[1], array[1])
    with full_disk(3000), pytest.raises(BadInputError, match="free some (disk )?space"):
        folder.new_array("noise.npy", (2, 30, 40))


def test_a_missing_parent_folder_is_reported(tmp_path):
    with pytest.raises(BadInputError, match="Cannot create a temporary folder .*missing"):
        new_job_folder(tmp_path / "missing")


def test_a_system_without_a_temporary_folder_is_reported(monkeypatch):
    def nowhere():
        raise FileNotFoundError(2, "No usable temporary directory found")

    monkeypatch.setattr(tempfile, "gettempdir", nowhere)
    with pytest.raises(BadInputError, match="No usable temporary directory"):
        new_job_folder()


def test_a_folder_is_removed_with_its_last_reference():
    path = new_job_folder().path
    gc.collect()
    assert not path.exists()


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_signal_at_any_instruction_leaves_no_folder(tmp_path, interrupt_everywhere):
    parent = tmp_path / "parent"
    parent.mkdir()
    # An interrupt in the finalizer comes after the removal, and Python does not pass it on.
    for _ in interrupt_everywhere(lambda: new_job_folder(parent).remove()):
        assert not list(parent.iterdir())


def test_a_folder_of_another_program_stays(tmp_path, monkeypatch):
    monkeypatch.setattr("secrets.token_hex", lambda size: "same")
    (tmp_path / "PseudoCTDenoise-same").mkdir()
    with pytest.raises(BadInputError, match="Cannot create a temporary folder"):
        new_job_folder(tmp_path)
    gc.collect()
    assert (tmp_path / "PseudoCTDenoise-same").is_dir()


def test_the_worker_does_not_remove_the_folder_of_its_parent(folder):
    JobFolder(folder.path)
    gc.collect()
    assert folder.path.exists()


def test_an_array_comes_back(folder):
    values = np.arange(6, dtype=np.int16).reshape(1, 2, 3)
    folder.write_array("a.npy", values)
    assert np.array_equal(folder.read_array("a.npy", (1, 2, 3)), values)


@pytest.mark.parametrize("name", ["../a.npy", "/etc/hostname", "missing.npy", "", "."])
def test_a_file_that_is_not_in_the_folder_is_refused(folder, tmp_path, name):
    np.save(folder.path.parent / "a.npy", np.zeros(3, np.int16))
    with pytest.raises(BadInputError, match="Run it again"):
        folder.read_array(name, (3,))
    (folder.path.parent / "a.npy").unlink()


@pytest.mark.parametrize(
    "values", [np.zeros((1, 2), np.float32), np.zeros((2, 1), np.int16), np.array([[None, 1]])]
)
def test_an_array_of_another_kind_is_refused(folder, values):
    np.save(folder.path / "a.npy", values, allow_pickle=values.dtype == object)
    with pytest.raises(BadInputError, match="Run it again"):
        folder.read_array("a.npy", (1, 2))


def test_half_a_file_is_refused(folder):
    folder.write_array("a.npy", np.zeros((100, 100), np.int16))
    path = folder.path / "a.npy"
    path.write_bytes(path.read_bytes()[:5000])
    with pytest.raises(BadInputError, match="Run it again"):
        folder.read_array("a.npy", (100, 100))


def test_a_folder_may_be_removed_again():
    folder = new_job_folder()
    folder.write_array("a.npy", np.zeros(3, np.int16))
    (folder.path / "deep").mkdir()
    folder.remove()
    assert not folder.path.exists()
    folder.remove()
    folder.remove_file("a.npy")


# Damaged and hostile folders.

WRONG_REQUESTS = {
    "empty": "",
    "not UTF-8": b"\xff\xfe{",
    "not JSON": "{settings: 3}",
    "a list": "[]",
    "null": "null",
    "deep": "[" * 100_000,
    "a huge number": '{"settings": {}, "preview_slice": 1' + "0" * 5000 + "}",
    "no settings": '{"model": "fast"}',
    "settings of another kind": '{"settings": "fast"}',
    "an unknown setting": '{"settings": {"stepps": 3}}',
    "a setting of another kind": '{"settings": {"steps": {"a": 1}}}',
    "an endless setting": '{"settings": {"learning_rate": 1' + "0" * 400 + "}}",
    "an unknown value": '{"settings": {}, "colour": 3}',
    "a model of another kind": '{"settings": {}, "model": ["fast"]}',
    "a model without a name": '{"settings": {}, "model": null}',
    "a choice of another kind": '{"settings": {}, "maps": "yes"}',
    "half a slice": '{"settings": {}, "preview_slice": 1.5}',
    "a slice before the first": '{"settings": {}, "preview_slice": -1}',
    "no interval": '{"settings": {}, "preview_seconds": NaN}',
    "no size": '{"settings": {}, "pixel_mm": 0}',
    "an endless size": '{"settings": {}, "pixel_mm": Infinity}',
}


@pytest.mark.parametrize("content", WRONG_REQUESTS.values(), ids=WRONG_REQUESTS)
def test_a_damaged_request_is_refused_in_one_line(folder, hu, content):
    folder.write_job(hu, JobRequest(DenoisingSettings()))
    path = folder.path / "job.json"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(BadInputError, match="^The file job.json of the job is damaged: ") as caught:
        folder.read_job()
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["input.npy", "job.json"])
@pytest.mark.parametrize("kind", ["missing", "empty", "link", "FIFO", "folder", "device"])
def test_a_file_of_another_kind_is_refused_without_waiting(folder, hu, tmp_path, name, kind):
    folder.write_job(hu, JobRequest(DenoisingSettings()))
    path = folder.path / name
    os.rename(path, tmp_path / "moved")
    if kind == "empty":
        path.touch()
    elif kind == "link":
        path.symlink_to(tmp_path / "moved")
    elif kind == "FIFO":
        os.mkfifo(path)
    elif kind == "folder":
        path.mkdir()
    elif kind == "device":
        path.symlink_to("/dev/zero")
    with pytest.raises(BadInputError, match=f"^The file {name} of the job is damaged: "):
        folder.read_job()


@pytest.mark.parametrize(
    "values",
    [np.zeros((2, 3, 4), np.float32), np.zeros((3, 4), np.int16), np.zeros((2, 3, 4), np.int16).T],
)
def test_a_scan_of_another_kind_is_refused(folder, hu, values):
    folder.write_job(hu, JobRequest(DenoisingSettings()))
    np.save(folder.path / "input.npy", values)
    with pytest.raises(BadInputError, match="^The file input.npy of the job is damaged: "):
        folder.read_job()


def test_a_link_in_the_place_of_a_result_is_replaced_and_its_target_is_kept(folder, tmp_path):
    precious = tmp_path / "precious"
    precious.write_text("precious")
    for name in ("denoised.npy", "preview_1.npy"):
        (folder.path / name).symlink_to(precious)
    folder.new_array("denoised.npy", (1, 16, 16))[0] = 7
    folder.write_array("preview_1.npy", np.zeros((16, 16), np.int16))
    assert precious.read_text() == "precious"
    assert not (folder.path / "denoised.npy").is_symlink()


def test_a_link_that_replaces_an_open_result_is_not_followed(folder, tmp_path):
    precious = tmp_path / "precious"
    precious.write_bytes(bytes(10_000))
    array = folder.new_array("denoised.npy", (1, 16, 16))
    array.path.unlink()
    array.path.symlink_to(precious)
    with pytest.raises(BadInputError):
        array[0] = 7
    with pytest.raises(OSError):
        array[0]
    assert precious.read_bytes() == bytes(10_000)


def test_an_array_of_a_huge_shape_is_refused_before_memory_is_taken(folder):
    with open(folder.path / "a.npy", "wb") as file:
        header = {"descr": "<i2", "fortran_order": False, "shape": (10**6, 10**6, 10**3)}
        np.lib.format.write_array_header_1_0(file, header)
    with pytest.raises(BadInputError, match="instead of int16"):
        folder.read_array("a.npy", (1, 2, 3))
