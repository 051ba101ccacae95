"""A run from node to nodes through the real worker, without any window."""

import numpy as np
import pytest
from PseudoCTDenoiseLib.errors import BadInputError
from PseudoCTDenoiseLib.worker.runner import SubprocessRunner
from PseudoCTDenoiseLib.worker.worker_process import JobState

slicer = pytest.importorskip("slicer", reason="slicer-core is not installed")
from PseudoCTDenoiseLib.scene import denoising_run, provenance  # noqa: E402
from PseudoCTDenoiseLib.scene.denoising_run import DenoisingRun, Request  # noqa: E402
from PseudoCTDenoiseLib.scene.geometry import geometryOf  # noqa: E402

RNG = np.random.default_rng(1)


@pytest.fixture
def scan(scene):
    """Soft tissue in air, 30 HU of noise, stored with its slices along i."""
    hu = np.full((3, 64, 72), -1000.0)
    hu[:, 12:-12, 12:-12] = 50.0
    hu = np.rint(hu + RNG.normal(0, 30, hu.shape)).astype(np.int16)
    node = slicer.util.addVolumeFromArray(np.moveaxis(hu, 0, 2), name="scan")
    node.SetIJKToRASDirections(0, 1, 0, 0, 0, 1, 1, 0, 0)
    node.SetSpacing(5.0, 0.7, 0.7)
    return node


def voxels(node):
    return slicer.util.arrayFromVolume(node)


def count(scene):
    return scene.GetNumberOfNodes()


def run_of(scan, **more):
    settings = {"method": "pretrained", **more.pop("settings", {})}
    return DenoisingRun(Request(scan, settings=settings, **more), SubprocessRunner())


def test_a_run_ends_in_nodes_that_lie_where_the_scan_lies(scan, scene):
    before = voxels(scan).copy()
    run = run_of(scan)
    texts, states = [], []
    run.logged.connect(texts.append)
    run.ended.connect(states.append)
    run.start()
    assert run.wait() is JobState.COMPLETED and states == [JobState.COMPLETED]
    output = run.outputVolume
    assert np.array_equal(geometryOf(output), geometryOf(scan))
    assert np.array_equal(voxels(scan), before)
    tissue = np.s_[16:-16, 16:-16]
    assert voxels(output)[tissue].std() < 0.7 * before[tissue].std()
    assert provenance.isDerived(output)
    assert texts[0] == "Denoising scan, slices 1 to 3, with model fast."
    assert any(text.startswith("Runs on ") for text in texts) and texts[-1] == "Completed."


def test_without_its_input_a_job_is_cancelled_and_leaves_nothing(scan, scene):
    run = run_of(scan, settings={"method": "pseudo-ct", "steps": 5000})
    run.stateChanged.connect(
        lambda state: scene.RemoveNode(scan) if state is JobState.RUNNING else None
    )
    run.start()
    left = count(scene)
    assert run.wait() is JobState.CANCELLED
    assert run.outputVolume is None and run.failure is None
    assert count(scene) < left


def test_what_goes_wrong_at_the_import_is_a_failure_in_words(scan, scene, monkeypatch):
    def fail(*arguments):
        raise MemoryError("no room")

    monkeypatch.setattr(denoising_run, "storeResult", fail)
    run = run_of(scan)
    before = count(scene)
    run.start()
    assert run.wait() is JobState.FAILED
    assert "no room" in run.failure.message and "original is untouched" in run.failure.whatToDo
    assert count(scene) == before


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"sliceRange": (2, 1)}, "Slices 3 to 2"),
        ({"sliceRange": (0, 3)}, "which has 3"),
        ({"strength": -1}, "between 0 and 100 %"),
    ],
)
def test_a_request_that_cannot_be_is_refused_at_the_door(scan, more, words):
    with pytest.raises(BadInputError, match=words):
        run_of(scan, **more)


def test_an_output_of_another_kind_is_refused(scan, scene):
    label = scene.AddNewNodeByClass("vtkMRMLLabelMapVolumeNode", "organs")
    for output, words in ((scan, "same volume"), (label, "organs is no scalar volume")):
        with pytest.raises(BadInputError, match=words):
            run_of(scan, outputVolume=output)
