"""The selectors list what fits them, and choose nothing that the user did not choose."""

import numpy as np
import pytest

from .conftest import denoise

user = pytest.importorskip("SlicerHarness.user", reason="PySide6 is not installed")


def listed(selector):
    return [selector.nodeFromIndex(index).GetName() for index in range(selector.nodeCount())]


@pytest.fixture
def otherScan(phantom):
    """A second CT."""
    import slicer

    return slicer.modules.volumes.logic().CloneVolume(slicer.mrmlScene, phantom, "Other scan")


@pytest.fixture
def otherScene(scene, tmp_path):
    """A file of another scene, with a scan and with the choices of its user."""
    import slicer
    from PseudoCTDenoiseLib.scene.logic import PseudoCTDenoiseLogic

    path = tmp_path / "other.mrb"
    choices = PseudoCTDenoiseLogic().getParameterNode()
    scan = slicer.util.addVolumeFromArray(np.zeros((2, 32, 32), np.int16), name="Other scan")
    choices.inputVolume, choices.seed = scan, 99
    assert slicer.util.saveScene(str(path))
    scene.Clear(0)
    return path


def add(path):
    """Add a scene to the current one, as the user does with "Add data"."""
    import slicer

    assert slicer.mrmlScene.ReadFromMRB(str(path), False)


def test_scans_are_inputs_and_results_are_outputs(panel, phantom, result, otherScan):
    import slicer

    names = [node.GetName() for node in slicer.util.getNodesByClass("vtkMRMLScalarVolumeNode")]
    assert {"Phantom noise", "Phantom pseudo-LDCT", "Phantom removed noise"} <= set(names)
    assert listed(panel.ui.inputSelector) == ["Phantom", "Other scan"]
    assert listed(panel.ui.outputSelector) == ["Phantom denoised"]


def test_the_lists_follow_a_volume_that_changes(panel, phantom, result, scene):
    import slicer

    empty = scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "Empty")
    assert listed(panel.ui.outputSelector) == ["Phantom denoised", "Empty"]
    slicer.util.updateVolumeFromArray(empty, np.zeros((2, 8, 8), np.int16))
    assert listed(panel.ui.outputSelector) == ["Phantom denoised"]
    user.choose(panel.ui.inputSelector, empty)
    empty.SetAttribute("PseudoCTDenoise.Derived", "1")
    assert listed(panel.ui.inputSelector) == ["Phantom"]
    assert panel.ui.inputSelector.currentNode() is None


def test_a_deleted_result_selects_nothing(panel, phantom, result, scene, halvingWorker):
    import slicer

    second = slicer.modules.volumes.logic().CloneVolume(scene, result, "Second")
    user.choose(panel.ui.outputSelector, "Delete current Volume")
    assert panel.ui.outputSelector.currentNode() is None
    assert panel.logic.getParameterNode().outputVolume is None
    assert not panel.ui.sideBySideButton.enabled
    assert denoise(panel, phantom) is not second


def test_a_deleted_input_selects_nothing(panel, phantom, result, otherScan, scene):
    scene.RemoveNode(phantom)
    assert panel.ui.inputSelector.currentNode() is None
    assert panel.ui.outputSelector.currentNode() is result
    assert panel.ui.statusLabel.text == "Select a CT volume first."
    assert not panel.ui.applyButton.enabled


def test_a_deleted_region_selects_nothing(panel, result, scene):
    regions = [scene.AddNewNodeByClass("vtkMRMLMarkupsROINode", name) for name in "ab"]
    user.click(panel.ui.measureCollapsibleButton)
    user.choose(panel.ui.regionSelector, regions[0])
    user.choose(panel.ui.backgroundSelector, regions[1])
    scene.RemoveNode(regions[0])
    assert panel.ui.regionSelector.currentNode() is None
    assert panel.ui.backgroundSelector.currentNode() is regions[1]
    scene.RemoveNode(regions[1])
    assert panel.ui.backgroundSelector.currentNode() is None


def test_a_scene_that_is_added_changes_no_choice(otherScene, panel, phantom, makeResult):
    result = makeResult(phantom)
    user.click(panel.ui.advancedCollapsibleButton)
    user.enterText(panel.ui.seedSpinBox, "7")
    add(otherScene)
    assert listed(panel.ui.inputSelector) == ["Phantom", "Other scan"]
    assert panel.ui.inputSelector.currentNode() is phantom
    assert panel.ui.outputSelector.currentNode() is result
    assert panel.ui.seedSpinBox.value == 7
    choices = panel.logic.getParameterNode()
    assert (choices.inputVolume, choices.outputVolume, choices.seed) == (phantom, result, 7)


def test_a_scene_that_is_added_while_another_module_is_open_changes_no_choice(
    otherScene, panel, phantom, makeResult, slicerApp
):
    result = makeResult(phantom)
    slicerApp.leave()
    add(otherScene)
    slicerApp.select("PseudoCTDenoise")
    assert panel.ui.inputSelector.currentNode() is phantom
    assert panel.ui.outputSelector.currentNode() is result


def test_a_scene_that_is_added_to_an_empty_one_brings_its_choices(otherScene, panel):
    add(otherScene)
    assert panel.ui.inputSelector.currentNode().GetName() == "Other scan"
    assert panel.ui.seedSpinBox.value == 99


def test_a_derived_input_of_a_loaded_scene_is_replaced_by_a_scan(
    panel, phantom, result, slicerApp, tmp_path
):
    import slicer

    slicerApp.leave()
    panel.logic.getParameterNode().inputVolume = result
    assert slicer.util.saveScene(str(tmp_path / "scene.mrb"))
    slicer.util.loadScene(str(tmp_path / "scene.mrb"))
    slicerApp.select("PseudoCTDenoise")
    assert panel.ui.inputSelector.currentNode().GetName() == "Phantom"
    assert panel.logic.getParameterNode().inputVolume.GetName() == "Phantom"


@pytest.mark.parametrize("created", ["in the selector", "before"])
def test_an_empty_volume_becomes_the_result(panel, phantom, scene, created, halvingWorker):
    if created == "before":
        empty = scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "Denoised")
        user.choose(panel.ui.outputSelector, empty)
    else:
        user.choose(panel.ui.outputSelector, "Create new Volume")
        empty = panel.ui.outputSelector.currentNode()
    assert empty.GetName() == "Denoised" and empty.GetImageData() is None
    assert denoise(panel, phantom) is empty
    assert listed(panel.ui.outputSelector) == ["Denoised"]


def test_a_script_that_fills_the_selected_output_keeps_it_selected(
    panel, phantom, scene, halvingWorker
):
    empty = scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "Denoised")
    user.choose(panel.ui.outputSelector, empty)
    panel.logic.process(phantom, empty, preset="quick")
    assert panel.ui.outputSelector.currentNode() is empty


def test_a_script_may_denoise_a_result_and_is_warned(panel, phantom, result, caplog, halvingWorker):
    again = panel.logic.process(result, preset="quick")
    assert again.GetName() == "Phantom denoised denoised"
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert "Phantom denoised was made by this module" in caplog.text


def test_removed_noise_is_in_no_selector(panel, phantom, result, halvingWorker):
    import slicer

    selector = slicer.qMRMLNodeComboBox()
    selector.nodeTypes = ["vtkMRMLScalarVolumeNode"]
    selector.setMRMLScene(slicer.mrmlScene)
    assert "Phantom removed noise" not in listed(selector)
    user.choose(panel.ui.outputSelector, "Create a new volume")
    denoise(panel, phantom)
    assert "Phantom denoised_1" in listed(selector)
    assert not [name for name in listed(selector) if "removed noise" in name]
