"""Device check: finds the device that a job would use and estimates the duration of the job."""

from __future__ import annotations

from collections.abc import Sequence

from ..denoising.plan import PartSeconds, plan_job, resolve_orientations
from ..denoising.settings import DenoisingSettings, settings_from_values
from ..errors import BadInputError
from ..models.catalog import DEFAULT_MODEL
from .protocol import CheckResult, Message
from .runner import Runner
from .worker_process import WorkerProcess


class DeviceCheck(WorkerProcess):
    """Starts a worker that finds a working device and times one slice and one update on it.

    ``device`` and ``timing`` are set when the check has COMPLETED; :meth:`estimate_seconds` needs
    them.

    Parameters
    ----------
    rows, columns : size of the slices to denoise, in pixels.
    device_name : name of a device, see :func:`.settings.check_device_name`.
    model : name of a denoiser.
    """

    def __init__(
        self,
        runner: Runner,
        rows: int,
        columns: int,
        device_name: str = "auto",
        model: str = DEFAULT_MODEL,
        program: str | None = None,
        environment: dict[str, str] | None = None,
    ):
        super().__init__(runner, program, environment)
        self.timing: CheckResult | None = None
        self._size = (rows, columns)
        self._arguments = [
            "--check",
            f"{rows}x{columns}",
            "--device",
            device_name,
            "--model",
            model,
        ]

    def estimate_seconds(
        self, settings: DenoisingSettings, slices: int, with_maps: bool = True
    ) -> float:
        """Estimate the seconds that a job takes, including the start of its process."""
        timing = self.timing
        timed = settings_from_values(timing.default_settings)
        settings = resolve_orientations(settings, (slices, *self._size))
        update = timing.seconds_per_update * _pixels_of_update(settings) / _pixels_of_update(timed)
        part = PartSeconds(
            timing.seconds_per_slice,
            update,
            timing.seconds_per_noise,
            timing.seconds_per_tuning_slice,
        )
        # The worker runs each part twice before it starts, to estimate the remaining time.
        trial = part.slice
        if settings.tunes:
            trial += part.update
            # In float32 a tuning slice takes as long as any slice and is not timed separately.
            trial += part.tuning_slice if part.tuning_slice != part.slice else 0.0
        trial += part.noise if with_maps or settings.needs_noise_models else 0.0
        separate_maps = with_maps and not (timing.have_one_trunk and settings.keeps_trunk)
        plan = plan_job(settings, slices, separate_maps, part)
        return timing.seconds_to_start + 2 * trial + plan.total_seconds

    def _prepare(self) -> Sequence[str]:
        return self._arguments

    def _receive(self, message: Message) -> None:
        if isinstance(message, CheckResult):
            self.timing = message

    def _take_result(self) -> None:
        if self.timing is None:
            raise BadInputError("The device check failed: it ended without a result. Run it again.")


def _pixels_of_update(settings: DenoisingSettings) -> int:
    """Return the number of pixels in the patches of one update."""
    return settings.batch * settings.patch_size**2
