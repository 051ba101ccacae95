"""Control of the running job, from the start to the views of its result."""

from __future__ import annotations

from collections.abc import Callable

import qt
import slicer
from slicer.i18n import tr as _

from ..duration import duration
from ..scene import provenance
from ..scene.live_preview import middleOf, sliceIndexAt
from ..worker.worker_process import JobState
from .compare_panel import ComparePanel
from .deferred_views import DeferredViews
from .run_panel import RunPanel

FOLLOW_MS = 400
"""Interval at which the preview follows the user to another slice."""


class RunControl:
    """Holds the panel's running job.

    Parameters
    ----------
    comparison : :class:`.SideBySide`, the views.
    views : decides when the comparison may be shown.
    ended : called at the end of a job with the result's node or None, before it is shown.
    """

    def __init__(
        self,
        runPanel: RunPanel,
        comparePanel: ComparePanel,
        comparison,
        views: DeferredViews,
        ended: Callable[[object], None],
    ):
        self._runPanel = runPanel
        self._comparePanel = comparePanel
        self._comparison = comparison
        self._views = views
        self._ended = ended
        self._before = None
        self._previewShown = False
        self.run = None
        self._timer = qt.QTimer()
        self._timer.interval = FOLLOW_MS
        self._timer.connect("timeout()", self._followUser)

    def start(self, run) -> None:
        """Start a :class:`.DenoisingRun` and show its progress and result."""
        self._before, self._previewShown = None, False
        self.run = run
        self._runPanel.follow(run)
        run.previewed.connect(self._onPreview)
        run.importing.connect(self._runPanel.onImporting)
        run.ended.connect(self._onEnded)
        self._timer.start()
        run.start()

    def replaces(self, volume) -> bool:
        """Return True if the running job will replace this volume."""
        target = self.run.request.outputVolume if self.run is not None else None
        return target is not None and target.GetID() == volume.GetID()

    def cancel(self) -> None:
        """Cancel the running job."""
        if self.run is not None:
            self.run.cancel()

    def sliceOnScreen(self, volume, axis: int) -> int | None:
        """Return the slice of a volume in the views; None if no view shows the volume."""
        position = self._comparison.positionIn(volume)
        return None if position is None else sliceIndexAt(volume, axis, position)

    def cleanup(self) -> None:
        """Abort a running job and disconnect from it."""
        self._timer.stop()
        if self.run is not None:
            self.run.ended.disconnect(self._onEnded)
            self.run.abort()
            self.run = None

    def _followUser(self) -> None:
        volume = self.run.request.inputVolume
        if not slicer.mrmlScene.IsNodePresent(volume):
            return
        index = self.sliceOnScreen(volume, self.run.axis)
        if index is not None:
            self.run.showSlice(index)

    def _onPreview(self, node, new: bool) -> None:
        if self._previewShown and not new or not self._views.mayChange:
            return
        comparison, self._previewShown = self._comparison, True
        if self._before is None:
            hasVolumes = comparison.shown and comparison.original is not None
            volumes = comparison.volumes if hasVolumes else None
            self._before = (volumes, comparison.plotAndTableShown)
        comparison.show(self.run.request.inputVolume, node, position=middleOf(node))
        self._comparePanel.startPreview()

    def _onEnded(self, state: JobState) -> None:
        self._timer.stop()
        run, self.run = self.run, None
        self._ended(run.outputVolume)
        if state is JobState.COMPLETED:
            self._sayDone(run)
        else:
            self._runPanel.showNoResult(run)
        self._views.change(lambda: self._showEnd(run.outputVolume))

    def _sayDone(self, run) -> None:
        output = run.outputVolume
        done = _("Done in {time}: {name}.").format(
            time=duration(float(output.GetAttribute(provenance.SECONDS))),
            name=", ".join(filter(None, [output.GetName(), run.slicesText])),
        )
        light, _sentence = provenance.removedNoiseSentence(output)
        check = light and _("Removed noise: {light}.").format(light=light)
        warnings = provenance.provenanceOf(output).get("Warnings", [])
        said = [done, check, _("Research use only."), run.outcome, *warnings]
        self._runPanel.setStatus(" ".join(filter(None, said)))

    def _showEnd(self, output) -> None:
        """Show the result; without one, show what the views showed before the preview."""
        self._comparePanel.endPreview()
        if output is not None:
            self._comparePanel.showResult(output)
        else:
            self._restoreViews()

    def _restoreViews(self) -> None:
        """Restore the views from before the preview, unless the user has left it."""
        comparison = self._comparison
        hasLeft = not comparison.shown or (
            comparison.denoised is not None and slicer.mrmlScene.IsNodePresent(comparison.denoised)
        )
        if self._before is None or hasLeft:
            return
        volumes, plotAndTable = self._before
        if volumes and all(v is None or slicer.mrmlScene.IsNodePresent(v) for v in volumes):
            comparison.show(*volumes, plotAndTable=plotAndTable)
        else:
            comparison.restore()
        self._comparePanel.refresh()
