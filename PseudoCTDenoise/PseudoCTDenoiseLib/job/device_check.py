"""What a job would run on, and how long it would take."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ..engine.errors import BadInputError
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
        self._arguments = ["--check", f"{rows}x{columns}", "--device", deviceName, "--model", model]
        if modelsFolder is not None:
            self._arguments += ["--models", str(modelsFolder)]

    def estimateSeconds(self, settings: dict, slices: int, wantNoise: bool = True) -> float:
        """Expected seconds of a job, the start of its process included."""
        timing = self.timing
        settings = timing.default_settings | settings
        one, noise = timing.seconds_per_slice, timing.seconds_per_noise
        models = False
        seconds = timing.seconds_to_start + slices * settings["orientations"] * one
        if settings["method"] == "pseudo-ct" and settings["steps"]:
            update = timing.seconds_per_update * _work(settings) / _work(timing.default_settings)
            by_slice = settings["tuning"] == "slice"
            tunings = slices if by_slice else 1
            sampled = 1 if by_slice else min(slices, settings["tuning_slices"])
            renewals = 1
            if settings["update_period"]:
                renewals += settings["steps"] // settings["update_period"]
            passes = 1 if settings["teacher"] == "network" else 8
            models = settings["noise_source"] != "residual" or settings["teacher"] == "average"
            seconds += tunings * settings["steps"] * update
            seconds += tunings * sampled * (renewals * passes * one + (noise if models else 0))
            seconds += 2 * update
        # The worker tries each part twice before it begins, to tell the time left.
        trial = one + (noise if wantNoise or models else 0)
        return seconds + 2 * trial + (slices * noise if wantNoise else 0)

    def _prepare(self) -> Sequence[str]:
        return self._arguments

    def _receive(self, message: Message) -> None:
        if isinstance(message, CheckResult):
            self.timing = message

    def _takeResult(self) -> None:
        if self.timing is None:
            raise BadInputError("The check of the device ended without a result.")


def _work(settings: dict) -> int:
    """Pixels of an update."""
    return settings["batch"] * settings["patch_size"] ** 2
