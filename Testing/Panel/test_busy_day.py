"""A hurried user: two clicks, another scan or another module while a job runs."""

import time

import numpy as np
import pytest
from PseudoCTDenoiseLib.scene import denoising_run, provenance
from PseudoCTDenoiseLib.worker.worker_process import JobState

from .conftest import PATIENCE, voxels

user = pytest.importorskip("SlicerHarness.user", reason="PySide6 is not installed")
from PySide6 import QtCore, QtGui, QtTest, QtWidgets  # noqa: E402

LEFT = QtCore.Qt.MouseButton.LeftButton


def denoised(panel):
    """Click Denoise, wait for the end of the job and return the selected output."""
    user.click(panel.ui.applyButton)
    ended(panel)
    return panel.ui.outputSelector.currentNode()


def ended(panel):
    user.waitUntil(lambda: not panel.runPanel.running, PATIENCE, "the end of the job")


def pause(seconds):
    end = time.monotonic() + seconds
    user.waitUntil(lambda: time.monotonic() > end, PATIENCE, "a moment")


@pytest.fixture
def phantom(panel, phantom):
    """The selected input."""
    user.choose(panel.ui.inputSelector, phantom)
    return phantom


@pytest.fixture
def other(phantom):
    import slicer

    return slicer.modules.volumes.logic().CloneVolume(slicer.mrmlScene, phantom, "Other")


def test_a_double_click_starts_one_job(panel, phantom, halvingWorker, clickGuard):
    button = panel.ui.applyButton._q
    QtTest.QTest.mouseClick(button, LEFT)
    QtTest.QTest.mouseDClick(button, LEFT)
    ended(panel)
    assert panel.ui.statusLabel.text.startswith("Done in ")


def test_a_second_click_on_cancel_is_not_possible(panel, phantom):
    button = panel.ui.applyButton
    for state, words, clickable in (
        (JobState.RUNNING, "Cancel", True),
        (JobState.CANCELLING, "Cancel", False),
        (JobState.CANCELLED, "Denoise", True),
    ):
        panel.runPanel.onState(state)
        assert (button.text, button.enabled) == (words, clickable)


def test_a_click_on_cancel_during_the_import_starts_no_other_job(
    panel, phantom, halvingWorker, monkeypatch, clickGuard
):
    imports, store = [], denoising_run.storeResult

    def slowly(*arguments):
        """Add the result while the user clicks on the button, whose clicks wait in the queue."""
        imports.append(panel.ui.statusLabel.text)
        assert QtWidgets.QApplication.overrideCursor() is not None
        assert not panel.ui.applyButton.enabled
        button = panel.ui.applyButton._q
        place = QtCore.QPointF(button.rect().center())
        for kind in (QtCore.QEvent.Type.MouseButtonPress, QtCore.QEvent.Type.MouseButtonRelease):
            click = QtGui.QMouseEvent(
                kind, place, button.mapToGlobal(place), LEFT, LEFT, QtCore.Qt.NoModifier
            )
            QtCore.QCoreApplication.postEvent(button, click)
        return store(*arguments)

    monkeypatch.setattr(denoising_run, "storeResult", slowly)
    denoised(panel)
    pause(0.2)
    assert not panel.runPanel.running
    assert QtWidgets.QApplication.overrideCursor() is None
    assert imports == ["Adding the result to the scene…"]
    user.waitUntil(lambda: panel.runPanel.acceptsClicks, PATIENCE, "the end of the guard")
    user.click(panel.ui.applyButton)
    assert panel.runPanel.running
    ended(panel)


def test_a_result_is_not_selected_beside_another_scan(panel, phantom, other, halvingWorker):
    import slicer

    user.click(panel.ui.applyButton)
    user.choose(panel.ui.inputSelector, other)
    ended(panel)
    node = panel.logic.getParameterNode()
    assert node.inputVolume is other and node.outputVolume is None
    said = "Phantom denoised. Removed noise: green. Research use only."
    assert panel.ui.statusLabel.text.endswith(said)
    comparison = panel.logic.comparison
    assert comparison.original is phantom and comparison.denoised.GetName() == "Phantom denoised"
    assert denoised(panel).GetName() == "Other denoised"
    assert slicer.util.getNode("Phantom denoised") is not None


def test_another_scan_replaces_the_outcome_of_the_former_one(panel, phantom, other, halvingWorker):
    denoised(panel)
    user.choose(panel.ui.inputSelector, other)
    assert panel.ui.statusLabel.text == "Ready"


def test_the_check_of_a_scan_shows_a_wait_cursor(panel, phantom, other, monkeypatch):
    from PseudoCTDenoiseLib.panel import input_check

    cursors = []

    def warning(volume):
        cursors.append(QtWidgets.QApplication.overrideCursor())

    monkeypatch.setattr(input_check, "warningFor", warning)
    user.choose(panel.ui.inputSelector, other)
    assert cursors and None not in cursors
    assert QtWidgets.QApplication.overrideCursor() is None


def test_the_range_of_slices_is_that_of_one_scan(panel, phantom, other, halvingWorker):
    panel.ui.firstSliceSpinBox.value = 2
    panel.ui.lastSliceSpinBox.value = 3
    denoised(panel)
    assert ": Phantom denoised, slices 2 to 3 of 4." in panel.ui.statusLabel.text
    user.choose(panel.ui.inputSelector, other)
    assert (panel.ui.firstSliceSpinBox.value, panel.ui.lastSliceSpinBox.value) == (1, 0)
    output = denoised(panel)
    assert output.GetAttribute(provenance.SLICES) == "0-3"
    assert "slices" not in panel.ui.statusLabel.text


def test_the_range_of_a_loaded_scene_stays(panel, scene, phantom, tmp_path):
    import slicer

    panel.ui.firstSliceSpinBox.value = 2
    assert slicer.util.saveScene(str(tmp_path / "scene.mrb"))
    panel.ui.firstSliceSpinBox.value = 3
    scene.Clear(0)
    slicer.util.loadScene(str(tmp_path / "scene.mrb"))
    assert panel.ui.inputSelector.currentNode().GetName() == "Phantom"
    assert panel.ui.firstSliceSpinBox.value == 2


def test_a_job_that_ends_in_another_module_shows_its_result_on_return(
    panel, phantom, slicerApp, halvingWorker
):
    import slicer

    manager = slicer.app.layoutManager()
    fourUp = slicer.vtkMRMLLayoutNode.SlicerLayoutFourUpView
    user.click(panel.ui.applyButton)
    slicerApp.leave()
    manager.setLayout(fourUp)
    ended(panel)
    assert manager.layout == fourUp
    slicerApp.select("PseudoCTDenoise")
    assert manager.layout != fourUp and panel.logic.comparison.denoised is not None


def test_a_comparison_on_screen_waits_for_the_return_of_the_user_too(
    panel, phantom, result, slicerApp, halvingWorker
):
    user.click(panel.ui.sideBySideButton)
    user.choose(panel.ui.outputSelector, "Create a new volume")
    user.click(panel.ui.applyButton)
    slicerApp.leave()
    ended(panel)
    comparison = panel.logic.comparison
    assert comparison.shows(result)
    slicerApp.select("PseudoCTDenoise")
    assert panel.ui.outputSelector.currentNode() is not result
    assert comparison.shows(panel.ui.outputSelector.currentNode())


@pytest.fixture
def tuning(panel, phantom, result, halvingWorker):
    """A job whose preview is in the views, and another result that was there before."""
    user.click(panel.ui.sideBySideButton)
    panel.logic.comparison.setOrientation("Coronal")
    panel.ui.stepsSpinBox.value = 5000
    user.click(panel.ui.applyButton)
    run = panel.runControl.run
    preview(run, voxels(phantom))
    return run


def preview(run, hu):
    run._onPreview(1, hu[1])


def cancelled(panel):
    user.click(panel.ui.applyButton)
    ended(panel)
    assert panel.ui.statusLabel.text == "Cancelled. The scene is unchanged."
    assert panel.ui.orientationComboBox.enabled


def test_a_cancelled_job_restores_the_comparison_on_return(panel, result, tuning, slicerApp):
    comparison = panel.logic.comparison
    assert comparison.denoised is not result and comparison.orientation == "Axial"
    slicerApp.leave()
    tuning.cancel()
    ended(panel)
    assert not comparison.shows(result) and comparison.orientation == "Axial"
    slicerApp.select("PseudoCTDenoise")
    assert comparison.shows(result) and comparison.orientation == "Coronal"


def test_a_scene_that_is_closed_meanwhile_ends_the_preview(panel, scene, tuning, slicerApp):
    slicerApp.leave()
    tuning.cancel()
    ended(panel)
    scene.Clear(0)
    slicerApp.select("PseudoCTDenoise")
    assert panel.ui.orientationComboBox.enabled and not panel.logic.comparison.shown


def test_no_preview_is_shown_while_another_module_is_open(
    panel, phantom, result, slicerApp, halvingWorker
):
    panel.ui.stepsSpinBox.value = 5000
    user.click(panel.ui.sideBySideButton)
    user.click(panel.ui.applyButton)
    slicerApp.leave()
    preview(panel.runControl.run, voxels(phantom))
    assert panel.logic.comparison.shows(result)
    slicerApp.select("PseudoCTDenoise")
    preview(panel.runControl.run, voxels(phantom))
    assert not panel.logic.comparison.shows(result)
    cancelled(panel)


def test_a_result_that_is_selected_during_the_preview_stays_on_screen(
    panel, phantom, result, tuning
):
    import slicer

    other = slicer.modules.volumes.logic().CloneVolume(slicer.mrmlScene, result, "Second")
    user.choose(panel.ui.outputSelector, other)
    assert panel.logic.comparison.shows(other)
    cancelled(panel)
    assert panel.logic.comparison.shows(other)


def test_a_cancelled_job_says_so_after_a_comparison_without_volumes(
    panel, phantom, result, halvingWorker
):
    """An added scene may bring the layout of a comparison along."""
    user.click(panel.ui.sideBySideButton)
    panel.logic.comparison.clear()
    panel.ui.stepsSpinBox.value = 5000
    user.click(panel.ui.applyButton)
    preview(panel.runControl.run, voxels(phantom))
    cancelled(panel)
    assert not panel.logic.comparison.shown


def test_an_edited_result_is_replaced_only_after_a_question(
    panel, phantom, slicerApp, halvingWorker
):
    import slicer

    output = denoised(panel)
    voxels(output)[:] = 7
    slicer.util.arrayFromVolumeModified(output)
    panel.ui.strengthSlider.value -= 10
    slicerApp.processEvents()
    assert "Choose 'Create a new volume'" in panel.ui.statusLabel.text
    slicerApp.dialogs.answerWith("Cancel")
    user.click(panel.ui.applyButton)
    assert not panel.runPanel.running and (voxels(output) == 7).all()
    assert "lose the changes" in slicerApp.dialogs.texts()[-1]


@pytest.mark.parametrize("way", ["set", "key"])
def test_a_refused_strength_is_taken_back(panel, result, slicerApp, way):
    import slicer

    before = panel.ui.strengthSlider.value
    voxels(result)[:] = 7
    slicer.util.arrayFromVolumeModified(result)
    for _ in range(2):
        if way == "set":
            panel.ui.strengthSlider.value -= 10
        else:
            slider = panel.ui.strengthSlider._q.findChild(QtWidgets.QAbstractSlider)
            QtTest.QTest.keyClick(slider, QtCore.Qt.Key.Key_PageDown)
        slicerApp.processEvents()
        assert panel.ui.strengthSlider.value == before
        assert panel.logic.getParameterNode().strength == before
        assert float(result.GetAttribute(provenance.STRENGTH)) == before


def test_values_between_two_turns_of_the_event_loop_are_skipped(
    panel, result, slicerApp, monkeypatch
):
    applied = []
    monkeypatch.setattr(
        panel.resultSelection, "_applyStrengthTo", lambda output, value: applied.append(value)
    )
    for value in (90, 70, 50):
        panel.ui.strengthSlider.value = value
    slicerApp.processEvents()
    assert applied == [50]


@pytest.mark.slow
def test_a_preview_is_shown_in_axial_views(panel, phantom):
    panel.logic.comparison.setOrientation("Coronal")
    panel.ui.stepsSpinBox.value = 5000
    user.click(panel.ui.applyButton)
    user.waitUntil(lambda: panel.runControl._previewShown, PATIENCE, "the preview")
    assert not panel.ui.orientationComboBox.enabled
    assert panel.ui.orientationComboBox.currentText == "Axial"
    assert panel.logic.comparison.orientation == "Axial"
    user.click(panel.ui.applyButton)
    ended(panel)
    assert panel.ui.orientationComboBox.enabled
    assert panel.ui.orientationComboBox.currentText == "Coronal"
    assert panel.logic.comparison.orientation == "Coronal"


def test_a_withdrawn_job_says_why(panel, scene, phantom, halvingWorker):
    panel.ui.stepsSpinBox.value = 5000
    user.click(panel.ui.applyButton)
    scene.RemoveNode(phantom)
    ended(panel)
    assert panel.ui.statusLabel.text == "Phantom was removed, so the job was cancelled."


def test_the_window_of_another_module_is_no_preset(panel, scene, phantom, result):
    user.choose(panel.ui.windowComboBox, "Lung (1500 / -600 HU)")
    assert panel.ui.windowComboBox.currentData == "Lung"
    result.GetDisplayNode().SetWindowLevel(80, 60)
    assert panel.ui.windowComboBox.currentText == "Unchanged"
    user.choose(panel.ui.windowComboBox, "Bone (1800 / 400 HU)")
    scene.Clear(0)
    assert panel.ui.windowComboBox.currentText == "Unchanged"


def test_the_list_of_plots_keeps_its_choice_on_return(panel, result, slicerApp):
    user.click(panel.ui.plotsAndTablesButton)
    user.choose(panel.ui.plotComboBox, "Tuning loss")
    slicerApp.leave()
    slicerApp.select("PseudoCTDenoise")
    assert panel.ui.plotComboBox.currentText == "Tuning loss"


def test_no_device_check_runs_beside_a_job(deviceCheck, panel, phantom, halvingWorker):
    panel.ui.stepsSpinBox.value = 5000
    assert panel.devicePanel._running is not None  # since the scan was selected
    user.click(panel.ui.applyButton)
    assert panel.devicePanel._running is None and not panel.ui.checkDeviceButton.enabled
    user.click(panel.ui.applyButton)
    ended(panel)
    assert panel.devicePanel._running is not None  # the estimate is made again
    panel.devicePanel.cleanup()


def test_fractions_of_a_strength_that_a_script_has_set_stay(panel, result, slicerApp):
    panel.logic.applyStrength(result, 72.5)
    slicerApp.processEvents()
    assert float(result.GetAttribute(provenance.STRENGTH)) == 72.5
    assert np.isclose(panel.ui.strengthSlider.value, 72.5, atol=0.5)


def test_denoised_items_that_were_deleted_meanwhile_are_not_shown(panel, phantom, other, scene):
    scene.RemoveNode(other)
    panel.sequenceControl._show((phantom, other))
    assert not panel.logic.comparison.shown


def test_a_second_preview_does_not_forget_the_plane(panel, phantom, result):
    panel.logic.comparison.setOrientation("Coronal")
    for _ in range(2):  # the user may delete the first one
        panel.comparePanel.startPreview()
    panel.comparePanel.endPreview()
    assert panel.logic.comparison.orientation == "Coronal"
