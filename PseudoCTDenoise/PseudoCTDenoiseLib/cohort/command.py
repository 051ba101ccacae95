"""Denoise many scans on many processors, machines or GPUs.

The scans are volume files or folders with DICOM files. The same command again resumes a cohort that
was interrupted. Needs the package distributed. Research use only; not for primary diagnosis.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from .. import __version__
from ..cli.progress_bar import ProgressBar
from ..cli.setting_arguments import add_setting_arguments, read_settings
from ..cli.side_outputs import SideOutputs
from ..cli.staged_files import holds_files
from ..ct.io.itk_reading import itk_path
from ..ct.io.volume_files import OUTPUT_SUFFIXES, split_suffix
from ..denoising.settings import DenoisingSettings
from ..duration import duration
from ..errors import BadInputError, printable
from ..exit_codes import DONE, INCOMPLETE, SUCCESSES
from ..json_text import json_text
from ..models.catalog import SHIPPED_MODELS
from ..models.store import Manifest, load_models
from ..output_paths import make_folder
from ..printed_words import print_warnings
from ..temporary_files import replace_file, with_cleanup
from . import page, table
from .changed_scans import repeat_changed
from .cluster import connect, end_quietly, plan_local_workers, start_local_cluster
from .distribution import distribute
from .estimate import estimate_text
from .manifest import FAILED, FILE, PENDING, CohortManifest
from .outliers import find_outliers
from .scan_list import Scan, find_scans
from .scan_task import DENOISED, SCANS, ScanTask, finished_outcome, remove_unfinished

if TYPE_CHECKING:
    from distributed import Client

SETTINGS = "settings.json"
"""Name of the settings in the folder of a cohort, which the workers read."""
_FORMATS = ("dicom", *(suffix[1:] for suffix in OUTPUT_SUFFIXES if suffix != ".nii"))
_OUTPUT_OF_HEADER = {".nhdr": ".nrrd", ".mhd": ".mha"}
_MOST_WARNINGS = 10


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "input",
        type=Path,
        nargs="*",
        help="scans: files, or folders that are searched for volume files and DICOM folders; none "
        "to resume a cohort",
    )
    parser.add_argument(
        "--out",
        type=Path,
        required=True,
        help="folder of the cohort: a new or empty one, or the one to resume",
    )
    parser.add_argument(
        "--format",
        choices=_FORMATS,
        help="format of the denoised scans (default: that of each scan)",
    )
    parser.add_argument(
        "--workers",
        type=int,
        help="number of worker processes (default: one for each GPU, otherwise one for every 4 "
        "cores); with --scheduler, number of scans in work (default: one for each worker)",
    )
    parser.add_argument(
        "--scheduler",
        metavar="ADDRESS",
        help="address of a running Dask scheduler, such as tcp://10.0.0.1:8786 (default: workers "
        "on this machine)",
    )
    parser.add_argument(
        "--retry-failed", action="store_true", help="process the scans that were set aside again"
    )
    parser.add_argument(
        "--estimate",
        type=int,
        nargs=2,
        metavar=("SCANS", "WORKERS"),
        help="print time, storage and first bottleneck of a larger cohort, from the measurements "
        "in the folder of the cohort, and end",
    )
    add_setting_arguments(parser, devices="auto, cpu, cuda or mps")


def run(arguments: argparse.Namespace) -> int:
    """Denoise a cohort, or the rest of it, and write its table and its page."""
    folder = Path(os.path.abspath(arguments.out))
    if arguments.estimate:
        scans, workers = (_positive(number, "--estimate") for number in arguments.estimate)
        print(estimate_text(table.read_table(folder / table.FILE), scans, workers), end="")
        return DONE
    import distributed  # noqa: F401, reports early that it is missing

    if arguments.workers is not None:
        _positive(arguments.workers, "--workers")
    settings = read_settings(arguments)
    _check_device(settings.device)
    models = load_models(arguments.model, arguments.models)
    description = _description(settings, models.manifests, arguments.format)
    _check_folder(folder, arguments.input)
    scans = find_scans(arguments.input)
    print_warnings(_left_out(scans))
    make_folder(folder / SCANS)
    manifest = CohortManifest(folder, description)

    def work() -> int:
        repeated = repeat_changed(
            folder, manifest, lambda scan: DENOISED + _suffix(scan, arguments.format)
        )
        _print_few(repeated, "are denoised again")
        manifest.add(scans)
        if arguments.retry_failed:
            manifest.retry_failed()
        replace_file(folder / SETTINGS, json_text(settings.as_dict(), indent=2).encode())
        if manifest.counts()[PENDING]:
            _denoise_pending(arguments, folder, manifest)
        return _write_results(folder, manifest, _about(settings, models.denoiser[1]))

    return with_cleanup(work, manifest.close)


def _left_out(scans: Sequence[Scan]) -> list[str]:
    """Return a warning if volume files in the folders of DICOM scans are not denoised."""
    files = [path for scan in scans for path in scan.left_out]
    if not files:
        return []
    return [
        "Volume files in the folders of DICOM scans are taken for copies and left out "
        f"({len(files)}, such as {files[0]}): give other scans as inputs of their own."
    ]


def _print_few(warnings: Sequence[str], what: str) -> None:
    """Print the first warnings about scans, and what happens to how many more scans."""
    print_warnings(warnings[:_MOST_WARNINGS])
    if len(warnings) > _MOST_WARNINGS:
        print_warnings([f"{len(warnings) - _MOST_WARNINGS} more scans {what}."])


def _positive(number: int, flag: str) -> int:
    if number < 1:
        raise BadInputError(f"{flag} is {number}: give numbers of 1 or more.")
    return number


def _check_device(device: str) -> None:
    if ":" in device:
        raise BadInputError(
            f"The device {device} is one GPU: set --device cuda, and choose GPUs with the "
            "environment variable CUDA_VISIBLE_DEVICES."
        )


def _description(
    settings: DenoisingSettings, models: Sequence[Manifest], output_format: str | None
) -> dict:
    """Return all that decides about the results of a cohort, values for JSON."""
    weights = {f"weights of {model.name}": model.sha256 for model in models}
    chosen = {key: value for key, value in settings.as_dict().items() if key != "device"}
    about = {"version": __version__, "model": models[0].name, "format": output_format}
    return json.loads(json_text(about | weights | chosen))


def _about(settings: DenoisingSettings, denoiser: Manifest) -> str:
    """Return a sentence on version, model and the settings that are not the defaults."""
    defaults = DenoisingSettings().as_dict()
    changed = [
        f"{key} {value}" for key, value in settings.as_dict().items() if value != defaults[key]
    ]
    text = f"pseudoctdenoise {__version__}, model {denoiser.name}, "
    return f"{text}{', '.join(changed) or 'default settings'}."


def _check_folder(folder: Path, inputs: list[Path]) -> None:
    """Check that the folder of the cohort is apart from the inputs and holds no files of others.

    Its path must be UTF-8, because SimpleITK writes the thumbnails.
    """
    itk_path(folder)
    if folder.is_file():
        raise BadInputError(f"{folder} is a file: choose a folder for the cohort.")
    is_cohort = (folder / FILE).is_file()
    if not is_cohort and holds_files(folder):
        raise BadInputError(f"{folder} holds files: choose a new or an empty folder.")
    if not inputs and not is_cohort:
        raise BadInputError(f"{folder} holds no cohort to resume: give scans as INPUT.")
    for place in inputs:
        above, below = folder.resolve(), place.resolve()
        if below.is_relative_to(above) or above.is_relative_to(below):
            raise BadInputError(
                f"{folder} and the input {place} contain each other: choose a folder outside the "
                "inputs."
            )


def _denoise_pending(arguments: argparse.Namespace, folder: Path, manifest: CohortManifest) -> None:
    """Denoise the scans that have no outcome yet, on a local cluster or on a scheduler."""
    opened = ExitStack()

    def work() -> None:
        client = _open_client(arguments, opened)
        with ProgressBar() as bar:
            progress = _Progress(manifest, bar)

            def record(task: ScanTask, outcome: dict) -> None:
                failed = outcome["exit"] not in SUCCESSES
                manifest.record(task.name, outcome, failed=failed)
                progress.show(failed)

            tasks = _unfinished_tasks(arguments, folder, manifest, record)
            distribute(client, tasks, record, arguments.workers if arguments.scheduler else None)

    def end() -> None:
        opened.close()
        if not arguments.scheduler:  # no worker is left
            remove_unfinished(folder)

    try:
        with_cleanup(work, end)
    except KeyboardInterrupt:
        end_quietly()
        raise
    remove_unfinished(folder)


def _open_client(arguments: argparse.Namespace, opened: ExitStack) -> Client:
    """Return a client of the scheduler or of a new local cluster, which ``opened`` closes."""
    from dask.system import CPU_COUNT
    from distributed import Client

    if arguments.scheduler:
        client = opened.enter_context(connect(arguments.scheduler))
        if not client.nthreads():
            print("Waiting for the first worker of the scheduler.", file=sys.stderr)
            client.wait_for_workers(1)
        return client
    workers = plan_local_workers(arguments.workers, read_settings(arguments).device, CPU_COUNT)
    device = f"one of {len(workers.gpus)} GPUs each" if workers.gpus else "CPU"
    print(
        f"{workers.count} workers with {workers.threads} threads each, {device}.", file=sys.stderr
    )
    cluster = opened.enter_context(start_local_cluster(workers))
    return opened.enter_context(Client(cluster, set_as_default=False))


class _Progress:
    """Progress bar of a cohort with the number of scans, the time left and the failures."""

    def __init__(self, manifest: CohortManifest, bar: ProgressBar):
        counts = manifest.counts()
        self._left, self._failed = counts[PENDING], counts[FAILED]
        self._total, self._ended = sum(counts.values()), 0
        self._bar, self._started = bar, time.monotonic()

    def show(self, failed: bool) -> None:
        """Count a scan that ended."""
        self._left -= 1
        self._ended += 1
        self._failed += failed
        seconds = (time.monotonic() - self._started) / self._ended * self._left
        done = self._total - self._left
        detail = f"{duration(seconds)} left, {self._failed} set aside"
        self._bar.show(done / self._total, f"scan {done}/{self._total}", detail)


def _unfinished_tasks(
    arguments: argparse.Namespace,
    folder: Path,
    manifest: CohortManifest,
    record: Callable[[ScanTask, dict], None],
) -> Iterator[ScanTask]:
    """Yield the tasks of the pending scans; record those whose result exists already."""
    options = ["--settings", str(folder / SETTINGS), "--model", arguments.model]
    if arguments.models != SHIPPED_MODELS:  # other machines may have the package elsewhere
        options += ["--models", os.path.abspath(arguments.models)]
    for scan in manifest.pending():
        suffix = _suffix(scan, arguments.format)
        task = ScanTask(scan.name, str(scan.path), str(folder), suffix, tuple(options))
        # The driver may have been killed after the result was complete.
        if finished := finished_outcome(task):
            record(task, finished)
        else:
            yield task


def _suffix(scan: Scan, output_format: str | None) -> str:
    """Return the end of the name of the denoised scan; empty for a DICOM folder."""
    if output_format:
        return "" if output_format == "dicom" else f".{output_format}"
    if scan.is_dicom:
        return ""
    suffix = split_suffix(scan.path.name)[1].lower()
    return _OUTPUT_OF_HEADER.get(suffix, suffix)


def _write_results(folder: Path, manifest: CohortManifest, about: str) -> int:
    """Write table and page; print a summary and return the exit code."""
    outcomes = list(manifest.outcomes())
    outliers = find_outliers(outcomes)
    side_outputs = SideOutputs()
    with side_outputs.writing(folder / table.FILE):
        text = table.table_text(outcomes, outliers)
        replace_file(folder / table.FILE, text.encode(errors="backslashreplace"))
    with side_outputs.writing(folder / page.FILE):
        text = page.page_text(folder, outcomes, outliers, about)
        replace_file(folder / page.FILE, text.encode(errors="backslashreplace"))
    failed = [outcome for outcome in outcomes if outcome["exit"] not in SUCCESSES]
    _print_few([f"{o['name']}: {o['words']}" for o in failed], "were set aside")
    print(
        f"{len(outcomes) - len(failed)} scans denoised, {len(failed)} set aside: "
        f"{printable(str(folder / page.FILE))} (research use only)."
    )
    return INCOMPLETE if failed else side_outputs.exit_code
