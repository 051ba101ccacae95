"""The background process: ``worker.py JOBFOLDER`` denoises, ``worker.py --check`` times.

Only this file and the engine load torch. It runs as a script in a Python process of its own and
exits with a code of :mod:`PseudoCTDenoiseLib.exit_codes`.
"""

from __future__ import annotations

import argparse
import math
import os
import signal
import sys
import time
import traceback
from dataclasses import replace
from pathlib import Path

STARTED = time.monotonic()
LIBRARY_PARENT = Path(__file__).resolve().parents[2]
# A script's folder is first on the path, where `runner.py` and others could hide packages.
sys.path[:] = [str(LIBRARY_PARENT), *(p for p in sys.path if p != str(Path(__file__).parent))]

from PseudoCTDenoiseLib.errors import (  # noqa: E402
    OUT_OF_MEMORY_ADVICE,
    BadInputError,
    Cancelled,
    is_out_of_memory,
    one_line,
    out_of_memory_message,
)
from PseudoCTDenoiseLib.exit_codes import BAD_INPUT, CANCELLED, DONE, FAULT  # noqa: E402
from PseudoCTDenoiseLib.models.catalog import DEFAULT_MODEL  # noqa: E402
from PseudoCTDenoiseLib.printed_words import WARNING  # noqa: E402
from PseudoCTDenoiseLib.torch_cache import create_no_torch_cache  # noqa: E402
from PseudoCTDenoiseLib.worker.job_mark import is_job_folder, remove_job_folder  # noqa: E402
from PseudoCTDenoiseLib.worker.parent_link import ParentLink, leave  # noqa: E402
from PseudoCTDenoiseLib.worker.protocol import (  # noqa: E402
    CheckResult,
    Device,
    Failure,
    Log,
    Preview,
    ProgressMessage,
    Result,
)

PROGRESS_SECONDS = 0.05
"""Shortest time between two reports: a fast GPU does more steps than a window can draw."""


def main(arguments: list[str]) -> None:
    """Run the worker and exit the process."""
    os.umask(0o077)
    parsed = parse(arguments)

    def tidy() -> None:
        if parsed.folder is not None:
            remove_job_folder(parsed.folder)

    # The parent also receives Ctrl-C, and it decides. If it ends, the link notices.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    for name in ("SIGTERM", "SIGHUP"):  # at the end of the session or of the terminal
        number = getattr(signal, name, None)
        if number is not None and signal.getsignal(number) != signal.SIG_IGN:  # nohup ignores it
            signal.signal(number, lambda number, frame: leave(FAULT, tidy))
    link = ParentLink(tidy)
    code = FAULT
    try:
        code = work(parsed, link)
    except Exception as error:
        link.say(
            Failure(
                "fault",
                f"{type(error).__name__}: {one_line(error)}",
                "This is a bug. Please report it with the log.",
            )
        )
        traceback.print_exc()
    finally:  # printing fails if the parent is dead
        link.leave(code)


def parse(arguments: list[str]) -> argparse.Namespace:
    """Return the parsed command line; exits with a usage message if it is wrong."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", nargs="?", help="job folder")
    parser.add_argument("--check", metavar="ROWSxCOLUMNS", help="time a slice of this size")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--model", default=DEFAULT_MODEL)
    parsed = parser.parse_args(arguments)
    if (parsed.folder is None) == (parsed.check is None):
        parser.error("give either a job folder or --check")
    if parsed.folder is not None:
        parsed.folder = os.path.abspath(parsed.folder)
    return parsed


def work(parsed: argparse.Namespace, link: ParentLink) -> int:
    """Denoise or check as the arguments say, and return the exit code."""
    if parsed.folder is not None and not is_job_folder(parsed.folder):
        link.say(
            Failure(
                "bad-input",
                f"{parsed.folder} is not the folder of a job.",
                "Start the job in Slicer, or use the command pseudoct denoise.",
            )
        )
        return BAD_INPUT
    create_no_torch_cache()
    try:
        import torch  # noqa: F401
    except (ImportError, OSError) as error:  # OSError: a shared library of torch is missing
        if is_out_of_memory(error):
            return out_of_memory(error, link)
        link.say(
            Failure(
                "no-torch",
                f"PyTorch cannot be loaded: {one_line(error)}.",
                "Install it with Slicer's PyTorch extension, then run it again.",
            )
        )
        traceback.print_exc()
        return BAD_INPUT
    try:
        if parsed.check:
            check(parsed, link)
        else:
            denoise(parsed.folder, link)
    except Cancelled:
        return CANCELLED
    except Exception as error:
        if is_out_of_memory(error):
            return out_of_memory(error, link)
        if not isinstance(error, BadInputError):
            raise
        link.say(Failure("bad-input", str(error)))
        return BAD_INPUT
    return DONE


def out_of_memory(error: Exception, link: ParentLink) -> int:
    """Report lack of memory, and return the exit code."""
    link.say(Failure("out-of-memory", out_of_memory_message(error), OUT_OF_MEMORY_ADVICE))
    traceback.print_exception(error)
    return FAULT


def denoise(path: str, link: ParentLink) -> None:
    """Run the job of a folder and report its progress and result."""
    from PseudoCTDenoiseLib.denoising.job import DenoisingJob
    from PseudoCTDenoiseLib.denoising.map_choice import need_noise_models
    from PseudoCTDenoiseLib.denoising.report import job_report
    from PseudoCTDenoiseLib.models.store import load_models
    from PseudoCTDenoiseLib.worker.job_folder import JobFolder

    folder = JobFolder(path)
    hu, request = folder.read_job()
    settings = replace(request.settings, strength=100.0)  # the display applies the strength
    with_noise_models = need_noise_models(request.maps, settings)
    models = load_models(request.model, with_noise_models=with_noise_models)
    denoiser, manifest = models.denoiser
    job = DenoisingJob(
        hu,
        denoiser,
        models.noise_networks,
        settings,
        pixel_mm=request.pixel_mm,
        maps=request.maps,
        preview_slice=request.preview_slice,
        domain=manifest.domain,
    )
    link.say(Device(job.device.description, job.device.reason))
    reporter = Reporter(job, folder, link)
    if request.preview_seconds is not None:
        reporter.show_first()
    for warning in job.warnings:  # takes seconds for large slices, so the preview comes first
        reporter.warn(warning)
    result = run(
        job,
        link,
        progress=reporter,
        preview_seconds=math.inf if request.preview_seconds is None else request.preview_seconds,
        new_array=reporter.new_array,
    )

    for warning in result.warnings[len(job.warnings) :]:  # those that arose during the run
        reporter.warn(warning)
    report = job_report(hu, result, manifest, models.noise_manifests)
    noise = None if result.noise is None else result.noise.path.name
    maps = {}
    if result.noise_maps is not None:
        pairs = zip(models.noise_manifests, result.noise_maps, strict=True)
        maps = {model.name: images.path.name for model, images in pairs}
    link.say(Result(result.hu.path.name, report, noise, maps))


def run(job, link: ParentLink, **options):
    """Run a job; if the GPU runs out of memory, retry once with a smaller batch.

    :meth:`.DenoisingJob.run` receives the ``options``.
    """
    import torch

    try:
        return job.run(job.estimate(), **options)
    except RuntimeError as error:
        if not is_out_of_memory(error) or job.device.name == "cpu" or job.settings.batch == 1:
            raise
    # The error keeps the tensors alive, so this is outside the except clause.
    torch.cuda.empty_cache()
    job.reduce_batch()
    link.say(Log(f"The GPU ran out of memory. Trying again with batch {job.settings.batch}."))
    return job.run(job.estimate(), **options)


class Reporter:
    """Sends the engine's progress reports to the parent, and stops a cancelled job."""

    def __init__(self, job, folder, link: ParentLink):
        self._job, self._folder, self._link = job, folder, link
        self._started = self._latest = time.monotonic()
        self._share = 0.0
        self._previews = 0
        self._has_warned = False
        self._warnings: set[str] = set()

    def warn(self, warning: str) -> None:
        """Log a warning, once if it arises during the run and is part of the result too."""
        if warning not in self._warnings:
            self._warnings.add(warning)
            self._link.say(Log(f"{WARNING}{warning}"))

    def __call__(self, progress) -> None:
        if self._link.cancelled:
            raise Cancelled
        wanted = self._link.preview_slice
        if wanted is not None and wanted < len(self._job.hu):
            self._job.show_slice(wanted)
        if progress.warning:
            self.warn(progress.warning)
        if progress.preview is not None:
            self.show(progress.preview_slice, progress.preview)
        now = time.monotonic()
        if progress.step < progress.total and now < self._latest + PROGRESS_SECONDS:
            return
        self._latest = now
        spent = now - self._started
        self._share = max(self._share, spent / max(spent + progress.seconds_left, 1e-9))
        self._link.say(
            ProgressMessage(
                progress.stage,
                progress.step,
                progress.total,
                progress.seconds_left,
                self._share,
            )
        )

    def new_array(self, name: str, shape: tuple[int, int, int]):
        """Create a file for a result; if the disk has no room, remove the preview and try again."""
        try:
            return self._folder.new_array(f"{name}.npy", shape)
        except BadInputError:
            self._folder.remove_file(self._file(self._previews))
            return self._folder.new_array(f"{name}.npy", shape)

    def show_first(self) -> None:
        """Send the preview of the pre-trained network, if there is memory for it."""
        try:
            image = self._job.first_preview()
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
            self._warn(out_of_memory_message(error))
        else:
            self.show(self._job.preview_slice, image)

    def show(self, index: int, image) -> None:
        """Send a preview of a slice, (rows, columns) HU, if there is room for it."""
        # Every preview has its own name, or the parent could mistake one slice for another. Old
        # previews are removed, so they do not pile up while the parent's window is busy.
        self._previews += 1
        self._folder.remove_file(self._file(self._previews - 2))
        name = self._file(self._previews)
        try:
            self._folder.write_array(name, image)
        except BadInputError as error:
            self._folder.remove_file(name)
            self._warn(str(error))
        else:
            self._link.say(Preview(index, name))

    def _file(self, number: int) -> str:
        return f"preview_{number}.npy"

    def _warn(self, reason: str) -> None:
        if not self._has_warned:
            self._has_warned = True
            self._link.say(Log(f"{WARNING}Previews are missing, the job goes on. {reason}"))


def check(parsed: argparse.Namespace, link: ParentLink) -> None:
    """Time the parts of a job on a synthetic slice, and send the result."""
    import numpy as np

    from PseudoCTDenoiseLib.denoising.job import DenoisingJob
    from PseudoCTDenoiseLib.denoising.map_choice import ENSEMBLE, NO_MAPS
    from PseudoCTDenoiseLib.denoising.settings import DenoisingSettings
    from PseudoCTDenoiseLib.models.store import load_models

    rows, _, columns = parsed.check.partition("x")
    if not (rows.isdigit() and columns.isdigit()):
        raise BadInputError(f"'{parsed.check}' is not the size of a slice. Write ROWSxCOLUMNS.")
    hu = np.full((1, int(rows), int(columns)), -1000, np.int16)
    body = hu[:, int(rows) // 4 : -int(rows) // 4, int(columns) // 4 : -int(columns) // 4]
    body[:] = 40
    body[:, ::16] = -100
    default = DenoisingSettings(device=parsed.device)
    models = load_models(parsed.model)
    job = DenoisingJob(
        hu,
        models.denoiser[0],
        models.noise_networks,
        default,
        maps=ENSEMBLE if models.noise_models else NO_MAPS,
    )
    link.say(Device(job.device.description, job.device.reason))
    started = time.monotonic() - STARTED
    part = job.part_seconds()
    link.say(
        CheckResult(
            seconds_to_start=started,
            seconds_per_slice=part.slice,
            seconds_per_update=part.update,
            seconds_per_noise=part.noise,
            seconds_per_tuning_slice=part.tuning_slice,
            have_one_trunk=job.have_one_trunk,
            default_settings=default.as_dict(),
        )
    )


if __name__ == "__main__":
    main(sys.argv[1:])
