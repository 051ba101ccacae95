"""A job can be cancelled at any time, and leaves nothing behind."""

import os
import signal

import numpy as np
import pytest
from PseudoCTDenoiseLib.worker import worker_process
from PseudoCTDenoiseLib.worker.worker_process import Silence

from .conftest import PATIENCE, alive, denoise, nodeIDs, viewNodes, voxels

user = pytest.importorskip("SlicerHarness.user", reason="PySide6 is not installed")
pytestmark = pytest.mark.slow


def waitForEnd(panel):
    user.waitUntil(lambda: not panel.runPanel.running, PATIENCE, "the end of the job")


def test_cancel_while_tuning(panel, busy, phantom):
    before = voxels(phantom).copy()
    user.click(panel.ui.applyButton)
    waitForEnd(panel)
    assert busy.run.state.value == "cancelled"
    assert panel.ui.statusLabel.text == "Cancelled. The scene is unchanged."
    assert panel.ui.applyButton.text == "Denoise" and panel.ui.applyButton.enabled
    assert nodeIDs() - busy.before <= viewNodes()
    assert np.array_equal(voxels(phantom), before)
    assert panel.ui.outputSelector.currentNode() is None


def test_cancel_right_after_the_click(panel, phantom, jobFolders):
    user.choose(panel.ui.inputSelector, phantom)
    before = nodeIDs()
    user.click(panel.ui.applyButton)
    user.click(panel.ui.applyButton)
    waitForEnd(panel)
    assert panel.ui.statusLabel.text == "Cancelled. The scene is unchanged."
    assert nodeIDs() == before and list(jobFolders.iterdir()) == []


def test_after_a_cancel_the_next_click_denoises(panel, busy, phantom):
    user.click(panel.ui.applyButton)
    waitForEnd(panel)
    assert denoise(panel, phantom).GetName() == "Phantom denoised"


def test_a_killed_worker_is_reported_with_advice(panel, busy, slicerApp):
    os.kill(busy.workerId, signal.SIGKILL)
    waitForEnd(panel)
    assert busy.run.state.value == "failed"
    text = slicerApp.dialogs.texts()[0]
    assert text.startswith("The background process stopped unexpectedly")
    assert "Run it again" in text and panel.ui.statusLabel.text == text
    assert panel.ui.applyButton.text == "Denoise"
    assert nodeIDs() - busy.before <= viewNodes()


@pytest.fixture
def quickSilence(monkeypatch):
    """Report silence after a fraction of a second."""
    monkeypatch.setattr(worker_process, "CHECK_SECONDS", 0.1)
    monkeypatch.setattr(worker_process, "SILENCE_SECONDS", 0.5)


def test_a_stopped_worker_is_reported_and_cancel_ends_it(quickSilence, panel, busy):
    os.kill(busy.workerId, signal.SIGSTOP)
    status = panel.ui.statusLabel
    user.waitUntil(lambda: "has not answered for" in status.text, PATIENCE, "the report")
    assert "click Cancel to end it" in status.text
    assert panel.ui.applyButton.text == "Cancel" and panel.ui.applyButton.enabled
    user.click(panel.ui.applyButton)
    waitForEnd(panel)
    assert status.text == "Cancelled. The scene is unchanged."


def test_a_stopped_worker_that_continues_shows_its_progress_again(quickSilence, panel, busy):
    os.kill(busy.workerId, signal.SIGSTOP)
    status = panel.ui.statusLabel
    user.waitUntil(lambda: "has not answered for" in status.text, PATIENCE, "the report")
    os.kill(busy.workerId, signal.SIGCONT)
    user.waitUntil(lambda: status.text.startswith("Tuning"), PATIENCE, "progress")
    user.click(panel.ui.applyButton)
    waitForEnd(panel)


def test_a_worker_without_progress_shows_for_how_long(panel, busy):
    before = panel.ui.statusLabel.text
    panel.runPanel.onSilence(Silence(without_progress=120, without_message=5))
    shown = panel.ui.statusLabel.text
    assert shown == f"{before} (no progress for 2 min; the background process is running)"
    user.click(panel.ui.applyButton)
    waitForEnd(panel)


def test_closing_the_scene_cancels(panel, busy, slicerApp):
    slicerApp.clearScene()
    waitForEnd(panel)
    assert busy.run.state.value == "cancelled"
    assert "The scene was closed" in panel.ui.logTextEdit.toPlainText()
    assert panel.ui.statusLabel.text == "The scene was closed, so the job was cancelled."
    assert not panel.logic.comparison.shown


def test_removing_the_input_cancels(panel, busy, phantom, scene):
    scene.RemoveNode(phantom)
    waitForEnd(panel)
    assert busy.run.state.value == "cancelled"
    assert "Phantom was removed, so the job was cancelled." in panel.ui.logTextEdit.toPlainText()
    assert not panel.ui.applyButton.enabled


def test_leaving_the_panel_does_not_cancel(panel, busy, slicerApp):
    slicerApp.leave()
    user.waitUntil(lambda: busy.run._process.state.is_active, PATIENCE)
    assert alive(busy.workerId)
    slicerApp.select("PseudoCTDenoise")
    assert panel.ui.applyButton.text == "Cancel"
    user.click(panel.ui.applyButton)
    waitForEnd(panel)


def test_reloading_the_module_ends_the_job(panel, busy, slicerApp):
    again = slicerApp.reload("PseudoCTDenoise")
    assert again is not panel and again.ui.applyButton.text == "Denoise"
    assert busy.run.state.is_over
    assert again.ui.inputSelector.currentNode().GetName() == "Phantom"


def test_the_window_answers_while_a_job_runs(panel, busy):
    log = panel.ui.logCollapsibleButton
    for _ in range(20):
        collapsed = log.collapsed
        user.click(log)
        assert log.collapsed is not collapsed
    assert panel.runPanel.running
    user.click(panel.ui.applyButton)
    waitForEnd(panel)
