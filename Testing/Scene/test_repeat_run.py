"""A result is made again from its attributes, beside the old one, and compared with it."""

import numpy as np
import pytest
from PseudoCTDenoiseLib.denoising.map_choice import NO_MAPS
from PseudoCTDenoiseLib.denoising.settings import DenoisingSettings
from PseudoCTDenoiseLib.errors import BadInputError
from PseudoCTDenoiseLib.worker.denoising_process import DenoisingProcess
from PseudoCTDenoiseLib.worker.runner import SubprocessRunner
from PseudoCTDenoiseLib.worker.worker_process import JobState

slicer = pytest.importorskip("slicer", reason="slicer-core is not installed")
from PseudoCTDenoiseLib.scene import provenance  # noqa: E402
from PseudoCTDenoiseLib.scene.ct_input import ctFromNode  # noqa: E402
from PseudoCTDenoiseLib.scene.repeat_run import RepeatRun, repeatRequest  # noqa: E402
from PseudoCTDenoiseLib.scene.results import Outputs, removedNoiseOf, storeResult  # noqa: E402

SETTINGS = DenoisingSettings(steps=2, seed=9, orientations=1, tuning_slices=2)


OUTPUTS = Outputs(noiseMap=False, pseudoLdct=False)
PIXEL_MM = 0.7


@pytest.fixture(scope="module")
def hu():
    rng = np.random.default_rng(2)
    hu = np.full((3, 48, 64), -1000.0)
    hu[:, 8:-8, 8:-8] = 50
    return np.rint(hu + rng.normal(0, 20, hu.shape)).clip(-1024).astype(np.int16)


@pytest.fixture(scope="module")
def job(hu):
    """Result of a job of the last two slices, without noise maps."""
    job = DenoisingProcess(SubprocessRunner(), hu[1:], SETTINGS, maps=NO_MAPS, pixel_mm=PIXEL_MM)
    return completed(job).result


@pytest.fixture
def scan(scene, hu):
    node = slicer.util.addVolumeFromArray(hu, name="scan")
    node.SetSpacing(PIXEL_MM, PIXEL_MM, 3.0)
    return node


def completed(run):
    run.start()
    assert run.wait() is JobState.COMPLETED, run.failure
    return run


@pytest.fixture
def result(scan, job):
    """A result of two slices at 60 %, without noise maps."""
    return storeResult(scan, None, ctFromNode(scan), job, OUTPUTS, 60.0, (1, 2))


def voxels(node):
    return slicer.util.arrayFromVolume(node)


@pytest.mark.slow
def test_a_result_comes_again_beside_the_old_one(result, scan):
    before = voxels(result).copy()
    lines = []
    run = RepeatRun(result, SubprocessRunner())
    run.logged.connect(lines.append)
    new = completed(run).outputVolume
    assert new is not result and np.array_equal(voxels(result), before)
    assert np.array_equal(voxels(new), before)
    assert run.outcome == "The new result equals the old one in every voxel."
    assert run.outcome in lines
    assert new.GetNodeReference(provenance.INPUT) is scan
    for name in ("Settings", "Strength", "Slices", "Model"):
        old, again = (provenance.provenanceOf(node)[name] for node in (result, new))
        if name == "Settings":
            used = provenance.provenanceOf(result)["Machine"]["device"]
            device = "cpu" if used["name"] == "cpu" else "auto"
            old = old | {"device": device, "precision": used["precision"]}
        assert old == again


@pytest.mark.slow
def test_a_difference_is_measured_and_explained(result):
    removed = voxels(removedNoiseOf(result))
    removed[1, 20, 20] += 5
    machine = provenance.provenanceOf(result)["Machine"]
    machine["versions"]["torch"] = "1.0"
    result.SetAttribute(provenance.MACHINE, provenance.json_text(machine))
    run = completed(RepeatRun(result, SubprocessRunner()))
    assert "up to 5 HU" in run.outcome and "torch 1.0 → " in run.outcome


def test_a_changed_input_is_refused(result, scan):
    voxels(scan)[0, 0, 0] += 1
    with pytest.raises(BadInputError, match="was changed since"):
        repeatRequest(result)


def test_a_result_is_made_again_with_its_own_model(result):
    result.SetAttribute(provenance.MODEL, "paper")
    assert repeatRequest(result).model == "paper"


def test_a_missing_input_is_refused(result, scan, scene):
    scene.RemoveNode(scan)
    with pytest.raises(BadInputError, match="no longer in the scene"):
        repeatRequest(result)


def test_only_a_result_can_be_made_again(scan):
    with pytest.raises(BadInputError, match="not a result"):
        repeatRequest(scan)
    with pytest.raises(BadInputError, match="not a result"):
        repeatRequest(None)


@pytest.mark.parametrize("text", [None, "{damaged", "[1]", '{"stepps": 3}'])
def test_missing_or_damaged_settings_are_refused(result, text):
    result.SetAttribute(provenance.SETTINGS, text)
    with pytest.raises(BadInputError):
        repeatRequest(result)


@pytest.mark.parametrize("text", [None, "{damaged", "[1]", '{"device": {}, "versions": 3}'])
def test_a_result_that_does_not_know_its_machine_is_repeated_all_the_same(result, text):
    result.SetAttribute(provenance.MACHINE, text)
    request = repeatRequest(result)
    assert (request.settings.steps, request.settings.seed) == (2, 9)
    assert (request.strength, request.sliceRange) == (60.0, (1, 2))
    assert not request.outputs.noiseMap


def test_an_old_result_that_is_removed_during_the_job_is_not_compared(result, scene, halvingWorker):
    run = RepeatRun(result, SubprocessRunner())
    scene.RemoveNode(result)
    assert "no longer in the scene" in completed(run).outcome
