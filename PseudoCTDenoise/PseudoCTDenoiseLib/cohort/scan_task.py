"""Denoising of one scan of a cohort on a worker. Its folder appears whole or not at all."""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import os
import platform
import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from .. import __version__
from ..cli import denoise
from ..cli.main import exit_code_of
from ..cli.setting_arguments import read_settings
from ..ct.io.files_read import files_read
from ..durable_file import keep_content, keep_names
from ..errors import BadInputError, one_line
from ..exit_codes import FAULT, SUCCESSES
from ..json_text import json_text
from ..printed_words import last_words, warnings_in
from ..temporary_files import in_temporary_folder, remove_folder
from .thumbnail import write_thumbnail

SCANS, UNFINISHED = "scans", "unfinished"
"""Folders of a cohort: one folder for each denoised scan, and work that is not finished."""
DENOISED, REPORT, THUMBNAIL, OUTCOME = "denoised", "report.json", "thumbnail.png", "outcome.json"
"""Names in the folder of a scan; the denoised scan has a suffix unless it is a DICOM folder."""
_LONGEST_LOG = 20_000
_ONE_SCAN = threading.Lock()
"""Two scans in one process would share its threads and its standard output."""


@dataclass(frozen=True)
class ScanTask:
    """A scan to denoise, as the driver sends it to a worker.

    Attributes
    ----------
    name : unique name of the scan in the cohort.
    input : path of the scan, which every worker can read.
    folder : folder of the cohort, which every worker can write.
    suffix : end of the name of the denoised scan; empty for a DICOM folder.
    options : further arguments of ``pseudoct denoise``.
    version : version of this package on the driver.
    """

    name: str
    input: str
    folder: str
    suffix: str
    options: tuple[str, ...] = ()
    version: str = __version__

    @property
    def result(self) -> Path:
        """Folder of the result, which exists if the scan is denoised."""
        return Path(self.folder, SCANS, self.name)


def denoise_task(task: ScanTask) -> dict:
    """Denoise a scan and return its outcome, values for JSON.

    ``exit`` is one of :mod:`.exit_codes`, ``words`` the warnings or the error. If the result is
    complete, its folder exists and contains the outcome as well. A second run of the same task
    changes nothing.

    Raises
    ------
    BadInputError
        If this worker cannot process any scan of the cohort.
    """
    if task.version != __version__:
        raise BadInputError(
            f"The worker on {platform.node()} has version {__version__} of pseudoctdenoise, the "
            f"command has {task.version}: install the same version."
        )
    if not Path(task.folder, SCANS).is_dir():
        raise BadInputError(
            f"The worker on {platform.node()} cannot find {task.folder}: choose a folder that all "
            "workers share."
        )
    with _ONE_SCAN:
        try:
            return finished_outcome(task) or _denoise(task)
        except OSError as error:
            return {
                "exit": FAULT,
                "words": f"A file cannot be read or written ({one_line(error)}): correct this, for "
                "example by freeing some space, then repeat the command with --retry-failed.",
            }


def finished_outcome(task: ScanTask) -> dict | None:
    """Return the outcome of a scan that is denoised already, or None."""
    try:
        return json.loads((task.result / OUTCOME).read_text("utf-8"))
    except (FileNotFoundError, ValueError):  # a loss of power can leave an empty file
        return None


def _denoise(task: ScanTask) -> dict:
    # Locks of files may hold on one machine only, so machines do not share this folder.
    parent = Path(task.folder, UNFINISHED, platform.node() or "worker")
    parent.mkdir(parents=True, exist_ok=True)

    def denoise_and_publish(folder: Path) -> dict:
        new = folder / "scan"
        new.mkdir()
        outcome = _denoise_into(new, task)
        if outcome["exit"] not in SUCCESSES:
            return outcome
        (new / OUTCOME).write_text(json_text(outcome, indent=2) + "\n", encoding="utf-8")
        return _publish(new, task, outcome)

    return in_temporary_folder(parent, denoise_and_publish)


def _publish(new: Path, task: ScanTask, outcome: dict) -> dict:
    """Give the folder of a result its name, safe from a loss of power; return the outcome."""
    keep_content(new)
    try:
        os.rename(new, task.result)
    except OSError:
        # Another worker was faster, because the scheduler had lost sight of this one.
        if finished := finished_outcome(task):
            return finished
        remove_folder(task.result)  # what a loss of power left of a result
        os.rename(new, task.result)
    keep_names(task.result.parent)
    return outcome


def _denoise_into(new: Path, task: ScanTask) -> dict:
    """Denoise a scan into a folder and return the outcome."""
    started, processor_started = time.monotonic(), time.process_time()
    report = {}

    def run() -> int:
        arguments = _arguments(new, task)
        # The folder is renamed once all is written.
        final_path = task.result / arguments.output.name
        settings = read_settings(arguments)
        run = denoise.denoise(arguments, settings, final_path=final_path)
        report.update(run.report)
        write_thumbnail(new / THUMBNAIL, run.before, run.after)
        return run.exit_code

    printed = io.StringIO()
    with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(printed):
        code = exit_code_of(run)
    text = printed.getvalue()
    outcome = {
        "exit": code,
        "words": _words(text, code),
        **_metrics(report),
        "seconds": round(time.monotonic() - started, 3),
        "cpu_seconds": round(time.process_time() - processor_started, 3),
        "read_bytes": _total_size(files_read(Path(task.input))),
        "written_bytes": _total_size(new.rglob("*")),
        "worker": f"{platform.node()}:{os.getpid()}",
    }
    if code not in SUCCESSES:
        outcome["printed"] = text[-_LONGEST_LOG:]
    return outcome


def _arguments(new: Path, task: ScanTask) -> argparse.Namespace:
    output = [] if task.suffix else ["--format", "dicom"]
    output += [task.input, str(new / (DENOISED + task.suffix)), "--report", str(new / REPORT)]
    return denoise.parse_arguments([*output, *task.options])


def _words(printed: str, code: int) -> str:
    """Return the warnings of a run that succeeded, or the last line of another one."""
    if code in SUCCESSES:
        return " ".join(warnings_in(printed))
    return last_words(printed) or "The run ended without a message."


def _metrics(report: dict) -> dict:
    """Return the part of a report that the table of the cohort shows."""
    noise, uids = report.get("noise") or {}, report.get("dicom") or {}
    return {
        **uids,
        "slices": report.get("slices"),
        "noise_before_hu": noise.get("soft_tissue_before_hu"),
        "noise_after_hu": noise.get("soft_tissue_after_hu"),
        "noise_reduction_percent": noise.get("reduction_percent"),
        "mean_absolute_change_hu": report.get("mean_absolute_change_hu"),
        "traffic_light": (report.get("removed_noise") or {}).get("light"),
        "compute_seconds": round(sum(report.get("seconds", {}).values()), 3),
        "peak_memory_mib": report.get("peak_memory_mib", {}).get("process"),
        "device": report.get("device", {}).get("description"),
    }


def _total_size(paths: Iterable[Path]) -> int:
    """Return the size of files in bytes; missing ones and folders count as 0."""
    return sum(path.stat().st_size for path in paths if path.is_file())


def remove_unfinished(folder: Path) -> None:
    """Remove what killed workers left in a cohort; no worker may be running."""
    remove_folder(folder / UNFINISHED)
