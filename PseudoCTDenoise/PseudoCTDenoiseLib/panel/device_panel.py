"""The line that says what the network will run on, and the time that a job will take."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from slicer.i18n import tr as _

from ..duration import duration
from ..worker.device_check import DeviceCheck
from ..worker.worker_process import JobState


class Subject(NamedTuple):
    """What a check times: a slice through a model on a device."""

    device: str
    model: str
    rows: int
    columns: int


class DevicePanel:
    """Asks the background process once for device and speed, then estimates every job by them.

    Parameters
    ----------
    makeCheck : gives a new, not yet started :class:`.DeviceCheck`.
    """

    def __init__(self, ui, makeCheck: Callable[[Subject], DeviceCheck]):
        self._ui = ui
        self._makeCheck = makeCheck
        self._wanted = Subject("auto", "fast", 512, 512)
        self._checked: Subject | None = None
        self._running: DeviceCheck | None = None
        self._known: DeviceCheck | None = None
        self._job: tuple[dict, int, bool] | None = None
        ui.checkDeviceButton.connect("clicked()", self.check)

    def setJob(self, subject: Subject, settings: dict, slices: int, wantNoise: bool) -> None:
        """What a click on Denoise would do; asks the device where it is not known yet."""
        self._wanted = subject
        self._job = (settings, slices, wantNoise)
        if subject != self._checked:
            self.check()
        self._showTime()

    def setNoJob(self) -> None:
        """A click on Denoise would do nothing."""
        self._job = None
        self._showTime()

    def check(self) -> None:
        """Start the background process and let it tell device and speed."""
        if self._running is not None:
            return
        self._ui.deviceLabel.text = _("checking…")
        self._ui.checkDeviceButton.enabled = False
        self._known = None
        self._checked = self._wanted
        self._running = self._makeCheck(self._checked)
        self._running.ended.connect(self._onEnded)
        self._running.start()

    def cleanup(self) -> None:
        if self._running is not None:
            self._running.ended.disconnect(self._onEnded)
            self._running.abort()
            self._running = None

    def _onEnded(self, state: JobState) -> None:
        check, self._running = self._running, None
        self._ui.checkDeviceButton.enabled = True
        if self._wanted != self._checked:  # chosen anew meanwhile
            self.check()
            return
        if state is JobState.COMPLETED:
            self._known = check
            self._ui.deviceLabel.text = f"{check.device.description}\n({check.device.reason})"
        else:
            failure = check.failure
            self._ui.deviceLabel.text = (
                f"{failure.message} {failure.whatToDo}" if failure else _("not checked yet")
            )
        self._showTime()

    def _showTime(self) -> None:
        if self._job is None:
            text = "–"
        elif self._known is None:
            text = _("known after the check of the device")
        else:
            text = _("about {time} for {count} slices").format(
                time=duration(self._known.estimateSeconds(*self._job)), count=self._job[1]
            )
        self._ui.timeLabel.text = text
