"""Control of the running job of a whole sequence."""

from __future__ import annotations

from collections.abc import Callable

import slicer
from slicer.i18n import tr as _

from ..worker.worker_process import JobState
from .deferred_views import DeferredViews
from .run_panel import RunPanel


class SequenceControl:
    """Holds the panel's running :class:`.SequenceRun`.

    Parameters
    ----------
    comparison : :class:`.SideBySide`, the views.
    views : decides when the comparison may be shown.
    ended : called at the end of a job.
    """

    def __init__(
        self, runPanel: RunPanel, comparison, views: DeferredViews, ended: Callable[[], None]
    ):
        self._runPanel = runPanel
        self._comparison = comparison
        self._views = views
        self._ended = ended
        self.run = None

    def start(self, run) -> None:
        """Start a run and show its progress and result."""
        self.run = run
        self._runPanel.follow(run)
        run.ended.connect(self._onEnded)
        run.start()

    def cancel(self) -> None:
        """Cancel the running job."""
        if self.run is not None:
            self.run.cancel()

    def cleanup(self) -> None:
        """Abort a running job and disconnect from it."""
        if self.run is not None:
            self.run.ended.disconnect(self._onEnded)
            self.run.abort()
            self.run = None

    def _onEnded(self, state: JobState) -> None:
        run, self.run = self.run, None
        self._ended()
        if state is not JobState.COMPLETED:
            self._runPanel.showNoResult(run)
            return
        volumes = run.request.inputVolume, run.outputVolume
        self._views.change(lambda: self._show(volumes))
        self._runPanel.setStatus(
            _("Done: {name} shows the denoised items. Research use only.").format(
                name=run.outputVolume.GetName()
            )
        )

    def _show(self, volumes) -> None:
        """Show the denoised items beside the original ones, unless the user has deleted them."""
        if all(map(slicer.mrmlScene.IsNodePresent, volumes)):
            self._comparison.show(*volumes)
