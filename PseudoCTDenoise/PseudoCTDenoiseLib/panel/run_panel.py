"""Denoise button, progress bar, status line and log."""

from __future__ import annotations

import time

import qt
import slicer
from slicer.i18n import tr as _

from ..duration import duration
from ..worker.worker_process import JobState

CLICK_GUARD_MS = 500
"""Time after which a click counts again when the meaning of the Denoise button has changed.

A double-click must not cancel the job that it starts, nor a click on Cancel that arrives while a
result is added to the scene start another job.
"""


class RunPanel:
    """Shows the progress of a job; the Denoise button becomes Cancel while it runs."""

    def __init__(self, ui):
        self._ui = ui
        self._state = JobState.IDLE
        self._progress = ""
        self._importing = False
        self._ignoresClicks = False
        self._guard = qt.QTimer()
        self._guard.setSingleShot(True)
        self._guard.interval = CLICK_GUARD_MS
        self._guard.connect("timeout()", self._acceptClicks)
        ui.copyLogButton.connect("clicked(bool)", self.onCopyLog)
        ui.progressBar.visible = False
        ui.progressBar.setRange(0, 1000)

    @property
    def running(self) -> bool:
        """True while a job runs."""
        return self._state.is_active

    @property
    def acceptsClicks(self) -> bool:
        """False for a moment after the meaning of the Denoise button has changed."""
        return not self._ignoresClicks

    def setReady(self, ready: bool, reason: str) -> None:
        """Enable or disable the Denoise button, with the reason as its tooltip."""
        self._ui.applyButton.enabled = ready
        self._ui.applyButton.toolTip = reason

    def follow(self, run) -> None:
        """Show state, progress, log and silence of a :class:`.SceneRun`."""
        run.stateChanged.connect(self.onState)
        run.progressed.connect(self.onProgress)
        run.logged.connect(self.log)
        run.silent.connect(self.onSilence)

    def onState(self, state: JobState) -> None:
        """Show the job's state."""
        ui = self._ui
        if state is JobState.STARTING:
            ui.progressBar.value = 0
        if state.is_active != self.running:
            self._ignoresClicks = True
            # The time counts from the moment when the event loop runs again.
            qt.QTimer.singleShot(0, lambda: self._guard.start())
        self._endImport()
        self._state = state
        ui.progressBar.visible = self.running
        ui.applyButton.text = _("Cancel") if self.running else _("Denoise")
        ui.applyButton.enabled = state is not JobState.CANCELLING
        if self.running:
            ui.applyButton.toolTip = _("Cancels the job. The scene is not changed.")
        if state is JobState.STARTING:
            self._showProgress(_("Starting the background process…"))
        elif state is JobState.CANCELLING:
            self.setStatus(_("Cancelling…"))

    def onProgress(self, progress) -> None:
        """Show a progress report: stage, step and remaining time."""
        self._ui.progressBar.value = int(1000 * min(max(progress.share, 0), 1))
        if self._state is not JobState.CANCELLING:
            self._showProgress(
                _("{stage}: {step} of {total}, about {left} left").format(
                    stage=progress.stage.capitalize(),
                    step=progress.step,
                    total=progress.total,
                    left=duration(progress.seconds_left),
                )
            )

    def onImporting(self) -> None:
        """Show that the result is added to the scene, which blocks Slicer for seconds."""
        self._importing = True
        slicer.app.setOverrideCursor(qt.Qt.WaitCursor)
        self._ui.progressBar.value = self._ui.progressBar.maximum
        self._ui.applyButton.enabled = False
        self.setStatus(_("Adding the result to the scene…"))
        for widget in (self._ui.statusLabel, self._ui.progressBar, self._ui.applyButton):
            widget.repaint()  # without the event loop, which would process clicks

    def _endImport(self) -> None:
        if self._importing:
            slicer.app.restoreOverrideCursor()
            self._importing = False

    def _acceptClicks(self) -> None:
        self._ignoresClicks = False

    def onSilence(self, silence) -> None:
        """Show for how long a job has made no progress, or has not answered at all."""
        if silence.is_complete:
            self.setStatus(
                _(
                    "The background process has not answered for {time}. It may be stopped, or "
                    "the computer may be short of memory. Wait, or click Cancel to end it."
                ).format(time=duration(silence.without_message))
            )
        else:
            self.setStatus(
                _("{progress} (no progress for {time}; the background process is running)").format(
                    progress=self._progress, time=duration(silence.without_progress)
                )
            )

    def showNoResult(self, run) -> None:
        """Show that a job was cancelled, or why it failed."""
        if run.state is JobState.CANCELLED:
            self.setStatus(run.withdrawn or _("Cancelled. The scene is unchanged."))
            return
        failure = run.failure
        text = f"{failure.message} {failure.what_to_do}"
        self.log(f"{text}\n{failure.standard_error}".strip())
        self.setStatus(text)
        details = {"detailedText": failure.standard_error} if failure.standard_error else {}
        slicer.util.errorDisplay(text, **details)

    def _showProgress(self, text: str) -> None:
        self._progress = text
        self.setStatus(text)

    def setStatus(self, text: str) -> None:
        """Show a text in the status line."""
        self._ui.statusLabel.text = text

    def log(self, text: str) -> None:
        """Add a line to the log, with the time of day."""
        self._ui.logTextEdit.appendPlainText(f"{time.strftime('%H:%M:%S')}  {text}")

    def onCopyLog(self, clicked=None) -> None:
        """Copy the log to the clipboard."""
        slicer.app.clipboard().setText(self._ui.logTextEdit.toPlainText())
        qt.QToolTip.showText(qt.QCursor.pos(), _("Log copied"))
