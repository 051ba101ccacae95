"""A job from the input node to the result's nodes, without a window."""

import numpy as np
import pytest
from PseudoCTDenoiseLib.ct.strength import apply_strength
from PseudoCTDenoiseLib.denoising.map_choice import ENSEMBLE
from PseudoCTDenoiseLib.denoising.settings import DenoisingSettings
from PseudoCTDenoiseLib.errors import BadInputError
from PseudoCTDenoiseLib.worker.job_folder import PREVIEW_SECONDS
from PseudoCTDenoiseLib.worker.protocol import Preview, encode
from PseudoCTDenoiseLib.worker.runner import SubprocessRunner
from PseudoCTDenoiseLib.worker.worker_process import JobState

from .conftest import JobReader

slicer = pytest.importorskip("slicer", reason="slicer-core is not installed")
from PseudoCTDenoiseLib.scene import denoising_run, provenance  # noqa: E402
from PseudoCTDenoiseLib.scene.denoising_run import (  # noqa: E402
    DenoisingRun,
    Request,
    checkedRange,
)
from PseudoCTDenoiseLib.scene.geometry import geometryOf  # noqa: E402
from PseudoCTDenoiseLib.scene.results import applyStrength, originalOf  # noqa: E402
from PseudoCTDenoiseLib.scene.sequence_item import browserOf  # noqa: E402

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
    settings = more.pop("settings", DenoisingSettings(method="pretrained"))
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


def test_the_job_folder_receives_what_the_node_and_the_request_say(scan):
    scan.SetSpacing(5.0, 0.6, 0.9)
    settings = DenoisingSettings(steps=7, seed=3)
    reader = JobReader()
    run = DenoisingRun(
        Request(scan, settings=settings, model="paper", sliceRange=(1, 2)),
        reader,
        preview=True,
        previewSlice=2,
    )
    run.start()
    run.abort()
    request = reader.request
    assert request.pixel_mm == pytest.approx((0.6 * 0.9) ** 0.5)
    assert (request.settings, request.model) == (settings, "paper")
    assert request.maps == ENSEMBLE
    assert (request.preview_slice, request.preview_seconds) == (1, PREVIEW_SECONDS)
    assert np.array_equal(reader.hu, np.moveaxis(voxels(scan), 2, 0)[1:3])


def test_a_preview_of_a_range_lies_on_its_slice_of_the_volume_at_the_chosen_strength(scan):
    reader, places, shown = JobReader(), [], []
    request = Request(scan, strength=40, sliceRange=(1, 2))
    run = DenoisingRun(request, reader, preview=True, previewSlice=2)
    run.previewed.connect(lambda node, new: places.append(geometryOf(node)[:, 3]))
    run.previewed.connect(lambda node, new: shown.append(voxels(node)[:, :, 0]))
    run.start()
    reader.folder.write_array("preview.npy", np.zeros((64, 72), np.int16))
    reader.on_line(encode(Preview(1, "preview.npy")))
    run.abort()
    assert np.allclose(places, [geometryOf(scan) @ [2, 0, 0, 1]])
    original = voxels(scan)[None, :, :, 2]
    expected = apply_strength(original, np.zeros_like(original), 40)
    assert np.array_equal(shown, expected) and not np.array_equal(expected, original)


def test_a_failure_of_the_process_is_that_of_the_run(scan):
    reader, states = JobReader(), []
    run = DenoisingRun(Request(scan), reader)
    run.ended.connect(states.append)
    run.start()
    reader.on_ended(None, "Python is missing")
    assert states == [JobState.FAILED] == [run.state]
    assert run.failure.kind == "not-started" and "Python is missing" in run.failure.message


def test_without_its_input_a_job_is_cancelled_and_leaves_nothing(scan, scene, halvingWorker):
    run = run_of(scan, settings=DenoisingSettings(steps=5000))
    run.stateChanged.connect(
        lambda state: scene.RemoveNode(scan) if state is JobState.RUNNING else None
    )
    run.start()
    left = count(scene)
    assert run.wait() is JobState.CANCELLED
    assert run.outputVolume is None and run.failure is None
    assert count(scene) < left


@pytest.fixture
def movie(scan, itemOfSequence):
    """A node that shows the first of three scans of a sequence, and its browser."""
    frames = []
    for index in range(3):
        hu = voxels(scan) + np.int16(10 * index)
        frame = slicer.util.addVolumeFromArray(hu, name=f"frame {index}")
        frame.CopyOrientation(scan)
        frames.append(frame)
    shown, browser = itemOfSequence(frames, shown=scan)
    browser.SetSelectedItemNumber(0)
    return shown, browser


def test_the_item_that_was_shown_at_the_start_is_denoised_and_another_one_stays(
    movie, halvingWorker
):
    node, browser = movie
    first = voxels(node).copy()
    run = run_of(node)
    texts = []
    run.logged.connect(texts.append)
    run.start()
    browser.SetSelectedItemNumber(2)
    assert not np.array_equal(voxels(node), first)
    assert run.wait() is JobState.COMPLETED
    assert "time 0 s was denoised, but scan shows time 2 s now." in texts
    assert browser.GetSelectedItemNumber() == 2 and not np.array_equal(voxels(node), first)
    output = run.outputVolume
    assert output.GetName() == "scan time 0 s denoised" and browserOf(output) is None
    assert np.array_equal(voxels(output), first // 2)
    assert provenance.provenanceOf(output)["Item"] == "time 0 s"


def test_a_result_is_not_mixed_with_another_item_of_the_sequence(movie, halvingWorker):
    node, browser = movie
    run = run_of(node)
    run.start()
    run.wait()
    output = run.outputVolume
    kept = voxels(output).copy()
    browser.SetSelectedItemNumber(1)
    assert np.array_equal(voxels(output), kept)
    assert not provenance.isResultOf(output, node)
    for use in (originalOf, lambda result: applyStrength(result, 50)):
        with pytest.raises(BadInputError, match=r"made from time 0 s. Show time 0 s in the seq"):
            use(output)
    assert np.array_equal(voxels(output), kept)
    browser.SetSelectedItemNumber(0)
    applyStrength(output, 0)
    assert np.array_equal(voxels(output), voxels(originalOf(output)))


def test_an_error_during_the_import_is_a_failure_with_a_message(
    scan, scene, monkeypatch, halvingWorker
):
    def fail(*arguments):
        raise MemoryError("no room")

    monkeypatch.setattr(denoising_run, "storeResult", fail)
    run = run_of(scan)
    before = count(scene)
    run.start()
    assert run.wait() is JobState.FAILED
    assert "no room" in run.failure.message and "original is unchanged" in run.failure.what_to_do
    assert count(scene) == before


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"sliceRange": (2, 1)}, "Slices 3 to 2"),
        ({"sliceRange": (0, 3)}, "which has 3"),
        ({"strength": -1}, "between 0 and 100 %"),
    ],
)
def test_an_impossible_request_is_refused(scan, more, words):
    with pytest.raises(BadInputError, match=words):
        run_of(scan, **more)


def test_a_range_of_slices_may_be_a_single_slice():
    for wanted in ((0, 0), (2, 2), (0, 2)):
        assert checkedRange(wanted, 3) == wanted
    assert checkedRange(None, 3) == (0, 2)


def test_an_output_of_another_kind_is_refused(scan, scene, itemOfSequence):
    label = scene.AddNewNodeByClass("vtkMRMLLabelMapVolumeNode", "organs")
    frames = [scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", f"{i}") for i in range(3)]
    item, _ = itemOfSequence(frames[:2], shown=frames[2])
    for output, words in (
        (scan, "same volume"),
        (label, "organs is not a scalar volume"),
        (item, "shows one item of a sequence"),
    ):
        with pytest.raises(BadInputError, match=words):
            run_of(scan, outputVolume=output)


@pytest.mark.parametrize("step", ["contentOf", "storeResult", "showItem"])
def test_lack_of_memory_at_the_end_is_a_failure_and_frees_the_result(
    scan, scene, halvingWorker, monkeypatch, step
):
    """The run must end, or the panel stays locked."""

    def noMemory(*arguments):
        raise MemoryError("Unable to allocate 1.00 GiB")

    run = run_of(scan)
    run._item, before = "an item", count(scene)
    monkeypatch.setattr(denoising_run, step, noMemory)
    run.start()
    assert run.wait() is JobState.FAILED
    assert run.failure.kind == "import" and "Close other programs" in run.failure.what_to_do
    assert count(scene) == before
    assert run._ct is run._process.result is None


def test_a_finished_run_keeps_no_copy_of_the_scan(scan, halvingWorker):
    run = run_of(scan)
    run.start()
    assert run.wait() is JobState.COMPLETED
    assert run._ct is run._process.result is None and run.axis == 0


def test_a_scan_whose_voxels_were_removed_during_the_job_was_changed(scan, halvingWorker):
    run = run_of(scan)
    run.start()
    scan.SetAndObserveImageData(None)
    assert run.wait() is JobState.FAILED and run.failure.kind == "input-changed"


def test_an_error_of_a_listener_before_the_import_is_a_failure(scan, scene, halvingWorker):
    """Otherwise the run would stay in its running state."""

    def listener():
        raise ValueError("a mistake in a listener")

    run, before = run_of(scan), count(scene)
    run.importing.connect(listener)
    run.start()
    assert run.wait() is JobState.FAILED and count(scene) == before
    assert "a mistake in a listener" in run.failure.message
