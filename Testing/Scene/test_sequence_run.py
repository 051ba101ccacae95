"""All items of a sequence become a new sequence, or the scene stays as it was."""

import numpy as np
import pytest
from PseudoCTDenoiseLib.denoising.settings import DenoisingSettings
from PseudoCTDenoiseLib.errors import BadInputError
from PseudoCTDenoiseLib.worker.runner import SubprocessRunner
from PseudoCTDenoiseLib.worker.worker_process import JobState

from .conftest import JobReader

slicer = pytest.importorskip("slicer", reason="slicer-core is not installed")
from PseudoCTDenoiseLib.scene import provenance, sequence_run  # noqa: E402
from PseudoCTDenoiseLib.scene.denoising_run import Request  # noqa: E402
from PseudoCTDenoiseLib.scene.geometry import geometryOf  # noqa: E402
from PseudoCTDenoiseLib.scene.sequence_run import SequenceRun  # noqa: E402

ITEMS = 2


def scan(index):
    """Soft tissue in air, 30 HU of noise, (slices, rows, columns)."""
    hu = np.full((2, 64, 64), -1000.0)
    hu[:, 12:-12, 12:-12] = 50.0 + 20 * index
    return np.rint(hu + np.random.default_rng(index).normal(0, 30, hu.shape)).astype(np.int16)


@pytest.fixture
def movie(scene, itemOfSequence):
    """The volume that shows the second item of a sequence of scans, and its browser."""
    nodes = [slicer.util.addVolumeFromArray(scan(i), name=f"phase {i}") for i in range(ITEMS)]
    for node in nodes:
        node.SetSpacing(0.7, 0.7, 5.0)
    shown = slicer.util.addVolumeFromArray(scan(0), name="CT")
    shown, browser = itemOfSequence(nodes, shown)
    browser.SetSelectedItemNumber(1)
    return shown, browser


def voxels(node):
    return slicer.util.arrayFromVolume(node)


def nodeIDs(scene):
    return [scene.GetNthNode(i).GetID() for i in range(scene.GetNumberOfNodes())]


def runOf(node, **more):
    settings = more.pop("settings", DenoisingSettings(method="pretrained"))
    return SequenceRun(Request(node, settings=settings, **more), SubprocessRunner)


def test_strength_nothing_keeps_the_fractions_of_hu(movie, halvingWorker):
    node, browser = movie
    sequence = browser.GetSequenceNode(node)
    for number in range(ITEMS):
        values = scan(number) + np.float32(0.25)
        slicer.util.updateVolumeFromArray(sequence.GetNthDataNode(number), values)
    run = runOf(node, strength=0)
    run.start()
    assert run.wait() is JobState.COMPLETED, run.failure
    denoised = browser.GetSequenceNode(run.outputVolume)
    for number in range(ITEMS):
        assert voxels(denoised.GetNthDataNode(number)).dtype == np.float32
        assert np.array_equal(
            voxels(denoised.GetNthDataNode(number)), voxels(sequence.GetNthDataNode(number))
        )


def test_the_job_of_an_item_receives_its_slices_its_pixel_size_and_the_model(movie):
    node, _ = movie
    reader, settings = JobReader(), DenoisingSettings(steps=7, seed=3)
    request = Request(node, settings=settings, model="paper", sliceRange=(1, 1))
    run = SequenceRun(request, lambda: reader)
    run.start()
    run.abort()
    job = reader.request
    assert (job.settings, job.model) == (settings, "paper")
    assert job.pixel_mm == pytest.approx(0.7)
    assert np.array_equal(reader.hu, scan(0)[1:])


def test_denoised_items_lie_in_the_space_of_the_scan_but_claim_no_files_of_it(
    movie, scene, halvingWorker
):
    node, browser = movie
    transform = scene.AddNewNodeByClass("vtkMRMLLinearTransformNode", "shift")
    node.SetAndObserveTransformNodeID(transform.GetID())
    sequence = browser.GetSequenceNode(node)
    for number in range(ITEMS):
        sequence.GetNthDataNode(number).SetAttribute("DICOM.instanceUIDs", f"1.2.{number}")
    run = runOf(node, strength=40)
    run.start()
    assert run.wait() is JobState.COMPLETED, run.failure
    output = run.outputVolume
    assert output.GetTransformNodeID() == transform.GetID()
    denoised = browser.GetSequenceNode(output)
    for item in (output, *(denoised.GetNthDataNode(number) for number in range(ITEMS))):
        assert item.GetAttribute("DICOM.instanceUIDs") is None
        assert provenance.provenanceOf(item)["Settings"]["strength"] == 40


@pytest.mark.slow
def test_all_items_are_denoised_and_shown_together_with_the_originals(movie, scene):
    node, browser = movie
    before = set(nodeIDs(scene))
    run, shares, states, texts = runOf(node, sliceRange=(1, 1)), [], [], []
    run.progressed.connect(lambda message: shares.append((message.share, message.seconds_left)))
    run.stateChanged.connect(states.append)
    run.logged.connect(texts.append)
    run.start()
    assert run.wait() is JobState.COMPLETED
    assert states == [JobState.STARTING, JobState.RUNNING, JobState.COMPLETED]
    assert shares == sorted(shares, key=lambda pair: pair[0]) and shares[-1][0] == 1
    assert "Denoising item 2 of 2 of movie." in texts
    output = run.outputVolume
    display = output.GetDisplayNode()
    sequenceID = browser.GetSequenceNode(output).GetID()
    assert set(nodeIDs(scene)) - before == {output.GetID(), display.GetID(), sequenceID}
    assert output.GetName() == "CT denoised" and browser.IsProxyNodeID(output.GetID())
    sequence = browser.GetSequenceNode(output)
    assert sequence.GetName() == "movie denoised" and sequence.GetNumberOfDataNodes() == ITEMS
    for index in (1, 0):
        browser.SetSelectedItemNumber(index)
        assert np.array_equal(voxels(node), scan(index))
        assert np.array_equal(geometryOf(output), geometryOf(node))
        assert np.array_equal(voxels(output)[0], voxels(node)[0])
        tissue = np.s_[1, 16:-16, 16:-16]
        assert voxels(output)[tissue].std() < 0.7 * voxels(node)[tissue].std()
        assert abs(voxels(output)[tissue].mean() - voxels(node)[tissue].mean()) < 5
        assert provenance.isDerived(output) and not provenance.isResult(output)
        assert provenance.provenanceOf(output)["Settings"]["method"] == "pretrained"


def test_a_cancelled_run_leaves_the_scene_as_it_was(movie, scene, halvingWorker):
    node, _ = movie
    before = nodeIDs(scene)
    run = runOf(node)
    # The first item is denoised before the cancellation.
    run.logged.connect(lambda text: run.cancel() if "item 2" in text else None)
    run.start()
    assert run.wait() is JobState.CANCELLED
    assert run.outputVolume is None and nodeIDs(scene) == before


def test_a_failed_item_leaves_the_scene_as_it_was(movie, scene, monkeypatch, halvingWorker):
    node, _ = movie
    before = nodeIDs(scene)
    run = runOf(node)

    class Broken(SubprocessRunner):
        def start(self, program, arguments, environment):
            super().start("/no/such/program", arguments, environment)

    runners = iter([SubprocessRunner, Broken])
    run._makeRunner = lambda: next(runners)()
    run.start()
    assert run.wait() is JobState.FAILED
    assert run.failure.kind == "not-started" and nodeIDs(scene) == before


def test_a_sequence_that_was_changed_gives_no_result(movie, halvingWorker):
    node, browser = movie
    sequence = browser.GetSequenceNode(node)
    run = runOf(node)
    run.logged.connect(
        lambda text: sequence.RemoveDataNodeAtValue("0") if "item 2" in text else None
    )
    run.start()
    assert run.wait() is JobState.FAILED
    assert run.failure.message.startswith("movie was changed while it was denoised")
    assert len(run._denoised) == 0


def test_an_item_whose_voxels_were_changed_gives_no_result(movie, scene, halvingWorker):
    node, browser = movie
    first = browser.GetSequenceNode(node).GetNthDataNode(0)
    before = nodeIDs(scene)
    run = runOf(node)
    run.logged.connect(
        lambda text: slicer.util.updateVolumeFromArray(first, scan(5)) if "item 2" in text else None
    )
    run.start()
    assert run.wait() is JobState.FAILED and run.failure.kind == "input-changed"
    assert nodeIDs(scene) == before


@pytest.mark.parametrize("removed", ["input", "browser", "sequence"])
def test_the_removal_of_a_node_cancels_the_run(movie, scene, removed, halvingWorker):
    node, browser = movie
    gone = {"input": node, "browser": browser, "sequence": browser.GetSequenceNode(node)}[removed]
    run, texts, ends = runOf(node, settings=DenoisingSettings(steps=5000)), [], []
    name = gone.GetName()
    run.logged.connect(texts.append)
    run.ended.connect(ends.append)
    run.stateChanged.connect(
        lambda state: scene.RemoveNode(gone) if state is JobState.RUNNING else None
    )
    run.start()
    assert run.wait() is JobState.CANCELLED and ends == [JobState.CANCELLED]
    assert f"{name} was removed, so the job was cancelled." in texts


def test_an_item_that_cannot_start_ends_the_run_once(movie, scene, halvingWorker):
    node, _ = movie
    run, ends = runOf(node), []

    def makeRunner():
        if run._denoised:
            raise MemoryError
        return SubprocessRunner()

    run._makeRunner = makeRunner
    run.ended.connect(ends.append)
    run.start()
    assert run.wait() is JobState.FAILED and ends == [JobState.FAILED]
    assert "Close other programs" in run.failure.what_to_do
    run.abort()
    assert ends == [JobState.FAILED]


def test_names_are_new_and_do_not_repeat_the_shown_item(movie, scene, halvingWorker):
    node, browser = movie
    sequence = browser.GetSequenceNode(node)
    browser.SetOverwriteProxyName(sequence, True)
    node.SetName("CT [time=1s]")
    names = []
    for _ in range(2):
        run = runOf(node)
        run.start()
        assert run.wait() is JobState.COMPLETED
        names.append(run.outputVolume.GetName())
    assert len(set(names)) == 2 and all(name.startswith("movie denoised") for name in names)


def test_a_shorter_sequence_of_a_browser_is_denoised(movie, scene, halvingWorker):
    node, browser = movie
    master = browser.GetSequenceNode(node)
    short = scene.AddNewNodeByClass("vtkMRMLSequenceNode", "short")
    short.SetIndexName(master.GetIndexName())
    short.SetIndexUnit(master.GetIndexUnit())
    short.SetDataNodeAtValue(master.GetNthDataNode(1), "1")
    other = browser.AddProxyNode(
        slicer.util.addVolumeFromArray(scan(1), name="other"), short, False
    )
    run = runOf(other)
    run.start()
    assert run.wait() is JobState.COMPLETED, run.failure
    assert browser.GetSequenceNode(run.outputVolume).GetNumberOfDataNodes() == 1


def test_a_closed_scene_cancels_the_run(movie, scene, halvingWorker):
    node, _ = movie
    run = runOf(node, settings=DenoisingSettings(steps=5000))
    run.stateChanged.connect(lambda state: scene.Clear(0) if state is JobState.RUNNING else None)
    run.start()
    assert run.wait() is JobState.CANCELLED


def test_a_volume_without_a_sequence_is_refused(scene):
    with pytest.raises(BadInputError, match="CT does not show an item of a sequence. Select"):
        runOf(slicer.util.addVolumeFromArray(scan(0), name="CT"))


def test_an_item_without_a_volume_is_refused(movie):
    node, browser = movie
    sequence = browser.GetSequenceNode(node)
    sequence.SetDataNodeAtValue(sequence.GetNthDataNode(0), "9")
    empty = slicer.vtkMRMLSequenceNode()
    empty.CopySequenceIndex(sequence)
    sequence.CopySequenceIndex(empty)
    with pytest.raises(BadInputError, match="Item 1 .time 0 s. contains no volume"):
        runOf(node)


def test_an_item_that_is_no_ct_is_refused_before_the_start(movie):
    node, browser = movie
    slicer.util.updateVolumeFromArray(
        browser.GetSequenceNode(node).GetNthDataNode(0), (scan(0) > 0).astype(np.int16)
    )
    with pytest.raises(BadInputError, match="Item 1 .time 0 s.: .*looks like a segmentation"):
        runOf(node)


@pytest.mark.parametrize("step", ["apply_strength", "ctFromNode", "showLike"])
def test_lack_of_memory_between_and_after_the_items_is_a_failure(
    movie, scene, halvingWorker, monkeypatch, step
):
    """The run must end, or the panel stays locked."""
    node, _ = movie
    run, before = runOf(node), nodeIDs(scene)
    real, calls = getattr(sequence_run, step), []

    def noMemory(*arguments):
        calls.append(arguments)
        if step == "ctFromNode" and len(calls) == 1:  # the second item
            return real(*arguments)
        raise MemoryError("Unable to allocate 1.00 GiB")

    monkeypatch.setattr(sequence_run, step, noMemory)
    run.start()
    assert run.wait() is JobState.FAILED
    assert run.failure.kind == "import" and "Close other programs" in run.failure.what_to_do
    assert nodeIDs(scene) == before


def test_an_error_of_a_listener_ends_no_run_twice(movie, scene, halvingWorker):
    """The result is in the scene, so the run is not a failure."""
    node, _ = movie
    run, ends = runOf(node), []

    def listener(state):
        ends.append(state)
        raise ValueError("a mistake in a listener")

    run.ended.connect(listener)
    run.start()
    with pytest.raises(ValueError, match="a mistake in a listener"):
        run.wait()
    assert ends == [run.state] == [JobState.COMPLETED]
    assert run.failure is None and scene.IsNodePresent(run.outputVolume)
