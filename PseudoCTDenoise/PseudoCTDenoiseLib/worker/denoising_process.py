"""One denoising job in a background process: HU arrays in, HU arrays out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..denoising.map_choice import ENSEMBLE
from ..denoising.settings import DenoisingSettings
from ..errors import BadInputError
from ..models.catalog import DEFAULT_MODEL
from .job_folder import PREVIEW_SECONDS, JobFolder, JobRequest
from .protocol import Message, Preview, ProgressMessage, Result, preview_command
from .runner import Runner
from .signals import Signal
from .worker_process import JobState, WorkerProcess


@dataclass(frozen=True)
class JobResult:
    """The results of a job; all arrays are (slices, rows, columns) int16 HU.

    ``denoised`` is at full strength. ``noise`` is None unless it was requested.
    ``noise_maps`` has the requested maps by the noise model's name. ``report`` comes from
    :func:`..denoising.report.job_report`.
    """

    denoised: np.ndarray
    noise: np.ndarray | None
    noise_maps: dict[str, np.ndarray]
    report: dict


class DenoisingProcess(WorkerProcess):
    """Denoises a scan in a process of its own.

    In addition to the signals of :class:`.worker_process.WorkerProcess` it emits
    ``progressed(ProgressMessage)`` and ``previewed(slice_index, hu)`` with (rows, columns) int16
    HU at full strength. ``result`` is set when the job has COMPLETED, ``failure`` when it has
    FAILED. The folder that holds the scan is removed in every case.

    Parameters
    ----------
    runner : :class:`.qprocess_runner.QProcessRunner` in Slicer's window, otherwise
        :class:`.runner.SubprocessRunner`.
    hu : the scan, (slices, rows, columns) HU; it is not modified.
    settings : settings of the job; None for the defaults. Their strength is ignored, because the
        display applies it.
    model : name of a denoiser.
    maps : one of :data:`.MAP_CHOICES`, the noise maps to return.
    preview_slice : slice to preview; None for the slice with the most organs.
    preview_seconds : shortest time between two previews, in seconds; None for no previews.
    pixel_mm : side of a pixel in mm; None if it is not known.
    temporary_folder : parent of the job folder; None for the system's temporary folder.
    program, environment : Python and its environment variables; None for the module's own.

    >>> job = DenoisingProcess(SubprocessRunner(), hu, DenoisingSettings(steps=50))
    >>> job.progressed.connect(lambda message: print(message.stage, message.share))
    >>> job.start()
    >>> if job.wait() is JobState.COMPLETED:
    ...     use(job.result.denoised)
    """

    def __init__(
        self,
        runner: Runner,
        hu: np.ndarray,
        settings: DenoisingSettings | None = None,
        model: str = DEFAULT_MODEL,
        maps: str = ENSEMBLE,
        preview_slice: int | None = None,
        preview_seconds: float | None = PREVIEW_SECONDS,
        pixel_mm: float | None = None,
        temporary_folder: Path | str | None = None,
        program: str | None = None,
        environment: dict[str, str] | None = None,
    ):
        super().__init__(runner, program, environment)
        self.progressed = Signal()
        self.previewed = Signal()
        self.result: JobResult | None = None
        self._hu: np.ndarray | None = hu
        self._shape = hu.shape
        self._temporary_folder = temporary_folder
        self._request = JobRequest(
            settings or DenoisingSettings(),
            model,
            maps,
            preview_slice,
            preview_seconds,
            pixel_mm,
        )
        self._shown_slice = preview_slice
        self._folder: JobFolder | None = None
        self._files: Result | None = None

    def show_slice(self, slice_index: int) -> None:
        """Preview this slice from now on."""
        active = self.state in (JobState.STARTING, JobState.RUNNING)
        if active and slice_index != self._shown_slice and 0 <= slice_index < self._shape[0]:
            self._shown_slice = slice_index
            self._runner.write_line(preview_command(slice_index))

    def _prepare(self) -> Sequence[str]:
        # The name is stored before the folder exists, so every failure from here on removes it.
        self._folder = JobFolder.named(self._temporary_folder)
        self._folder.create()
        self._folder.write_job(self._hu, self._request)
        self._hu = None  # the array may be large, and the worker reads the file
        return [str(self._folder.path)]

    def _receive(self, message: Message) -> None:
        if isinstance(message, ProgressMessage):
            self.progressed.emit(message)
        elif isinstance(message, Preview):
            self._show_preview(message)
        elif isinstance(message, Result):
            self._files = message

    def _show_preview(self, message: Preview) -> None:
        if not 0 <= message.slice < self._shape[0]:
            return
        try:
            image = self._folder.read_array(message.file, self._shape[1:])
        except BadInputError:  # a later preview has replaced the file
            return
        self._folder.remove_file(message.file)
        if message.slice == self._shown_slice or self._shown_slice is None:
            self.previewed.emit(message.slice, image)

    def _take_result(self) -> None:
        files = self._files
        if files is None:
            raise BadInputError("The background process ended without a result. Run it again.")
        self.result = JobResult(
            self._read(files.denoised),
            self._read(files.noise),
            {name: self._read(file) for name, file in (files.noise_maps or {}).items()},
            files.report,
        )

    def _read(self, file: str | None) -> np.ndarray | None:
        return None if file is None else self._folder.read_array(str(file), self._shape)

    def _tidy(self) -> None:
        self._hu = None
        if self._folder is not None:
            self._folder.remove()
