"""A MRML scene for tests: Slicer's own, without Slicer."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from PseudoCTDenoiseLib.worker.job_folder import JobFolder
from replacement_worker import halvingWorker  # noqa: F401
from SlicerHarness.fixtures import slicerApp  # noqa: F401
from SlicerHarness.slicer_source import slicerSource


@pytest.fixture
def scene(request: pytest.FixtureRequest) -> Iterator:
    """An empty scene as ``slicer.mrmlScene``, with the colour nodes that display nodes want.

    Where an application or its stand-in runs in this process its scene is used, since its views
    and logics watch that one. With a checkout of Slicer the stand-in is started, which imports it.
    """
    pytest.importorskip("slicer.util", reason="slicer-core is not installed")
    if slicerSource() is not None:
        request.getfixturevalue("slicerApp")
    import slicer

    if getattr(slicer, "app", None) is None:
        slicer.mrmlScene = slicer.vtkMRMLScene()
        colors = slicer.vtkMRMLColorLogic()
        colors.SetMRMLScene(slicer.mrmlScene)
    slicer.mrmlScene.Clear(0)
    # Slicer always has one; asked for here, it is not taken for something that a test left behind.
    slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(slicer.mrmlScene)
    yield slicer.mrmlScene
    slicer.mrmlScene.Clear(0)


class JobReader:
    """A runner that starts no program, but reads the job folder that it is given."""

    process_id = None

    def start(self, program, arguments, environment):
        self.folder = JobFolder(arguments[1])
        self.hu, self.request = self.folder.read_job()
        self.hu = np.array(self.hu)

    def call_later(self, seconds, function):
        """Nothing happens later."""

    def kill(self):
        """There is nothing to kill."""

    def wait_for_end(self, seconds):
        return True


@pytest.fixture
def itemOfSequence(scene):
    """A function that makes a sequence of volumes; it returns the shown item and the browser."""
    import slicer

    logic = slicer.vtkSlicerSequencesLogic()  # copies the selected item to the shown node
    logic.SetMRMLScene(scene)

    def make(frames, shown):
        sequence = scene.AddNewNodeByClass("vtkMRMLSequenceNode", "movie")
        for index, frame in enumerate(frames):
            sequence.SetDataNodeAtValue(frame, str(index))
        browser = slicer.vtkMRMLSequenceBrowserNode()
        scene.AddNode(browser)
        browser.SetAndObserveMasterSequenceNodeID(sequence.GetID())
        return browser.AddProxyNode(shown, sequence, False), browser

    yield make
    logic.SetMRMLScene(None)
