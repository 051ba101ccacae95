"""One denoising job in the background, from a scan's HU to the results'."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..errors import BadInputError
from .job_folder import JobFolder, JobRequest
from .protocol import Message, Preview, ProgressMessage, Result, preview_command
from .runner import Runner
from .signals import Signal
from .worker_process import JobState, WorkerProcess


@dataclass(frozen=True)
class JobResult:
    """What a job gave, all arrays (slices, rows, columns) int16 HU.

    ``denoised`` is at full strength. The noise, the pseudo-LDCT and the map of each noise model
    (by the model's name) are there if they were wanted. ``report`` is the engine's
    (:func:`..denoising.report.job_report`), ``losses`` the tuning's loss of every step.
    """

    denoised: np.ndarray
    noise: np.ndarray | None
    pseudoLdct: np.ndarray | None
    noiseMaps: dict[str, np.ndarray]
    report: dict
    losses: list[float]


class DenoisingProcess(WorkerProcess):
    """Denoises a scan in a process of its own.

    On top of the signals of :class:`.worker_process.WorkerProcess` there are
    ``progressed(ProgressMessage)`` and ``previewed(sliceIndex, hu)``, the latter with (rows,
    columns) int16 HU at full strength. After COMPLETED ``result`` is there, after FAILED
    ``failure``. The folder with the scan is gone after every end.

    Parameters
    ----------
    runner : :class:`.qprocess_runner.QProcessRunner` in the window, else
        :class:`.runner.SubprocessRunner`.
    hu : the scan, (slices, rows, columns) HU; left as it is.
    settings : those of the engine by name; what is left out has its default. The strength is
        that of the display and not used here.
    model : name of a denoiser.
    wantNoise : also estimate the noise of every slice.
    previewSlice, previewSeconds : the slice that is shown meanwhile (None for the one with the
        most organs) and the least time between two pictures of it.
    modelsFolder : None for the models that came with the module.
    temporaryFolder : where the job's folder is made; None for the system's.

    >>> job = DenoisingProcess(SubprocessRunner(), hu, {"steps": 50})
    >>> job.progressed.connect(lambda message: print(message.stage, message.share))
    >>> job.start()
    >>> if job.wait() is JobState.COMPLETED:
    ...     use(job.result.denoised)
    """

    def __init__(
        self,
        runner: Runner,
        hu: np.ndarray,
        settings: dict | None = None,
        model: str = "fast",
        wantNoise: bool = True,
        previewSlice: int | None = None,
        previewSeconds: float = 3.0,
        modelsFolder: Path | str | None = None,
        pixelMm: float | None = None,
        temporaryFolder: Path | str | None = None,
        program: str | None = None,
        environment: dict[str, str] | None = None,
    ):
        super().__init__(runner, program, environment)
        self.progressed = Signal()
        self.previewed = Signal()
        self.result: JobResult | None = None
        self._hu: np.ndarray | None = hu
        self._shape = hu.shape
        self._temporaryFolder = temporaryFolder
        self._request = JobRequest(
            dict(settings or {}),
            model,
            wantNoise,
            previewSlice,
            previewSeconds,
            None if modelsFolder is None else str(modelsFolder),
            pixelMm,
        )
        self._shownSlice = previewSlice
        self._folder: JobFolder | None = None
        self._files: Result | None = None

    def showSlice(self, sliceIndex: int) -> None:
        """Preview this slice from now on, the one that the user looks at."""
        active = self.state in (JobState.STARTING, JobState.RUNNING)
        if active and sliceIndex != self._shownSlice and 0 <= sliceIndex < self._shape[0]:
            self._shownSlice = sliceIndex
            self._runner.writeLine(preview_command(sliceIndex))

    def _prepare(self) -> Sequence[str]:
        # Known before it exists: then whatever ends the start also removes the folder.
        self._folder = JobFolder.named(self._temporaryFolder)
        self._folder.create()
        self._folder.writeJob(self._hu, self._request)
        self._hu = None  # it may be large, and the worker has it
        return [str(self._folder.path)]

    def _receive(self, message: Message) -> None:
        if isinstance(message, ProgressMessage):
            self.progressed.emit(message)
        elif isinstance(message, Preview):
            self._showPreview(message)
        elif isinstance(message, Result):
            self._files = message

    def _showPreview(self, message: Preview) -> None:
        try:
            image = self._folder.readArray(message.file, self._shape[1:])
        except BadInputError:  # a later one took its place
            return
        self._folder.removeFile(message.file)
        if message.slice == self._shownSlice or self._shownSlice is None:
            self.previewed.emit(message.slice, image)

    def _takeResult(self) -> None:
        files = self._files
        if files is None:
            raise BadInputError("The background process ended without a result.")
        self.result = JobResult(
            self._read(files.denoised),
            self._read(files.noise),
            self._read(files.pseudo_ldct),
            {name: self._read(file) for name, file in (files.noise_maps or {}).items()},
            files.report,
            list(files.report.get("tuning_loss", [])),
        )

    def _read(self, file: str | None) -> np.ndarray | None:
        return None if file is None else self._folder.readArray(str(file), self._shape)

    def _tidy(self) -> None:
        self._hu = None
        if self._folder is not None:
            self._folder.remove()
