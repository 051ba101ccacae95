"""The background process: ``worker.py JOBFOLDER`` denoises, ``worker.py --check`` times.

The one file beside the engine that loads torch. It runs as a script in a Python of its own and
ends with one of the exit codes of the protocol.
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
# A script's own folder comes first on the path, where our `runner` would hide another's.
sys.path[:] = [str(LIBRARY_PARENT), *(p for p in sys.path if p != str(Path(__file__).parent))]

from PseudoCTDenoiseLib.temporary_files import remove_folder  # noqa: E402
from PseudoCTDenoiseLib.worker.parent_link import ParentLink, leave  # noqa: E402
from PseudoCTDenoiseLib.worker.protocol import (  # noqa: E402
    BAD_INPUT,
    CANCELLED,
    DONE,
    FAULT,
    CheckResult,
    Device,
    Failure,
    Log,
    Preview,
    ProgressMessage,
    Result,
)

PROGRESS_SECONDS = 0.05
"""The least time between two reports: a fast GPU has more steps than a window can draw."""
GIB = 2**30


def main(arguments: list[str]) -> None:
    os.umask(0o077)
    # Ctrl-C in a terminal, and its closing, reach the parent too. The parent decides, and if it
    # ends, the link notices.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if hasattr(signal, "SIGHUP"):
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
    parsed = parse(arguments)

    def tidy() -> None:
        if parsed.folder is not None:
            remove_folder(parsed.folder)

    signal.signal(signal.SIGTERM, lambda number, frame: leave(FAULT, tidy))
    link = ParentLink(tidy)
    code = FAULT
    try:
        code = work(parsed, link)
    except Exception as error:
        link.say(
            Failure(
                "fault",
                f"{type(error).__name__}: {one_line(error)}",
                "This is a fault of the program: please report it with the log.",
            )
        )
        traceback.print_exc()
    finally:  # printing fails too, if nobody is left to read
        link.leave(code)


def parse(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", nargs="?", help="a job's folder")
    parser.add_argument("--check", metavar="ROWSxCOLUMNS", help="time a slice of this size")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--model", default="fast")
    parser.add_argument("--models", default=None)
    parsed = parser.parse_args(arguments)
    if (parsed.folder is None) == (parsed.check is None):
        parser.error("give a job's folder or --check")
    return parsed


def work(parsed: argparse.Namespace, link: ParentLink) -> int:
    """Do what the arguments say; returns the exit code."""
    if parsed.folder is not None:  # torch makes itself a folder: let it go with the job's
        os.environ["TORCHINDUCTOR_CACHE_DIR"] = os.path.join(parsed.folder, "torch")
    try:
        import torch
    except (ImportError, OSError) as error:  # OSError: a library that torch needs is missing
        traceback.print_exc()
        link.say(
            Failure(
                "no-torch",
                f"PyTorch cannot be loaded: {one_line(error)}.",
                "Install it with the PyTorch extension of Slicer, then run this again.",
            )
        )
        return BAD_INPUT
    from PseudoCTDenoiseLib.errors import BadInputError, Cancelled

    try:
        if parsed.check:
            check(parsed, link)
        else:
            denoise(parsed.folder, link)
    except Cancelled:
        return CANCELLED
    except BadInputError as error:
        link.say(Failure("bad-input", str(error)))
        return BAD_INPUT
    except (RuntimeError, MemoryError) as error:
        if not is_out_of_memory(error):
            raise
        traceback.print_exc()
        words = f"This computer's memory is not enough ({one_line(error)})."
        of_the_gpu = isinstance(error, RuntimeError) and "CPUAllocator" not in str(error)
        if of_the_gpu and torch.cuda.is_available():
            free, total = (size / GIB for size in torch.cuda.mem_get_info())
            peak = torch.cuda.max_memory_allocated() / GIB
            words = (
                f"The GPU's memory is not enough: it has {total:.1f} GiB, the job held "
                f"{peak:.1f} GiB, and {free:.1f} GiB are free now."
            )
        advice = "Close other programs, choose fewer slices, or choose the CPU if it ran on a GPU."
        link.say(Failure("out-of-memory", words, advice))
        return FAULT
    return DONE


def is_out_of_memory(error: Exception) -> bool:
    """Whether numpy or torch found no memory, on whichever device."""
    return isinstance(error, MemoryError) or any(
        words in str(error)
        for words in ("out of memory", "not enough memory", "allocate memory", "ALLOC_FAILED")
    )


def one_line(error: Exception) -> str:
    return " ".join(str(error).split())


def denoise(path: str, link: ParentLink) -> None:
    """Do the job of a folder, and tell of it."""
    from PseudoCTDenoiseLib.denoising.job import DenoisingJob
    from PseudoCTDenoiseLib.denoising.report import job_report
    from PseudoCTDenoiseLib.worker.job_folder import JobFolder

    folder = JobFolder(path)
    hu, request = folder.readJob()
    settings = read_settings(request.settings)
    (denoiser, manifest), noise_models = load_models(
        request.model, request.models_folder, request.want_noise or settings.needs_noise_models
    )
    manifests = [one for _, one in noise_models]
    job = DenoisingJob(
        hu,
        denoiser,
        [network for network, _ in noise_models],
        settings,
        pixel_mm=request.pixel_mm,
        want_noise=request.want_noise,
        preview_seconds=request.preview_seconds,
        preview_slice=request.preview_slice,
        new_array=lambda name, shape: folder.newArray(f"{name}.npy", shape),
    )
    tell_device(job.device, link)
    job.progress = reporter = Reporter(job, folder, link)
    if math.isfinite(request.preview_seconds):
        reporter.show(job.preview_slice, job.first_preview())
    result = run(job, link)

    report = job_report(hu, result, manifest, manifests)
    maps = {one.name: f"noise_{k}.npy" for k, one in enumerate(manifests)}
    if request.want_noise:
        link.say(Result("denoised.npy", report, "noise.npy", "pseudo_ldct.npy", maps))
    else:
        link.say(Result("denoised.npy", report))


def run(job, link: ParentLink):
    """The job's result; where a GPU's memory is not enough, with a smaller batch once."""
    import torch

    try:
        return job.run(job.estimate())
    except RuntimeError as error:
        if not is_out_of_memory(error) or job.device.name == "cpu" or job.settings.batch == 1:
            raise
    # Outside of the except clause, whose error would keep the tensors alive.
    torch.cuda.empty_cache()
    job.settings = replace(job.settings, batch=max(1, job.settings.batch // 4))
    link.say(Log(f"The GPU's memory is not enough: again, with batch {job.settings.batch}."))
    return job.run(job.estimate())


def read_settings(values: dict):
    """The engine's settings, at full strength: how much is shown is the display's choice."""
    from PseudoCTDenoiseLib.denoising.settings import DenoisingSettings
    from PseudoCTDenoiseLib.errors import BadInputError

    known = DenoisingSettings().as_dict()
    if unknown := values.keys() - known.keys():
        raise BadInputError(f"Unknown setting '{min(unknown)}': known are {', '.join(known)}.")
    return replace(DenoisingSettings(**values), strength=100.0)


def load_models(name: str, folder: str | None, with_noise_models: bool):
    """The denoiser and the noise models, each with its manifest."""
    from PseudoCTDenoiseLib.models.store import SHIPPED_MODELS, load_denoiser, load_noise_models

    folder = SHIPPED_MODELS if folder is None else Path(folder)
    denoiser = load_denoiser(name, folder)
    names = denoiser[1].noise_models
    return denoiser, load_noise_models(folder, names) if with_noise_models else []


def tell_device(device, link: ParentLink) -> None:
    import torch

    link.say(Device(device.name, device.description, device.reason, torch.__version__))


class Reporter:
    """Takes the engine's reports: passes them on, and stops the job when it is cancelled."""

    def __init__(self, job, folder, link: ParentLink):
        self._job, self._folder, self._link = job, folder, link
        self._started = self._latest = time.monotonic()
        self._share = 0.0
        self._previews = 0

    def __call__(self, progress) -> None:
        from PseudoCTDenoiseLib.errors import Cancelled

        if self._link.cancelled:
            raise Cancelled
        wanted = self._link.preview_slice
        if wanted is not None and wanted < len(self._job.hu):
            self._job.preview_slice = wanted
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
                progress.loss,
            )
        )

    def show(self, index: int, image) -> None:
        """Pass on a slice as it is known by now, (rows, columns) HU."""
        # A name of its own for each, or the parent could read one slice as another. Those that
        # it does not take, as when its window is busy, do not pile up.
        self._previews += 1
        self._folder.removeFile(f"preview_{self._previews - 2}.npy")
        name = f"preview_{self._previews}.npy"
        self._folder.writeArray(name, image)
        self._link.say(Preview(index, name))


def check(parsed: argparse.Namespace, link: ParentLink) -> None:
    """Time a slice, an update and the noise of a slice on a made-up one."""
    import numpy as np

    from PseudoCTDenoiseLib.denoising.job import DenoisingJob
    from PseudoCTDenoiseLib.denoising.settings import DenoisingSettings
    from PseudoCTDenoiseLib.errors import BadInputError

    rows, _, columns = parsed.check.partition("x")
    if not (rows.isdigit() and columns.isdigit()):
        raise BadInputError(f"'{parsed.check}' is no size of a slice: give ROWSxCOLUMNS.")
    hu = np.full((1, int(rows), int(columns)), -1000, np.int16)
    hu[:, int(rows) // 4 : -int(rows) // 4, int(columns) // 4 : -int(columns) // 4] = 40
    default = DenoisingSettings(device=parsed.device)
    (denoiser, _), noise_models = load_models(parsed.model, parsed.models, True)
    networks = [network for network, _ in noise_models]
    job = DenoisingJob(hu, denoiser, networks, default, want_noise=bool(networks))
    tell_device(job.device, link)
    started = time.monotonic() - STARTED
    one = job.part_seconds()
    link.say(
        CheckResult(
            seconds_to_start=started,
            seconds_per_slice=one.slice,
            seconds_per_update=one.update,
            seconds_per_noise=one.noise,
            seconds_per_tuning_slice=one.tuning_slice,
            default_settings=default.as_dict(),
        )
    )


if __name__ == "__main__":
    main(sys.argv[1:])
