"""Denoising of all items of a sequence into a new sequence."""

from __future__ import annotations

import math
import time
import traceback
from collections.abc import Callable
from dataclasses import replace

import slicer

from ..ct.strength import apply_strength
from ..errors import BadInputError
from ..worker.denoising_process import DenoisingProcess
from ..worker.protocol import ProgressMessage
from ..worker.runner import Runner
from ..worker.signals import Signal
from ..worker.worker_process import JobFailure, JobState
from .ct_input import ctFromNode
from .denoising_run import Request, checkedRange
from .provenance import provenanceAttributes
from .results import checkStrength, newNodesOnlyOnSuccess, placeInStudy
from .sequence_item import browserOf


class SequenceRun:
    """Denoises the items of a sequence in turn, each with a job of its own.

    The new sequence is added to the browser of the input, which then shows the same item of both.
    Until the last item is denoised the scene does not change.

    Attributes
    ----------
    state, stateChanged, progressed, logged, ended, failure : as in :class:`.DenoisingRun`.
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
        ctFromNode(request.inputVolume)
        self._browser = browserOf(request.inputVolume)
        if self._browser is None:
            raise BadInputError(
                f"{request.inputVolume.GetName()} does not show an item of a sequence. Select the "
                "volume that a sequence browser changes."
            )
        checkStrength(request.strength)
        self._sequence = self._browser.GetSequenceNode(request.inputVolume)
        self._items = _itemsOf(self._sequence)
        for item in self._items:  # no item is refused after others have been denoised
            checkedRange(request.sliceRange, len(ctFromNode(item).hu))
        self._denoised = []
        self._process: DenoisingProcess | None = None
        self._observer: int | None = None
        self.stateChanged, self.progressed = Signal(), Signal()
        self.logged, self.ended = Signal(), Signal()
        self.outputVolume = None
        self.failure = None
        self.state = JobState.IDLE

    def start(self) -> None:
        """Start with the first item."""
        scene = slicer.mrmlScene
        self._observer = scene.AddObserver(scene.NodeRemovedEvent, self._onNodeRemoved)
        self._started = time.monotonic()
        self._startItem()

    def cancel(self) -> None:
        """Cancel the job without changing the scene. Takes less than two seconds."""
        if self._process is not None:
            self._process.cancel()

    def abort(self) -> None:
        """Kill the background process and return when it has ended."""
        if self._process is not None:
            self._process.abort()

    def wait(self) -> JobState:
        """Wait for the end of the job. Signals are emitted on this thread during the wait."""
        while self.state.is_active:
            self._process.wait()
        return self.state

    def _startItem(self) -> None:
        number = len(self._denoised)
        self._ct = ctFromNode(self._items[number])
        self._range = checkedRange(self.request.sliceRange, len(self._ct.hu))
        first, last = self._range
        self.logged.emit(
            f"Denoising item {number + 1} of {len(self._items)} of {self._sequence.GetName()}."
        )
        process = self._process = DenoisingProcess(
            self._makeRunner(),
            self._ct.hu[first : last + 1],
            self.request.settings,
            model=self.request.model,
            want_noise=False,
            preview_seconds=math.inf,
            pixel_mm=math.sqrt(math.prod(self._ct.pixelSizeMm)),
        )
        process.state_changed.connect(self._onState)
        process.progressed.connect(self._onProgress)
        process.logged.connect(self.logged.emit)
        process.ended.connect(self._onItemEnded)
        process.start()

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
        self.failure = self._process.failure
        if state is JobState.COMPLETED:
            try:
                self._denoised.append(self._denoisedItem())
                if len(self._denoised) < len(self._items):
                    self._startItem()
                    return
                self._import()
            except BadInputError as error:
                self.failure = JobFailure("input-changed", str(error), "Run it again.")
                state = JobState.FAILED
            except Exception as error:  # after any error, the panel must leave its running state
                self.failure = JobFailure(
                    "import",
                    f"The result could not be added to the scene: {error}.",
                    "Copy the log and report it. The original is unchanged.",
                    traceback.format_exc(),
                )
                state = JobState.FAILED
        slicer.mrmlScene.RemoveObserver(self._observer)
        self._setState(state)
        self.ended.emit(state)

    def _denoisedItem(self):
        """Return a volume node outside the scene with the denoised voxels of the current item."""
        first, last = self._range
        result = self._process.result
        hu = self._ct.hu
        hu[first : last + 1] = apply_strength(
            hu[first : last + 1], result.denoised, self.request.strength
        )
        source = self._items[len(self._denoised)]
        node = slicer.vtkMRMLScalarVolumeNode()
        node.CopyContent(source)
        node.SetName(f"{source.GetName()} denoised")
        slicer.util.updateVolumeFromArray(node, self._ct.toNodeOrder(hu))
        node.RemoveAttribute("DICOM.instanceUIDs")
        settings = {**result.report["settings"], "strength": self.request.strength}
        report = {**result.report, "settings": settings}
        for name, value in provenanceAttributes(report, self._range).items():
            node.SetAttribute(name, value)
        return node

    def _import(self) -> None:
        """Add the sequence and the volume that shows its items to the scene."""
        scene, inputVolume = slicer.mrmlScene, self.request.inputVolume
        if _itemsOf(self._sequence) != self._items or browserOf(inputVolume) is not self._browser:
            raise BadInputError(f"{self._sequence.GetName()} was changed while it was denoised.")
        with newNodesOnlyOnSuccess():
            name = scene.GenerateUniqueName(f"{self._sequence.GetName()} denoised")
            sequence = scene.AddNewNodeByClass("vtkMRMLSequenceNode", name)
            sequence.CopySequenceIndex(self._sequence)
            for number, node in enumerate(self._denoised):
                sequence.SetDataNodeAtValue(node, self._sequence.GetNthIndexValue(number))
            output = slicer.vtkMRMLScalarVolumeNode()
            output.SetName(f"{inputVolume.GetName()} denoised")
            output.CopyContent(self._denoised[max(self._browser.GetSelectedItemNumber(), 0)])
            scene.AddNode(output)
            output.CreateDefaultDisplayNodes()
            if inputVolume.GetDisplayNode() is not None:
                output.GetDisplayNode().CopyContent(inputVolume.GetDisplayNode())
            output.SetAndObserveTransformNodeID(inputVolume.GetTransformNodeID())
            placeInStudy(output, inputVolume)
            self._browser.AddSynchronizedSequenceNode(sequence)
            self._browser.AddProxyNode(output, sequence, False)
        self.outputVolume = output

    def _onNodeRemoved(self, caller, event) -> None:
        if not slicer.mrmlScene.IsNodePresent(self._sequence):
            self.cancel()

    def _setState(self, state: JobState) -> None:
        if state is not self.state:
            self.state = state
            if state.is_over:
                self.logged.emit(f"{state.value.capitalize()}.")
            self.stateChanged.emit(state)


def _itemsOf(sequence) -> list:
    return [sequence.GetNthDataNode(i) for i in range(sequence.GetNumberOfDataNodes())]
