"""Functions of the logic for scripts, with a worker that halves the HU of a scan."""

import logging

import numpy as np
import pytest
from PseudoCTDenoiseLib.errors import BadInputError
from PseudoCTDenoiseLib.worker.worker_process import JobState

slicer = pytest.importorskip("slicer", reason="slicer-core is not installed")
user = pytest.importorskip("SlicerHarness.user", reason="PySide6 is not installed")

PATIENCE = 240  # seconds; only a busy machine needs that long
EQUAL = "The new result equals the old one in every voxel."


@pytest.fixture
def logic(slicerApp, scene, halvingWorker):
    from PseudoCTDenoiseLib.scene.logic import PseudoCTDenoiseLogic

    return PseudoCTDenoiseLogic()


@pytest.fixture
def scan(scene):
    return volumeOf(0, "scan")


@pytest.fixture
def movie(scene, itemOfSequence):
    """The volume that shows the first of two items of a sequence, and its browser."""
    shown, browser = itemOfSequence([volumeOf(index) for index in range(2)], volumeOf(0, "scan"))
    browser.SetSelectedItemNumber(0)
    return shown, browser


def volumeOf(index, name="item"):
    """Return a volume node with soft tissue in air."""
    hu = np.full((2, 64, 64), -1000.0)
    hu[:, 12:-12, 12:-12] = 50.0 + 20 * index
    hu += np.random.default_rng(index).normal(0, 30, hu.shape)
    return slicer.util.addVolumeFromArray(np.rint(hu).clip(-1024).astype(np.int16), name=name)


def voxels(node):
    return slicer.util.arrayFromVolume(node)


def finished(job):
    """Wait for a job that runs beside the window, and return its output."""
    user.waitUntil(lambda: job.state.is_over, PATIENCE, "the end of the job")
    assert job.state is JobState.COMPLETED, job.failure
    return job.outputVolume


def test_a_script_gets_full_strength_and_only_the_volumes_that_it_asks_for(logic, scan):
    from PseudoCTDenoiseLib.scene.results import Outputs

    wanted = Outputs(noiseMap=False, pseudoLdct=False, removedNoise=True)
    output = logic.process(scan, preset="quick", outputs=wanted)
    assert np.array_equal(voxels(output), voxels(scan) // 2)
    volumes = slicer.util.getNodesByClass("vtkMRMLScalarVolumeNode")
    listed = {node.GetName() for node in volumes if not node.GetHideFromEditors()}
    assert listed == {"scan", "scan denoised", "scan removed noise"}


@pytest.mark.parametrize("wait", [True, False])
def test_all_items_of_a_sequence_are_denoised(logic, movie, wait):
    shown, browser = movie
    items = browser.GetSequenceNode(shown)
    output = logic.processSequence(
        shown, preset="quick", strength=50, sliceRange=(1, 1), seed=3, waitForCompletion=wait
    )
    output = output if wait else finished(output)
    denoised = browser.GetSequenceNode(output)
    assert denoised.GetNumberOfDataNodes() == items.GetNumberOfDataNodes() == 2
    for number in range(2):
        before, after = (voxels(nodes.GetNthDataNode(number)) for nodes in (items, denoised))
        assert np.array_equal(after[0], before[0])
        assert np.allclose(after[1], 0.75 * before[1], atol=1)
    settings = denoised.GetNthDataNode(0).GetAttribute("PseudoCTDenoise.Settings")
    assert '"seed": 3' in settings and '"steps": 0' in settings


@pytest.mark.parametrize(
    ("options", "words"), [({"steps": -1}, "steps"), ({"preset": "best"}, "best")]
)
def test_an_impossible_setting_of_a_sequence_is_refused(logic, movie, options, words):
    with pytest.raises(BadInputError, match=words):
        logic.processSequence(movie[0], **options)


def test_a_volume_without_a_sequence_is_refused(logic, scan):
    with pytest.raises(BadInputError, match="does not show an item of a sequence"):
        logic.processSequence(scan)


@pytest.mark.parametrize("wait", [True, False])
def test_a_repeated_result_is_a_new_volume_and_the_log_compares_it(logic, scan, wait, caplog):
    caplog.set_level(logging.INFO)
    first = logic.process(scan, preset="quick", strength=40)
    again = logic.repeatResult(first, waitForCompletion=wait)
    if not wait:
        job, again = again, finished(again)
        assert job.outcome == EQUAL
    assert again is not first and np.array_equal(voxels(again), voxels(first))
    assert EQUAL in caplog.messages


def test_a_volume_that_is_no_result_cannot_be_repeated(logic, scan):
    with pytest.raises(BadInputError, match="not a result"):
        logic.repeatResult(scan)
