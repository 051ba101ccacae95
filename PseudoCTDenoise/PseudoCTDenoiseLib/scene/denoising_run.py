"""One denoising job of a volume node, from the request to the nodes of the result."""

from __future__ import annotations

from dataclasses import dataclass

import slicer

from ..ct.strength import apply_strength
from ..denoising.settings import DenoisingSettings
from ..errors import BadInputError
from ..models.catalog import DEFAULT_MODEL
from ..worker.denoising_process import DenoisingProcess
from ..worker.job_folder import PREVIEW_SECONDS
from ..worker.runner import Runner
from ..worker.signals import Signal
from ..worker.worker_process import JobState
from .ct_input import ctFromNode
from .live_preview import LivePreview
from .results import Outputs, checkStrength, contentOf, storeResult
from .scene_run import SceneRun, changedFailure, importFailure
from .sequence_item import browserOf, itemOf, showItem


@dataclass(frozen=True)
class Request:
    """A volume to denoise, and the options.

    Parameters
    ----------
    inputVolume, outputVolume : volume nodes; a new node is created if the output is None.
    model : name of a denoiser.
    settings : settings of the job; their strength is ignored.
    outputs : additional nodes to create.
    strength : strength at which previews and the result are shown, 0 to 100 %.
    sliceRange : first and last slice, counted from 0; None for all. Other slices are not changed.
    """

    inputVolume: object
    outputVolume: object = None
    model: str = DEFAULT_MODEL
    settings: DenoisingSettings = DenoisingSettings()
    outputs: Outputs = Outputs()
    strength: float = 100.0
    sliceRange: tuple[int, int] | None = None


class DenoisingRun(SceneRun):
    """The job of one request; ``process(…, waitForCompletion=False)`` returns it.

    >>> run = logic.process(volume, waitForCompletion=False)
    >>> run.ended.connect(lambda state: print(state, run.outputVolume))
    >>> run.cancel()

    Attributes
    ----------
    state : :class:`.JobState`.
    stateChanged, progressed, previewed, logged, silent, ended : signals. ``previewed(node, new)``
        gives the node of the preview and True if it is new; the others have the arguments of the
        signals of :class:`.DenoisingProcess`.
    importing : signal before the result is added to the scene, which blocks for seconds.
    outputVolume : the denoised volume, set in the state COMPLETED.
    failure : :class:`.JobFailure`, set in the state FAILED.
    axis : the input's index axis from slice to slice.
    slicesText : "slices 2 to 3 of 24" if the job is restricted to them; otherwise empty.
    outcome : sentence on the result of a repetition, see :class:`.RepeatRun`; otherwise empty.

    Raises
    ------
    BadInputError
        If the input is not a CT, the output is the input, the range holds no slice, or the
        strength is outside 0 to 100 %.
    """

    def __init__(
        self,
        request: Request,
        runner: Runner,
        *,
        preview: bool = False,
        previewSlice: int | None = None,
    ):
        self.request = request
        self.outcome = ""
        self._ct = ctFromNode(request.inputVolume)
        if not slicer.mrmlScene.IsNodePresent(request.inputVolume):
            name = request.inputVolume.GetName()
            raise BadInputError(f"{name} is not in the scene. Add it to the scene first.")
        super().__init__([request.inputVolume])
        self._range = checkedRange(request.sliceRange, len(self._ct.hu))
        _checkOutput(request)
        checkStrength(request.strength)
        first, last = self._range
        if previewSlice is not None and not first <= previewSlice <= last:
            previewSlice = None
        self._content = contentOf(request.inputVolume)
        self._item = itemOf(request.inputVolume)
        self._inputID = request.inputVolume.GetID()
        output = request.outputVolume
        self._outputID = output.GetID() if output else None
        self._outputWasEmpty = output is not None and output.GetImageData() is None
        self._preview = LivePreview(request.inputVolume, self._ct.axis)
        self.axis = self._ct.axis
        count = len(self._ct.hu)
        whole = self._range == (0, count - 1)
        self.slicesText = "" if whole else f"slices {first + 1} to {last + 1} of {count}"
        self.previewed, self.importing = Signal(), Signal()
        self._process = DenoisingProcess(
            runner,
            self._ct.hu[first : last + 1],
            request.settings,
            model=request.model,
            maps=request.outputs.maps,
            preview_slice=None if previewSlice is None else previewSlice - first,
            preview_seconds=PREVIEW_SECONDS if preview else None,
            pixel_mm=self._ct.pixelMm,
        )
        self._process.state_changed.connect(self._onState)
        self._process.progressed.connect(self.progressed.emit)
        self._process.previewed.connect(self._onPreview)
        self._process.device_reported.connect(self._onDevice)
        self._process.logged.connect(self.logged.emit)
        self._process.silent.connect(self.silent.emit)
        self._process.ended.connect(self._onEnded)

    def start(self) -> None:
        """Start the background process."""
        self._observe()
        first, last = self._range
        self.logged.emit(
            f"Denoising {self.request.inputVolume.GetName()}, slices {first + 1} to {last + 1}, "
            f"with model {self.request.model}."
        )
        self._process.start()

    def cancel(self) -> None:
        """Cancel the job without changing the scene. Takes less than two seconds."""
        self._process.cancel()

    def abort(self) -> None:
        """Kill the background process and return when it has ended."""
        self._process.abort()

    def wait(self) -> JobState:
        """Wait for the end of the job. Signals are emitted on this thread during the wait."""
        self._process.wait()
        return self.state

    def showSlice(self, index: int) -> None:
        """Preview this slice of the whole volume from now on, counted from 0."""
        first, last = self._range
        if first <= index <= last:
            self._process.show_slice(index - first)

    def _onState(self, state: JobState) -> None:
        if not state.is_over:  # the final state is set after the import
            self._setState(state)

    def _onDevice(self, device) -> None:
        self.logged.emit(f"Runs on {device.description} ({device.reason}).")

    def _onPreview(self, index: int, image) -> None:
        if self.withdrawn:
            return
        index += self._range[0]
        original = self._ct.hu[index : index + 1]
        (shown,) = apply_strength(original, image[None], self.request.strength)
        new = self._preview.show(index, shown)
        self.previewed.emit(self._preview.node, new)

    def _onEnded(self, state: JobState) -> None:
        self._stopObserving()
        self.failure = self._process.failure
        if state is JobState.COMPLETED and self.withdrawn:
            state = JobState.CANCELLED
        try:
            self._preview.remove()
            if state is JobState.COMPLETED:
                self.importing.emit()
                state = self._import()
        except Exception as error:  # after any error, the panel must leave its running state
            self.failure = importFailure(error)
            state = JobState.FAILED
        self._process.result = self._ct = None  # large, and a script may keep this run
        self._end(state)

    def _import(self) -> JobState:
        """Put the result into the scene, whose nodes the user may have changed during the job."""
        inputVolume = slicer.mrmlScene.GetNodeByID(self._inputID)
        outputVolume = slicer.mrmlScene.GetNodeByID(self._outputID) if self._outputID else None
        if self._outputWasEmpty and outputVolume is not None and outputVolume.GetImageData():
            name = outputVolume.GetName()
            self.logged.emit(f"{name} was filled during the job, so the result is a new volume.")
            outputVolume = None
        shown = itemOf(inputVolume)
        moved = self._item not in (None, shown) and showItem(inputVolume, self._item)
        if contentOf(inputVolume) != self._content:
            if moved:
                showItem(inputVolume, shown)
            self.failure = changedFailure(inputVolume.GetName())
            return JobState.FAILED
        try:
            self.outputVolume = storeResult(
                inputVolume,
                outputVolume,
                self._ct,
                self._process.result,
                self.request.outputs,
                self.request.strength,
                self._range,
            )
        finally:
            if moved:
                showItem(inputVolume, shown)
        if moved:
            name = inputVolume.GetName()
            self.logged.emit(f"{self._item} was denoised, but {name} shows {shown} now.")
        noise = self._process.result.report["noise"]
        if noise is not None:
            self.logged.emit(
                "Noise in soft tissue at full strength (do not compare it with that of a region): "
                f"{noise['soft_tissue_before_hu']:.1f} HU → "
                f"{noise['soft_tissue_after_hu']:.1f} HU."
            )
        self._logRemovedNoise(self.outputVolume)
        return JobState.COMPLETED


def checkedRange(wanted: tuple[int, int] | None, count: int) -> tuple[int, int]:
    """Return the first and last slice, counted from 0.

    Parameters
    ----------
    wanted : first and last slice; None for all.
    count : number of slices of the volume.

    Raises
    ------
    BadInputError
        If the range is empty or exceeds the volume.
    """
    if wanted is None:
        return 0, count - 1
    first, last = wanted
    if not 0 <= first <= last < count:
        raise BadInputError(
            f"Slices {first + 1} to {last + 1} are not in this volume, which has {count}. "
            "Change the range under Advanced."
        )
    return first, last


def _checkOutput(request: Request) -> None:
    output = request.outputVolume
    if output is None:
        return
    if not slicer.mrmlScene.IsNodePresent(output):
        raise BadInputError(f"{output.GetName()} is not in the scene. Add it to the scene first.")
    if output.GetID() == request.inputVolume.GetID():
        raise BadInputError(
            "Input and output are the same volume. Choose another output to keep the original."
        )
    if not output.IsA("vtkMRMLScalarVolumeNode") or output.IsA("vtkMRMLLabelMapVolumeNode"):
        raise BadInputError(f"{output.GetName()} is not a scalar volume. Choose another output.")
    if browserOf(output) is not None:
        raise BadInputError(
            f"{output.GetName()} shows one item of a sequence. Choose another output."
        )
