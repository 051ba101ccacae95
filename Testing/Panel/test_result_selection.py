"""The slider shows the strength of the selected result, whatever a job does meanwhile."""

import pytest
from PseudoCTDenoiseLib.scene import provenance

from .conftest import PATIENCE

user = pytest.importorskip("SlicerHarness.user", reason="PySide6 is not installed")


def strength(volume):
    return float(volume.GetAttribute(provenance.STRENGTH))


def ended(panel):
    return user.waitUntil(lambda: not panel.runPanel.running, PATIENCE, "the end of the job")


def test_after_a_cancelled_job_the_slider_shows_the_strength_of_the_result(
    panel, result, halvingWorker
):
    panel.logic.applyStrength(result, 80)
    panel.ui.stepsSpinBox.value = 5000
    user.click(panel.ui.applyButton)
    panel.ui.strengthSlider.value = 30
    user.click(panel.ui.applyButton)
    ended(panel)
    assert strength(result) == panel.ui.strengthSlider.value == 80


def test_a_new_result_does_not_get_the_strength_of_an_older_one(
    panel, phantom, makeResult, halvingWorker
):
    old = makeResult(phantom)
    panel.logic.applyStrength(old, 30)
    panel.ui.outputSelector.setCurrentNode(None)
    panel.ui.strengthSlider.value = 70
    user.click(panel.ui.applyButton)
    panel.ui.outputSelector.setCurrentNode(old)
    assert panel.runPanel.running and panel.ui.strengthSlider.value == 30
    ended(panel)
    new = panel.ui.outputSelector.currentNode()
    assert new is not old
    assert strength(new) == panel.ui.strengthSlider.value == 70
    assert strength(old) == 30


def test_another_input_deselects_the_result_in_the_selector_too(panel, phantom, result):
    import slicer

    other = slicer.modules.volumes.logic().CloneVolume(slicer.mrmlScene, phantom, "Other")
    panel.logic.getParameterNode().inputVolume = other
    assert panel.ui.outputSelector.currentNode() is None
    assert panel.logic.getParameterNode().outputVolume is None
    assert not panel.ui.blinkCheckBox.enabled


def test_a_missing_model_is_replaced_by_the_one_on_display_and_said(panel, phantom):
    node = panel.logic.getParameterNode()
    node.model = "own"
    panel.setParameterNode(node)
    assert node.model == panel.ui.modelComboBox.currentText != "own"
    assert panel.ui.statusLabel.text.startswith("The model own is missing, so ")


def test_an_output_that_is_filled_during_the_job_is_kept(panel, phantom, halvingWorker):
    import slicer

    empty = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "Empty")
    run = panel.logic.process(phantom, empty, waitForCompletion=False)
    slicer.util.updateVolumeFromArray(empty, slicer.util.arrayFromVolume(phantom)[:1])
    run.wait()
    assert run.outputVolume is not empty and not provenance.isResult(empty)
    assert slicer.util.arrayFromVolume(empty).shape[0] == 1


def test_an_output_outside_the_scene_is_refused(panel, phantom):
    import slicer

    output = slicer.vtkMRMLScalarVolumeNode()
    output.SetName("loose")
    with pytest.raises(ValueError, match="loose is not in the scene"):
        panel.logic.process(phantom, output)


def test_a_deleted_result_leaves_no_volume_that_nobody_sees(
    panel, scene, phantom, result, slicerApp
):
    import slicer

    scene.RemoveNode(result)
    slicerApp.processEvents()
    volumes = slicer.util.getNodesByClass("vtkMRMLScalarVolumeNode")
    assert not [volume.GetName() for volume in volumes if volume.GetHideFromEditors()]
    assert scene.IsNodePresent(phantom)


def test_a_deleted_result_takes_its_plots_and_tables_along(
    panel, scene, phantom, makeResult, slicerApp
):
    import slicer

    def figures():
        kinds = ("PlotChart", "PlotSeries", "Table")
        return [n for kind in kinds for n in slicer.util.getNodesByClass(f"vtkMRML{kind}Node")]

    kept = makeResult(phantom)
    before = len(figures())
    result = makeResult(phantom)
    clone = slicer.modules.volumes.logic().CloneVolume(scene, result, "Clone")
    assert len(figures()) == 2 * before > 0
    scene.RemoveNode(result)
    slicerApp.processEvents()
    assert len(figures()) == 2 * before, "the clone refers to them"
    scene.RemoveNode(clone)
    slicerApp.processEvents()
    assert len(figures()) == before
    assert kept.GetNodeReference(provenance.CHARTS) is not None
    assert kept.GetNodeReference(provenance.PROVENANCE) is not None


def test_a_result_of_another_scan_leaves_no_plots_and_tables(
    panel, scene, phantom, makeResult, slicerApp
):
    import slicer

    def figures():
        kinds = ("PlotChart", "PlotSeries", "Table")
        return [n for kind in kinds for n in slicer.util.getNodesByClass(f"vtkMRML{kind}Node")]

    result = makeResult(phantom)
    before = len(figures())
    other = slicer.modules.volumes.logic().CloneVolume(scene, phantom, "Other")
    makeResult(other, result)
    assert len(figures()) == before
    scene.RemoveNode(result)
    slicerApp.processEvents()
    assert not figures()
