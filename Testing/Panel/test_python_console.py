"""The logic in scripts: blocking, in the background, and with the lines of the README."""

import os
import re
import signal
import subprocess
import unittest
from types import SimpleNamespace

import numpy as np
import pytest
from PseudoCTDenoiseLib.worker import worker_process

from .conftest import PATIENCE, alive, nodeIDs, voxels

user = pytest.importorskip("SlicerHarness.user", reason="PySide6 is not installed")
pytestmark = pytest.mark.slow


@pytest.fixture
def logic(panel):
    import slicer

    return slicer.util.getModuleLogic("PseudoCTDenoise")


def test_a_new_scene_starts_with_the_standard_preset_for_the_whole_scan(logic):
    from PseudoCTDenoiseLib.denoising.presets import preset_settings
    from PseudoCTDenoiseLib.panel.job_options import outputsOf, settingsOf, sliceRangeOf
    from PseudoCTDenoiseLib.scene.results import Outputs

    node = logic.getParameterNode()
    assert settingsOf(node) == preset_settings("standard")
    assert sliceRangeOf(node) is None
    assert outputsOf(node) == Outputs()


def test_the_three_lines_of_the_readme(repository, logic, slicerApp):
    import slicer
    from SampleData import downloadSample

    volume = downloadSample("PseudoCTDenoisePhantom")
    assert volume.GetName() == "Low-dose CT phantom"
    readme = (repository / "README.md").read_text(encoding="utf-8")
    lines = re.search(r"^## Python console\n\n```python\n(.*?)```", readme, re.S | re.M)[1]
    assert len(lines.splitlines()) == 3
    names = {"slicer": slicer}
    exec(lines, names)
    slicerApp.processEvents()
    assert names["denoised"].GetName() == "Low-dose CT phantom denoised"
    assert names["logic"].comparison.shown


def test_a_blocking_call_reports_progress_and_gives_the_node(logic, phantom, scene):
    stages = []
    denoised = logic.process(
        phantom, preset="quick", progressCallback=lambda progress: stages.append(progress.stage)
    )
    assert "denoising" in stages
    assert voxels(denoised).shape == voxels(phantom).shape
    assert not np.array_equal(voxels(denoised), voxels(phantom))


def test_an_exception_of_a_progress_callback_cancels_and_is_raised(logic, phantom, jobFolders):
    before = nodeIDs()

    def stop(progress):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        logic.process(phantom, steps=5000, progressCallback=stop)
    assert nodeIDs() == before and list(jobFolders.iterdir()) == []


def test_a_stopped_worker_does_not_keep_a_script_waiting(
    logic, phantom, jobFolders, monkeypatch, caplog
):
    monkeypatch.setattr(worker_process, "CHECK_SECONDS", 0.1)
    monkeypatch.setattr(worker_process, "SILENCE_SECONDS", 0.5)
    before = nodeIDs()
    stopped = []

    def stop(progress):
        (line,) = [line for line in processes() if str(jobFolders) in line]
        stopped.append(int(line.split()[0]))
        os.kill(stopped[0], signal.SIGSTOP)
        monkeypatch.setattr(worker_process, "LOST_SECONDS", 2.0)

    with pytest.raises(RuntimeError, match="has not answered for 2 s.*The job was ended"):
        logic.process(phantom, steps=5000, progressCallback=stop)
    assert "has not answered" in caplog.text
    assert nodeIDs() == before and list(jobFolders.iterdir()) == []
    user.waitUntil(lambda: not alive(stopped[0]), PATIENCE, "the end of the worker")


def processes() -> list[str]:
    """Return process id and command line of all processes."""
    listed = subprocess.run(["ps", "-A", "-ww", "-o", "pid=,args="], capture_output=True).stdout
    return listed.decode("utf-8", "replace").splitlines()


def test_a_job_handle_cancels_and_tells_its_state(logic, phantom, jobFolders):
    states = []
    job = logic.process(phantom, steps=5000, waitForCompletion=False)
    job.stateChanged.connect(lambda state: states.append(state.value))
    user.waitUntil(lambda: job.state.value == "running", PATIENCE, "the start")
    job.cancel()
    user.waitUntil(lambda: job.state.is_over, PATIENCE, "the end")
    assert states == ["running", "cancelling", "cancelled"]
    assert job.outputVolume is None and list(jobFolders.iterdir()) == []


def test_a_seed_makes_a_run_repeatable(logic, phantom):
    short = {"steps": 5, "orientations": 1, "sliceRange": (1, 1)}
    first = logic.process(phantom, seed=7, **short)
    again = logic.process(phantom, seed=7, **short)
    other = logic.process(phantom, seed=8, **short)
    assert np.array_equal(voxels(first), voxels(again))
    assert not np.array_equal(voxels(first), voxels(other))


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"inputVolume": None}, "No input volume"),
        ({"sliceRange": (2, 9)}, "Slices 3 to 10 are not in this volume, which has 4"),
        ({"model": "nobody"}, "nobody"),
        ({"preset": "best"}, "best"),
        ({"steps": -1}, "steps"),
        ({"colour": 3}, "colour"),
        ({"strength": 101}, "trength"),
        ({"device": "gpu"}, "gpu"),
    ],
)
def test_an_impossible_request_is_refused_and_leaves_the_scene(
    logic, phantom, jobFolders, arguments, words
):
    before = nodeIDs()
    with pytest.raises(Exception, match=words) as caught:
        logic.process(**{"inputVolume": phantom, "preset": "quick", **arguments})
    assert "\n" not in str(caught.value)
    assert nodeIDs() == before and list(jobFolders.iterdir()) == []


def test_the_input_cannot_be_the_output(logic, phantom):
    with pytest.raises(ValueError, match="Choose another output"):
        logic.process(phantom, phantom)


def test_the_modules_own_test_passes(panel, slicerApp):
    import slicer
    from PseudoCTDenoiseLib.scene import provenance

    import PseudoCTDenoise

    PseudoCTDenoise.PseudoCTDenoiseTest().runTest()
    slicerApp.processEvents()
    results = [
        node
        for node in slicer.util.getNodesByClass("vtkMRMLScalarVolumeNode")
        if provenance.isResult(node)
    ]
    assert [node.GetAttribute(provenance.STRENGTH) for node in results] == ["0"]


def test_the_modules_own_test_is_skipped_without_torch(panel, monkeypatch):
    import PseudoCTDenoise

    logic = PseudoCTDenoise.PseudoCTDenoiseLogic
    problem = SimpleNamespace(text="PyTorch is not installed.")
    monkeypatch.setattr(logic, "environmentProblem", lambda self: problem)
    test, shown = PseudoCTDenoise.PseudoCTDenoiseTest(), []
    monkeypatch.setattr(test, "delayDisplay", shown.append)
    try:
        test.runTest()
    except unittest.SkipTest:
        pytest.fail("Slicer would show 'Test failed.'")
    assert shown == ["Denoising the phantom", "Skipped: PyTorch is not installed."]
