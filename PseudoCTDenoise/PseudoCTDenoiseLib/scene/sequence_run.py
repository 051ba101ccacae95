"""Denoising of all items of a sequence into a new sequence."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace

import slicer

from ..ct.strength import apply_strength
from ..denoising.map_choice import NO_MAPS
from ..errors import BadInputError
from ..worker.denoising_process import DenoisingProcess
from ..worker.protocol import ProgressMessage
from ..worker.runner import Runner
from ..worker.worker_process import JobFailure, JobState
from .ct_input import CtInput, ctFromNode, exactSlices
from .denoising_run import Request, checkedRange
from .dicom_export import INSTANCE_UIDS
from .provenance import provenanceAttributes
from .results import checkStrength, contentOf, newNodesOnlyOnSuccess, placeInStudy, showLike
from .scene_run import SceneRun, changedFailure, importFailure
from .sequence_item import browserOf, itemsOf


class SequenceRun(SceneRun):
    """Denoises the items of a sequence in turn, each with a job of its own.

    The new sequence is added to the browser of the input, which then shows the same item of both.
    Until the last item is denoised the scene does not change.

    Attributes
    ----------
    state, stateChanged, progressed, logged, silent, ended, failure : as in :class:`.DenoisingRun`.
    outputVolume : the volume that shows the denoised item, set in the state COMPLETED.

    Parameters
    ----------
    request : its input is the volume that shows the items; its output and its additional outputs
        are ignored.
    makeRunner : returns a runner for each item.

    Raises
    ------
    BadInputError
        If the input shows no item of a sequence, an item cannot be denoised, the range holds no
        slice of an item, or the strength is outside 0 to 100 %.
    """

    def __init__(self, request: Request, makeRunner: Callable[[], Runner]):
        self.request = request
        self._makeRunner = makeRunner
        inputVolume = request.inputVolume
        ctFromNode(inputVolume)
        self._browser = browserOf(inputVolume)
        if self._browser is None:
            raise BadInputError(
                f"{inputVolume.GetName()} does not show an item of a sequence. Select the "
                "volume that a sequence browser changes."
            )
        checkStrength(request.strength)
        self._sequence = self._browser.GetSequenceNode(inputVolume)
        super().__init__([inputVolume, self._browser, self._sequence])
        self._items, self._names = _nodesOf(self._sequence), itemsOf(self._sequence)
        for number in range(len(self._items)):  # none is refused after others were denoised
            self._read(number)
        self._denoised: list = []
        self._checksums: list[tuple] = []
        self._process: DenoisingProcess | None = None
        self._cancelled = False

    def start(self) -> None:
        """Start with the first item."""
        self._observe()
        self._started = time.monotonic()
        self._goOn()

    def cancel(self) -> None:
        """Cancel the job without changing the scene. Takes less than two seconds."""
        self._cancelled = True  # between two items no process would take notice
        if self._process is not None:
            self._process.cancel()

    def abort(self) -> None:
        """Kill the background process and return when it has ended."""
        self._cancelled = True
        if self._process is not None:
            self._process.abort()

    def wait(self) -> JobState:
        """Wait for the end of the job. Signals are emitted on this thread during the wait."""
        while self.state.is_active:
            self._process.wait()
        return self.state

    def _read(self, number: int) -> tuple[CtInput, tuple[int, int]]:
        """Return an item and the range of its slices; an error names the item."""
        name = f"Item {number + 1} ({self._names[number]})"
        if self._items[number] is None:
            raise BadInputError(f"{name} contains no volume. Remove it from the sequence.")
        try:
            ct = ctFromNode(self._items[number])
            return ct, checkedRange(self.request.sliceRange, len(ct.hu))
        except BadInputError as error:
            raise BadInputError(f"{name}: {error}") from error

    def _startNextItem(self) -> JobState | None:
        """Start the next item; return the final state if there is none to start."""
        number, count = len(self._denoised), len(self._items)
        if number < count:
            self.logged.emit(
                f"Denoising item {number + 1} of {count} of {self._sequence.GetName()}."
            )
        if self._cancelled:
            return JobState.CANCELLED
        if number == count:
            return self._import()
        try:
            self._ct, self._range = self._read(number)
        except BadInputError as error:  # the item was changed since the check
            self.failure = JobFailure("bad-input", str(error))
            return JobState.FAILED
        self._checksums.append(contentOf(self._items[number]))
        first, last = self._range
        process = self._process = DenoisingProcess(
            self._makeRunner(),
            self._ct.hu[first : last + 1],
            self.request.settings,
            model=self.request.model,
            maps=NO_MAPS,
            preview_seconds=None,
            pixel_mm=self._ct.pixelMm,
        )
        process.state_changed.connect(self._onState)
        process.progressed.connect(self._onProgress)
        process.logged.connect(self.logged.emit)
        process.silent.connect(self.silent.emit)
        process.ended.connect(self._onItemEnded)
        process.start()
        return None

    def _onState(self, state: JobState) -> None:
        if not state.is_over and (state is not JobState.STARTING or not self._denoised):
            self._setState(state)

    def _onProgress(self, message: ProgressMessage) -> None:
        """Report the progress of all items, which take about the same time."""
        done, count = len(self._denoised), len(self._items)
        share = (done + message.share) / count
        left = message.seconds_left
        if share > 0:
            itemSeconds = (time.monotonic() - self._started + left) / (done + 1)
            left += (count - done - 1) * itemSeconds
        stage = f"item {done + 1} of {count}, {message.stage}"
        self.progressed.emit(replace(message, stage=stage, seconds_left=left, share=share))

    def _onItemEnded(self, state: JobState) -> None:
        if state is not JobState.COMPLETED:
            self.failure = self._process.failure
            self._finish(state)
            return
        self._goOn()

    def _goOn(self) -> None:
        """Take the result of the last item, if there is one, and start the next item."""
        try:
            if self._process is not None:
                self._denoised.append(self._denoisedItem())
                self._process.result = None  # large
            state = self._startNextItem()
        except Exception as error:  # after any error, the panel must leave its running state
            if self.state.is_over:  # the error of a listener
                raise
            self.failure = importFailure(error)
            state = JobState.FAILED
        if state is not None:
            self._finish(state)

    def _denoisedItem(self):
        """Return a volume node outside the scene with the denoised voxels of the current item."""
        first, last = self._range
        result = self._process.result
        source = self._items[len(self._denoised)]
        hu = exactSlices(source, self._ct).copy()
        hu[first : last + 1] = apply_strength(
            hu[first : last + 1], result.denoised, self.request.strength
        )
        node = slicer.vtkMRMLScalarVolumeNode()
        node.CopyContent(source)
        node.SetName(f"{source.GetName()} denoised")
        slicer.util.updateVolumeFromArray(node, self._ct.toNodeOrder(hu))
        node.RemoveAttribute(INSTANCE_UIDS)
        settings = {**result.report["settings"], "strength": self.request.strength}
        report = {**result.report, "settings": settings}
        for name, value in provenanceAttributes(report, self._range).items():
            node.SetAttribute(name, value)
        self._logRemovedNoise(node)
        return node

    def _import(self) -> JobState:
        """Add the sequence and the volume that shows its items to the scene."""
        inputVolume = self.request.inputVolume
        unchanged = (
            _nodesOf(self._sequence) == self._items
            and browserOf(inputVolume) is self._browser
            and [contentOf(item) for item in self._items] == self._checksums
        )
        if not unchanged:
            self.failure = changedFailure(self._sequence.GetName())
            return JobState.FAILED
        slicer.mrmlScene.SaveStateForUndo()
        with newNodesOnlyOnSuccess():
            self.outputVolume = self._addNodes()
        return JobState.COMPLETED

    def _addNodes(self):
        scene, inputVolume, browser = slicer.mrmlScene, self.request.inputVolume, self._browser
        name = scene.GenerateUniqueName(f"{self._sequence.GetName()} denoised")
        sequence = scene.AddNewNodeByClass("vtkMRMLSequenceNode", name)
        sequence.CopySequenceIndex(self._sequence)
        for number, node in enumerate(self._denoised):
            sequence.SetDataNodeAtValue(node, self._sequence.GetNthIndexValue(number))
        # A browser that writes the item into the name of the input does not do so here.
        named = self._sequence if browser.GetOverwriteProxyName(self._sequence) else inputVolume
        output = slicer.vtkMRMLScalarVolumeNode()
        output.CopyContent(self._denoised[self._shownItem()])
        output.SetName(scene.GenerateUniqueName(f"{named.GetName()} denoised"))
        scene.AddNode(output)
        output.CreateDefaultDisplayNodes()
        showLike(inputVolume, output)
        output.SetAndObserveTransformNodeID(inputVolume.GetTransformNodeID())
        placeInStudy(output, inputVolume)
        browser.AddProxyNode(output, sequence, False)
        return output

    def _shownItem(self) -> int:
        """Return the number of the item at the position of the browser's master sequence."""
        position = max(self._browser.GetSelectedItemNumber(), 0)
        value = self._browser.GetMasterSequenceNode().GetNthIndexValue(position)
        return max(self._sequence.GetItemNumberFromIndexValue(value, False), 0)

    def _finish(self, state: JobState) -> None:
        self._denoised, self._ct = [], None  # large, and a script may keep this run
        self._end(state)


def _nodesOf(sequence) -> list:
    return [sequence.GetNthDataNode(i) for i in range(sequence.GetNumberOfDataNodes())]
