"""A job whose nodes the user may remove or change while it runs."""

from __future__ import annotations

import traceback
from collections.abc import Iterable

import slicer
import vtk

from ..errors import OUT_OF_MEMORY_ADVICE, is_out_of_memory
from ..printed_words import CHECK
from ..worker.signals import Signal
from ..worker.worker_process import JobFailure, JobState
from .provenance import removedNoiseSentence


class SceneRun:
    """State and signals of a job, which the removal of its nodes or of the scene cancels.

    Parameters
    ----------
    nodes : nodes without which the result would have no place.

    Attributes
    ----------
    withdrawn : why the job was cancelled without the user; otherwise empty.
    """

    def __init__(self, nodes: Iterable):
        self.state = JobState.IDLE
        self.stateChanged, self.progressed = Signal(), Signal()
        self.logged, self.silent, self.ended = Signal(), Signal(), Signal()
        self.outputVolume = None
        self.failure: JobFailure | None = None
        self._nodeIDs = {node.GetID() for node in nodes}
        self._observers: list[int] = []
        self.withdrawn = ""

    def cancel(self) -> None:
        """Cancel the job without changing the scene. Takes less than two seconds."""
        raise NotImplementedError

    def _observe(self) -> None:
        scene = slicer.mrmlScene
        self._observers = [
            scene.AddObserver(scene.NodeAboutToBeRemovedEvent, self._onNodeRemoved),
            scene.AddObserver(scene.StartCloseEvent, self._onSceneClose),
        ]

    def _stopObserving(self) -> None:
        for tag in self._observers:
            slicer.mrmlScene.RemoveObserver(tag)
        self._observers = []

    def _end(self, state: JobState) -> None:
        """Enter a final state."""
        self._stopObserving()
        if self.withdrawn:
            self.logged.emit(self.withdrawn)
        self._setState(state)
        self.ended.emit(state)

    def _setState(self, state: JobState) -> None:
        if state is not self.state:
            self.state = state
            if state.is_over:
                self.logged.emit(f"{state.value.capitalize()}.")
            self.stateChanged.emit(state)

    def _logRemovedNoise(self, output) -> None:
        """Log the traffic light of a denoised volume."""
        light, sentence = removedNoiseSentence(output)
        if light is not None:
            self.logged.emit(f"{CHECK}{light}. {sentence}")

    @vtk.calldata_type(vtk.VTK_OBJECT)
    def _onNodeRemoved(self, caller, event, node) -> None:
        if node is not None and node.GetID() in self._nodeIDs:
            self._withdraw(f"{node.GetName()} was removed, so the job was cancelled.")

    def _onSceneClose(self, caller, event) -> None:
        self._withdraw("The scene was closed, so the job was cancelled.")

    def _withdraw(self, reason: str) -> None:
        if not self.withdrawn:
            self.withdrawn = reason
            self.cancel()


def importFailure(error: Exception) -> JobFailure:
    """Return the failure of a result that could not be added to the scene; call it in a handler."""
    advice = OUT_OF_MEMORY_ADVICE if is_out_of_memory(error) else "Copy the log and report it."
    return JobFailure(
        "import",
        f"The result could not be added to the scene: {error}.",
        f"{advice} The original is unchanged.",
        traceback.format_exc(),
    )


def changedFailure(name: str) -> JobFailure:
    """Return the failure of a job whose input was changed."""
    return JobFailure(
        "input-changed",
        f"{name} was changed while it was denoised, so the result does not belong to it.",
        "Run it again.",
    )
