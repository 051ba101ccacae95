"""What a job would run on, and how long it would take."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from ..denoising.plan import PartSeconds, plan_job, settled
from ..denoising.settings import DenoisingSettings
from ..errors import BadInputError
from .protocol import CheckResult, Message
from .runner import Runner
from .worker_process import WorkerProcess


class DeviceCheck(WorkerProcess):
    """Starts a worker that looks which device works, and times a slice and an update on it.

    After COMPLETED ``device`` and ``timing`` are there and :meth:`estimateSeconds` answers.

    Parameters
    ----------
    rows, columns : of the slices that are to be denoised.
    deviceName : "auto", "cpu", "cuda" or "mps".
    model, modelsFolder : as for a :class:`.denoising_process.DenoisingProcess`.
    """

    def __init__(
        self,
        runner: Runner,
        rows: int,
        columns: int,
        deviceName: str = "auto",
        model: str = "fast",
        modelsFolder: Path | str | None = None,
        program: str | None = None,
        environment: dict[str, str] | None = None,
    ):
        super().__init__(runner, program, environment)
        self.timing: CheckResult | None = None
        self._size = (rows, columns)
        self._arguments = ["--check", f"{rows}x{columns}", "--device", deviceName, "--model", model]
        if modelsFolder is not None:
            self._arguments += ["--models", str(modelsFolder)]

    def estimateSeconds(self, settings: dict, slices: int, wantNoise: bool = True) -> float:
        """Expected seconds of a job, the start of its process included."""
        timing = self.timing
        default = DenoisingSettings(**timing.default_settings)
        settings = settled(replace(default, **settings), (slices, *self._size))
        update = timing.seconds_per_update * _pixels(settings) / _pixels(default)
        one = PartSeconds(
            timing.seconds_per_slice,
            update,
            timing.seconds_per_noise,
            timing.seconds_per_tuning_slice,
        )
        # The worker tries each part twice before it begins, to tell the time left.
        trial = one.slice
        if settings.tunes:
            trial += one.update
            # In float32 it is the slice's and not tried again.
            trial += one.tuning_slice if one.tuning_slice != one.slice else 0.0
        trial += one.noise if wantNoise or settings.needs_noise_models else 0.0
        plan = plan_job(settings, slices, wantNoise, one)
        return timing.seconds_to_start + 2 * trial + sum(plan.values())

    def _prepare(self) -> Sequence[str]:
        return self._arguments

    def _receive(self, message: Message) -> None:
        if isinstance(message, CheckResult):
            self.timing = message

    def _takeResult(self) -> None:
        if self.timing is None:
            raise BadInputError("The check of the device ended without a result.")


def _pixels(settings: DenoisingSettings) -> int:
    """Of an update."""
    return settings.batch * settings.patch_size**2
