"""Display of the device and of the estimated time of a job."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from slicer.i18n import tr as _

from ..denoising.settings import DenoisingSettings
from ..duration import duration
from ..models.catalog import DEFAULT_MODEL
from ..worker.device_check import DeviceCheck
from ..worker.worker_process import JobFailure, JobState


class SpeedKey(NamedTuple):
    """Device, model and slice size, which determine the speed that a check measures."""

    device: str
    model: str
    rows: int
    columns: int


class JobSize(NamedTuple):
    """Options that determine the time of a job at a known speed."""

    settings: DenoisingSettings
    slices: int
    withMaps: bool
    items: int = 1


class DevicePanel:
    """Checks device and speed once in the background, then estimates the time of every job.

    Parameters
    ----------
    makeCheck : returns a new :class:`.DeviceCheck` that is not started.
    """

    def __init__(self, ui, makeCheck: Callable[[SpeedKey], DeviceCheck]):
        self._ui = ui
        self._makeCheck = makeCheck
        self._wanted = SpeedKey("auto", DEFAULT_MODEL, 512, 512)
        self._checked: SpeedKey | None = None
        self._running: DeviceCheck | None = None
        self._known: DeviceCheck | None = None
        self._job: JobSize | None = None
        ui.checkDeviceButton.connect("clicked()", self.check)

    def setJob(self, speedKey: SpeedKey, job: JobSize) -> None:
        """Show the estimate for a job. Check the device first if its speed is unknown."""
        self._resume()
        self._wanted = speedKey
        self._job = job
        if speedKey != self._checked:
            self.check()
        self._showTime()

    def setNoJob(self) -> None:
        """Show no estimate, because no job can start."""
        self._resume()
        self._job = None
        self._showTime()

    def check(self) -> None:
        """Start a background process that reports device and speed."""
        if self._running is not None:
            return
        self._ui.deviceLabel.text = _("checking…")
        self._ui.checkDeviceButton.enabled = False
        self._known = None
        self._checked = self._wanted
        self._running = self._makeCheck(self._checked)
        self._running.silent.connect(self._onSilence)
        self._running.ended.connect(self._onEnded)
        self._running.start()

    def pause(self) -> None:
        """Check nothing while a job runs: both would be slow, and the speed wrong.

        The next call of :meth:`setJob` or :meth:`setNoJob` ends the pause.
        """
        if self._running is not None:
            self.cleanup()
            self._checked = None
            self._ui.deviceLabel.text = _("not checked yet")
        self._ui.checkDeviceButton.enabled = False

    def _resume(self) -> None:
        self._ui.checkDeviceButton.enabled = self._running is None

    def cleanup(self) -> None:
        """Stop a running check."""
        if self._running is not None:
            self._running.ended.disconnect(self._onEnded)
            self._running.abort()
            self._running = None

    def _onSilence(self, silence) -> None:
        time = duration(silence.without_message)
        if silence.is_final:
            self._running.abort()
            if self._running is None:
                self._ui.deviceLabel.text = _("No answer for {time}. Check again.").format(
                    time=time
                )
        elif silence.is_complete:
            self._ui.deviceLabel.text = _("checking… (no answer for {time})").format(time=time)

    def _onEnded(self, state: JobState) -> None:
        check, self._running = self._running, None
        self._ui.checkDeviceButton.enabled = True
        if self._wanted != self._checked:  # the user has changed the choice
            self.check()
            return
        if state is JobState.COMPLETED:
            self._known = check
            self._ui.deviceLabel.text = f"{check.device.description}\n({check.device.reason})"
        else:
            self._ui.deviceLabel.text = _reasonOf(check.failure)
        self._showTime()

    def _showTime(self) -> None:
        if self._job is None:
            text = "–"
        elif self._known is None:
            text = _("available after the device check")
        else:
            settings, slices, withMaps, items = self._job
            seconds = items * self._known.estimate_seconds(settings, slices, withMaps)
            count = items * slices
            words = _("about {time} for {count} slices") if count > 1 else _("about {time}")
            text = words.format(time=duration(seconds), count=count)
        self._ui.timeLabel.text = text


def _reasonOf(failure: JobFailure | None) -> str:
    """Return why a check failed, and what to do; the advice of a job does not fit a check."""
    if failure is None:
        return _("not checked yet")
    advice = failure.what_to_do
    if failure.kind in ("died", "out-of-memory"):
        advice = _("Click Check again. Close other programs or choose the CPU as Device.")
    return f"{failure.message} {advice}"
