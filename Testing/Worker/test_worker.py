"""The worker process: its messages at every stage, and its exit codes.

Some tests replace torch with a few lines, because the real one starts slowly or must fail.
"""

from __future__ import annotations

import builtins
import errno
import json
import math
import os
import shutil
import signal
import stat
import subprocess
import sys
import time
import types
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from new_job_folder import new_job_folder
from PseudoCTDenoiseLib.denoising import job as job_module
from PseudoCTDenoiseLib.denoising import job_run, trial_timing
from PseudoCTDenoiseLib.denoising.job import DenoisingJob
from PseudoCTDenoiseLib.denoising.map_choice import ALL_MAPS, ENSEMBLE, NO_MAPS
from PseudoCTDenoiseLib.denoising.settings import DenoisingSettings
from PseudoCTDenoiseLib.exit_codes import BAD_INPUT, CANCELLED, DONE, FAULT
from PseudoCTDenoiseLib.models import store
from PseudoCTDenoiseLib.worker import worker, worker_process
from PseudoCTDenoiseLib.worker.denoising_process import DenoisingProcess
from PseudoCTDenoiseLib.worker.job_folder import JobRequest
from PseudoCTDenoiseLib.worker.protocol import (
    CheckResult,
    Device,
    Failure,
    Log,
    Preview,
    ProgressMessage,
    Result,
)
from PseudoCTDenoiseLib.worker.runner import SubprocessRunner
from PseudoCTDenoiseLib.worker.worker_process import JobState

LIBRARY_PARENT = Path(worker.__file__).parents[2]
SHORT = DenoisingSettings(steps=3, tuning_slices=1, patch_size=16, batch=1, device="cpu")
WITH_MODELS = replace(SHORT, teacher="network", noise_source="models")


class Link:
    """Replaces the parent: stores the messages, and cancels at a chosen one."""

    def __init__(self, cancel_at=lambda message: False):
        self.messages, self.cancelled, self.preview_slice = [], False, None
        self._cancel_at = cancel_at

    def say(self, message):
        self.messages.append(message)
        self.cancelled = self.cancelled or bool(self._cancel_at(message))

    def of(self, kind):
        return [message for message in self.messages if isinstance(message, kind)]


@pytest.fixture(autouse=True, scope="module")
def one_thread():
    """Use one thread, which is fastest for small arrays."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def folder():
    folder = new_job_folder()
    yield folder
    folder.remove()


@pytest.fixture
def work(folder, hu, models_folder, monkeypatch):
    """Run a job in this process with a report of every step; return the exit code and the link."""
    monkeypatch.setattr(worker, "PROGRESS_SECONDS", 0.0)
    monkeypatch.setattr(store, "SHIPPED_MODELS", models_folder)

    def do(link=None, settings=SHORT, scan=hu, **request):
        link = link or Link()
        request = {"preview_seconds": 0.0} | request
        folder.write_job(scan, JobRequest(settings, **request))
        return worker.work(worker.parse([str(folder.path)]), link), link

    return do


# A job.


def test_a_job_reports_device_progress_and_result(work, folder, hu):
    code, link = work(settings=WITH_MODELS, maps=ALL_MAPS)
    assert code == DONE
    assert isinstance(link.messages[0], Device) and isinstance(link.messages[-1], Result)
    progress, (result,) = link.of(ProgressMessage), link.of(Result)
    assert list(dict.fromkeys(message.stage for message in progress)) == [
        *("noise maps for tuning", "tuning", "denoising", "noise maps of all slices")
    ]
    shares = [message.share for message in progress]
    assert shares == sorted(shares) and shares[-1] == 1
    files = [result.denoised, result.noise, *result.noise_maps.values()]
    for file in files:
        folder.read_array(file, hu.shape)
    assert len(set(files)) == len(files) == 2 + len(result.report["noise_models"])
    assert set(result.noise_maps) == {model["name"] for model in result.report["noise_models"]}
    assert result.report["steps_done"] == 3


@pytest.mark.parametrize("maps", [NO_MAPS, ENSEMBLE])
def test_only_what_is_requested_of_the_noise_is_stored(work, folder, maps):
    code, link = work(maps=maps)
    files = ["noise.npy"] * (maps == ENSEMBLE)
    (result,) = link.of(Result)
    assert code == DONE
    assert (result.noise, result.noise_maps) == (files[0] if files else None, {})
    assert sorted(path.name for path in folder.path.glob("noise*")) == files


def test_the_result_is_at_full_strength_whatever_the_settings_say(work):
    _, link = work(settings=replace(SHORT, strength=10.0))
    assert link.of(Result)[0].report["settings"]["strength"] == 100.0


def test_previews_show_the_slice_that_is_asked_for_and_do_not_pile_up(work, folder, hu):
    link = Link()
    link.preview_slice = 2
    _, link = work(link, preview_slice=0)
    previews = link.of(Preview)
    assert previews[-1].slice == 2
    assert len({message.file for message in previews}) == len(previews)
    assert folder.read_array(previews[-1].file, hu.shape[1:]).any()
    assert len(list(folder.path.glob("preview_*"))) <= 2


def test_the_first_preview_comes_before_any_report_of_progress(work):
    _, link = work(preview_slice=1)
    seen = [message for message in link.messages if isinstance(message, Preview | ProgressMessage)]
    assert isinstance(seen[0], Preview) and seen[0].slice == 1
    _, link = work(preview_seconds=math.inf)
    assert link.of(Preview) == []


FULL_DISK = """
import sys
import numpy as np
from PseudoCTDenoiseLib.models import store
from PseudoCTDenoiseLib.worker import worker
from PseudoCTDenoiseLib.worker.job_folder import JobFolder, JobRequest
from PseudoCTDenoiseLib.denoising.settings import DenoisingSettings

class Link:
    cancelled, preview_slice = False, None

    def say(self, message):
        print(type(message).__name__, getattr(message, "text", ""), flush=True)

folder = JobFolder.named(sys.argv[1])
folder.create()
settings = DenoisingSettings(method="pretrained", orientations=1, device="cpu")
request = JobRequest(settings, maps="none", preview_seconds=0)
store.SHIPPED_MODELS = sys.argv[2]
hu = np.random.default_rng(0).normal(0, 20, (4, 64, 64)).round().astype(np.int16)
hu[:, :8] = -1000
folder.write_job(hu, request)
worker.PROGRESS_SECONDS = 0
worker.denoise(folder.path, Link())
assert folder.read_array("denoised.npy", hu.shape).any()
"""


@pytest.mark.skipif(
    shutil.which("unshare") is None
    or subprocess.run(["unshare", "-rm", "true"], capture_output=True).returncode != 0,
    reason="this user cannot mount a small disk",
)
@pytest.mark.parametrize(
    "room",
    [pytest.param(0, id="no preview"), pytest.param(1, id="one preview", marks=pytest.mark.slow)],
)
def test_a_disk_with_room_for_the_results_but_not_for_previews_is_enough(
    tmp_path, models_folder, room
):
    def pages(values):  # of a file with as many 16-bit values, and a header of 128 bytes
        return math.ceil((128 + 2 * values) / 4096)

    size = 3 + 2 * pages(4 * 64 * 64) + room * pages(64 * 64)  # small files, scan, result
    mount = f'mount -t tmpfs -o size={4 * size}k small "$1" && exec "$2" -c "$3" "$1" "$4"'
    ended = subprocess.run(
        ["unshare", "-rm", "sh", "-c", mount, "sh", tmp_path]
        + [sys.executable, FULL_DISK, models_folder],
        env=os.environ | {"PYTHONPATH": str(LIBRARY_PARENT)},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert ended.returncode == 0, ended.stderr
    lines = ended.stdout.splitlines()
    (warning,) = (line for line in lines if "Previews are missing, the job goes on" in line)
    assert "No space left on device" in warning
    assert lines[-1] == "Result "


def test_lack_of_memory_for_the_first_preview_leaves_the_job(work, monkeypatch):
    def fail(self):
        raise MemoryError

    monkeypatch.setattr(DenoisingJob, "first_preview", fail)
    code, link = work()
    assert code == DONE
    assert [log.text for log in link.of(Log) if "Previews are missing" in log.text]


def test_a_missing_slice_is_not_previewed(work):
    link = Link()
    link.preview_slice = 99
    code, link = work(link)
    assert code == DONE and 99 not in {message.slice for message in link.of(Preview)}


@pytest.mark.parametrize(
    "stage", ["noise maps for tuning", "tuning", "denoising", "noise maps of all slices"]
)
def test_a_job_is_cancelled_in_every_stage_before_its_next_step(work, stage):
    code, link = work(Link(lambda message: stage == getattr(message, "stage", "")), WITH_MODELS)
    assert code == CANCELLED
    assert [message.stage for message in link.of(ProgressMessage)].count(stage) == 1
    assert not link.of(Result) and not link.of(Failure)


def test_the_job_receives_the_pixel_size(work, monkeypatch):
    sizes = []

    def make_job(*arguments, **options):
        sizes.append(options["pixel_mm"])
        return DenoisingJob(*arguments, **options)

    monkeypatch.setattr(job_module, "DenoisingJob", make_job)
    code, _ = work(pixel_mm=0.7)
    assert (code, sizes) == (DONE, [0.7])


def test_doubts_about_the_scan_are_logged_and_reported(work):
    code, link = work(pixel_mm=0.0007)
    assert code == DONE
    (result,) = link.of(Result)
    (warning,) = result.report["warnings"]
    assert "pixels of 0.0007 mm" in warning
    assert f"Warning: {warning}" in [message.text for message in link.of(Log)]


def test_doubts_that_arise_in_the_job_are_logged_and_reported(work, monkeypatch):
    def fail(*arguments):
        raise ValueError("no edges")

    monkeypatch.setattr(job_run, "removed_structure", fail)
    code, link = work()
    (result,) = link.of(Result)
    assert code == DONE
    doubt = "The removed noise could not be checked (ValueError('no edges'))."
    assert doubt in result.report["warnings"]
    assert f"Warning: {doubt}" in [message.text for message in link.of(Log)]


@pytest.fixture
def family(models_folder, tmp_path):
    """A folder with a denoiser of scans of 1 to 2 HU and two noise models.

    The first noise model finds noise, and the second finds none.
    """
    folder = tmp_path / "family"
    shutil.copytree(models_folder, folder)
    denoiser, manifest = store.load_model("fast", folder)
    silent, noise_model = store.load_model("noise-b", folder)
    for weight in silent.parameters():
        weight.data.zero_()
    store.save_model(silent, noise_model, folder)
    store.save_model(denoiser, replace(manifest, domain={"noise_hu": [1, 2]}), folder)
    return folder


def test_a_job_uses_all_that_belongs_to_its_denoiser(work, folder, family, monkeypatch):
    monkeypatch.setattr(store, "SHIPPED_MODELS", family)
    rng = np.random.default_rng(0)
    organs = np.kron(rng.uniform(-100, 200, (8, 8)), np.ones((8, 8)))
    scan = np.rint(organs + rng.normal(0, 5, (3, 64, 64))).astype(np.int16)
    code, link = work(scan=scan, settings=SHORT, maps=ALL_MAPS)
    (result,) = link.of(Result)
    assert code == DONE
    assert "more than the 1 to 2 HU" in " ".join(result.report["warnings"])
    found, none = (
        folder.read_array(result.noise_maps[name], scan.shape) for name in ("noise-a", "noise-b")
    )
    assert found.any() and not none.any()


# Errors.


def test_unknown_settings_in_the_job_folder_are_reported(folder, hu):
    folder.write_job(hu, JobRequest(SHORT))
    path = folder.path / "job.json"
    request = json.loads(path.read_text("utf-8"))
    path.write_text(json.dumps(request | {"settings": {"stepps": 3}}), "utf-8")
    link = Link()
    assert worker.work(worker.parse([str(folder.path)]), link) == BAD_INPUT
    (failure,) = link.of(Failure)
    assert failure.kind == "bad-input" and "Unknown setting 'stepps'" in failure.message


@pytest.mark.parametrize(
    ("request_", "words"),
    [
        ({"model": "nonsense"}, "nonsense"),
        ({"model": "noise-a"}, "noise model"),
        ({"preview_slice": 3}, "slice 3"),
    ],
)
def test_bad_input_is_reported_with_a_message(work, request_, words):
    code, link = work(**request_)
    assert code == BAD_INPUT
    (failure,) = link.of(Failure)
    assert failure.kind == "bad-input" and words in failure.message


@pytest.mark.parametrize(
    "error",
    [
        MemoryError("Unable to allocate 728. TiB for an array"),
        RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to\nallocate 4 bytes."),
        RuntimeError("[enforce fail] DefaultCPUAllocator: not enough memory"),
        RuntimeError("MPS backend out of memory (MPS allocated: 9 GB)"),
        OSError(errno.ENOMEM, "Cannot allocate memory"),
    ],
)
def test_lack_of_memory_is_reported_with_the_error(work, monkeypatch, error):
    def fail(path, link):
        raise error

    monkeypatch.setattr(worker, "denoise", fail)
    code, link = work()
    (failure,) = link.of(Failure)
    assert (code, failure.kind) == (FAULT, "out-of-memory")
    assert " ".join(str(error).split()) in failure.message and "fewer slices" in failure.what_to_do


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (
            RuntimeError("CUDA out of memory. Tried to allocate 2.00 GiB"),
            "has 8.0 GiB, the job used 6.0 GiB, and 1.0 GiB are free now",
        ),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory"), "Not enough memory"),
        (MemoryError("Unable to allocate 728. TiB for an array"), "Not enough memory"),
    ],
)
def test_lack_of_memory_beside_a_gpu_is_that_of_the_gpu_or_of_the_computer(
    work, monkeypatch, error, words
):
    def fail(path, link):
        raise error

    monkeypatch.setattr(worker, "denoise", fail)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda: (2**30, 8 * 2**30))
    monkeypatch.setattr(torch.cuda, "max_memory_allocated", lambda: 6 * 2**30)
    code, link = work()
    (failure,) = link.of(Failure)
    assert (code, failure.kind) == (FAULT, "out-of-memory")
    assert words in failure.message


def test_torch_that_does_not_fit_into_memory_is_not_taken_for_a_missing_one(work, monkeypatch):
    def fail(name, *arguments):
        if name == "torch":
            raise ImportError("libtorch_cpu.so: failed to map segment from shared object")
        return load(name, *arguments)

    load = builtins.__import__
    monkeypatch.setattr(builtins, "__import__", fail)
    code, link = work()
    (failure,) = link.of(Failure)
    assert (code, failure.kind) == (FAULT, "out-of-memory")


def test_other_errors_of_torch_are_not_reported_as_lack_of_memory(work, monkeypatch):
    def fail(path, link):
        raise RuntimeError("shapes do not fit")

    monkeypatch.setattr(worker, "denoise", fail)
    with pytest.raises(RuntimeError, match="do not fit"):
        work()


class Job:
    """A job that runs out of memory a number of times."""

    def __init__(self, failures, device="cuda", batch=8):
        self.failures, self.settings = failures, DenoisingSettings(batch=batch)
        self.device = types.SimpleNamespace(name=device)
        self.batches = []

    def estimate(self):
        return {}

    def reduce_batch(self):
        self.settings = replace(self.settings, batch=self.settings.batch // 4)

    def run(self, plan):
        self.batches.append(self.settings.batch)
        if len(self.batches) <= self.failures:
            raise RuntimeError("CUDA out of memory. Tried to allocate 2.00 GiB")
        return "done"


def test_a_gpu_without_enough_memory_gets_a_smaller_batch():
    job, link = Job(1), Link()
    assert worker.run(job, link) == "done"
    assert job.batches == [8, 2]
    (log,) = link.of(Log)
    assert "batch 2" in log.text


@pytest.mark.parametrize(
    ("job", "batches"), [(Job(2), [8, 2]), (Job(1, "cpu"), [8]), (Job(1, batch=1), [1])]
)
def test_the_batch_is_reduced_only_once_and_only_if_this_helps(job, batches):
    with pytest.raises(RuntimeError, match="out of memory"):
        worker.run(job, Link())
    assert job.batches == batches


# The device check.


def test_a_check_times_the_parts_of_a_job():
    link = Link()
    parsed = worker.parse(["--check", "64x48", "--device", "cpu"])
    assert worker.work(parsed, link) == DONE
    device, result = link.messages
    assert isinstance(device, Device) and device.reason == "selected by the user"
    assert isinstance(result, CheckResult)
    assert result.seconds_per_slice > 0 and result.seconds_per_noise > 0
    assert result.seconds_per_update >= 0
    assert 0 < result.seconds_to_start < time.monotonic() - worker.STARTED
    assert result.default_settings == DenoisingSettings(device="cpu").as_dict()


def test_a_check_reports_the_seconds_of_one_slice_and_one_update(monkeypatch):
    monkeypatch.setattr(trial_timing, "shortest_time", lambda work, device: 3.0)
    monkeypatch.setattr(trial_timing, "time_update", lambda *_: 5.0)
    link = Link()
    assert worker.work(worker.parse(["--check", "64x48", "--device", "cpu"]), link) == DONE
    (result,) = link.of(CheckResult)
    assert (result.seconds_per_slice, result.seconds_per_noise) == (3.0, 3.0)
    assert result.have_one_trunk
    assert (result.seconds_per_update, result.seconds_per_tuning_slice) == (5.0, 3.0)


@pytest.mark.parametrize("size", ["64", "64x", "axb", "0x0", "-3x4"])
def test_an_invalid_slice_size_is_refused(size):
    link = Link()
    assert worker.work(worker.parse([f"--check={size}"]), link) == BAD_INPUT
    assert link.of(Failure)[0].kind == "bad-input"


@pytest.mark.parametrize("arguments", [[], ["folder", "--check", "1x1"], ["--nonsense"]])
def test_invalid_arguments_are_refused(arguments, capsys):
    with pytest.raises(SystemExit):
        worker.parse(arguments)
    assert "usage" in capsys.readouterr().err


# In a separate process, with a replaced torch.


@pytest.fixture
def with_torch(tmp_path, monkeypatch, hu, make_runner):
    """Return a function that makes a job whose worker imports the given lines as torch."""

    def make(code):
        packages = tmp_path / "packages"
        packages.mkdir()
        (packages / "torch.py").write_text(code, encoding="utf-8")
        monkeypatch.setenv("PYTHONPATH", str(packages))
        return DenoisingProcess(make_runner(), hu, SHORT, program=sys.executable)

    return make


@pytest.mark.parametrize(
    "code", ["raise ImportError('libcudart is missing')", "raise OSError('libcudart is missing')"]
)
def test_a_torch_that_cannot_be_loaded_is_reported(with_torch, code):
    job = with_torch(code)
    job.start()
    assert job.wait() is JobState.FAILED
    assert job.failure.kind == "no-torch" and "libcudart is missing" in job.failure.message
    assert "PyTorch extension" in job.failure.what_to_do
    assert "Traceback" in job.failure.standard_error


def test_a_fault_of_the_program_is_reported_with_its_traceback(with_torch):
    job = with_torch("raise KeyError('two\\nlines')")
    job.start()
    assert job.wait() is JobState.FAILED
    assert job.failure.kind == "fault" and "KeyError" in job.failure.message
    assert "report it" in job.failure.what_to_do
    assert "Traceback" in job.failure.standard_error


def test_files_that_libraries_write_in_the_worker_are_private(with_torch, tmp_path):
    before = os.umask(0)
    try:
        job = with_torch(f"open({str(tmp_path / 'cache')!r}, 'w').close(); raise ImportError")
        job.start()
        job.wait()
    finally:
        os.umask(before)
    assert (tmp_path / "cache").stat().st_mode & 0o077 == 0


def wait_in_torch(job):
    """Start, and pump until the worker writes to the standard error that it is loading torch."""
    lines = []
    job.logged.connect(lines.append)
    job.start()
    while "loading" not in lines:
        job._runner.pump(0.1)


LOADING = "import sys, time; print('loading', file=sys.stderr, flush=True)\n"


def test_a_job_is_cancelled_before_its_worker_says_anything(with_torch):
    job = with_torch(LOADING + "time.sleep(600)")
    job.start()
    job.cancel()
    assert job.wait() is JobState.CANCELLED


def test_a_job_is_cancelled_while_torch_is_loading(with_torch):
    job = with_torch(LOADING + "time.sleep(600)")
    wait_in_torch(job)
    job.cancel()
    assert job.wait() is JobState.CANCELLED


def test_a_job_is_cancelled_while_a_library_holds_all_of_python(with_torch, monkeypatch):
    """No thread of the worker can run, so the worker is killed."""
    monkeypatch.setattr(worker_process, "GRACE_SECONDS", 0.1)
    job = with_torch(LOADING + "import ctypes; ctypes.PyDLL(None).sleep(600)")
    wait_in_torch(job)
    job.cancel()
    assert job.wait() is JobState.CANCELLED


def test_a_job_is_aborted_while_torch_is_loading(with_torch, is_alive, temporary_folder):
    job = with_torch(LOADING + "time.sleep(600)")
    wait_in_torch(job)
    job.abort()
    assert job.state is JobState.CANCELLED and not is_alive(job._runner.process_id)
    assert not list(temporary_folder.iterdir())


# In a separate process, unchanged.


def test_a_job_from_the_scan_to_the_results_arrays(hu, make_runner):
    job = DenoisingProcess(make_runner(), hu, WITH_MODELS, maps=ALL_MAPS, preview_seconds=0.0)
    previews = []
    job.previewed.connect(lambda index, image: previews.append((index, image.shape)))
    job.start()
    assert job.wait() is JobState.COMPLETED, job.failure
    result = job.result
    assert result.denoised.shape == hu.shape and result.denoised.dtype == np.int16
    assert not np.array_equal(result.denoised, hu)
    assert len(result.report["tuning_loss"]) == 3
    assert result.noise.shape == hu.shape
    assert {name: array.shape for name, array in result.noise_maps.items()} == {
        model["name"]: hu.shape for model in result.report["noise_models"]
    }
    assert previews and {shape for _, shape in previews} == {hu.shape[1:]}


def test_a_full_disk_is_a_failure_with_a_message(hu, tmp_path, temporary_folder):
    """The scan fits on the disk, but a limit on the file size stops the results."""
    program = tmp_path / "python-with-little-space"
    program.write_text(f'#!/bin/bash\nulimit -f 8\nexec "{sys.executable}" "$@"\n')
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    job = DenoisingProcess(SubprocessRunner(), hu, SHORT, program=str(program))
    job.start()
    assert job.wait() is JobState.FAILED
    assert job.failure.kind == "bad-input" and "free some" in job.failure.message
    assert not list(temporary_folder.iterdir())


PARENT = f"""\
import sys, tempfile
sys.path.insert(0, {str(LIBRARY_PARENT)!r})
import numpy as np
from PseudoCTDenoiseLib.denoising.settings import DenoisingSettings
from PseudoCTDenoiseLib.worker.denoising_process import DenoisingProcess
from PseudoCTDenoiseLib.worker.runner import SubprocessRunner
tempfile.tempdir = sys.argv[1]
hu = np.full((3, 64, 64), -1000, np.int16)
hu[:, 12:-12, 12:-12] = 50
job = DenoisingProcess(SubprocessRunner(), hu, DenoisingSettings(steps=5000, device="cpu"))
job.progressed.connect(lambda message: print(job._worker_id, flush=True))
job.start()
"""


@pytest.mark.parametrize("end", ["killed", "over"])
def test_a_worker_and_its_folder_go_with_their_parent(temporary_folder, wait_until, is_alive, end):
    """The parent is killed, or its script ends without waiting."""
    rest = "job.wait()" if end == "killed" else "while not job._worker_id: job._runner.pump(0.1)"
    process = subprocess.Popen(
        [sys.executable, "-c", f"{PARENT}{rest}\nprint(job._worker_id)", str(temporary_folder)],
        stdout=subprocess.PIPE,
    )
    pid = int(process.stdout.readline())
    assert pid != process.pid
    if end == "killed":
        assert is_alive(pid)
        os.kill(process.pid, signal.SIGKILL)
    process.communicate(timeout=300)
    assert wait_until(lambda: not is_alive(pid))
    assert not list(temporary_folder.iterdir())


# Traces in the folder for temporary files.


@pytest.mark.slow
def test_a_check_leaves_nothing_in_the_folder_for_temporary_files(tmp_path, monkeypatch):
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.delenv("TORCHINDUCTOR_CACHE_DIR", raising=False)
    monkeypatch.setenv("TMPDIR", str(temporary))
    process = subprocess.Popen(
        [sys.executable, worker.__file__, "--check", "64x48", "--device", "cpu"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert b'"check"' in process.stdout.read()  # the input stays open until the end
    process.communicate()
    assert process.returncode == DONE
    assert not list(temporary.iterdir())
