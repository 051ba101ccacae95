"""A click on Denoise denoises the scan in the background process.

Tests of what the panel does with any result replace the worker by one without torch.
"""

import json
import re

import numpy as np
import pytest
from PseudoCTDenoiseLib.ct.noise_level import soft_tissue_noise
from PseudoCTDenoiseLib.ct.strength import apply_strength
from view_label import labelIn

from .conftest import PATIENCE, contrast, denoise, nodeIDs, viewNodes, voxels

user = pytest.importorskip("SlicerHarness.user", reason="PySide6 is not installed")


def noiseModelNames():
    """Return the noise models that belong to the denoiser "fast"."""
    from PseudoCTDenoiseLib.models.catalog import PREFIX, SHIPPED_MODELS

    manifest = json.loads((SHIPPED_MODELS / f"{PREFIX}fast.json").read_text("utf-8"))
    assert manifest["noise_models"]
    return set(manifest["noise_models"])


STANDARD = "Standard: tuned on this scan"
PAPER = "Paper: the published loop"


def test_click_to_result(panel, phantom, slicerApp, scene, jobFolders):
    import slicer
    from PseudoCTDenoiseLib.scene import provenance
    from PseudoCTDenoiseLib.scene.geometry import geometryOf

    ui = panel.ui
    before = voxels(phantom).copy()
    user.choose(ui.inputSelector, phantom)
    user.click(ui.advancedCollapsibleButton)
    user.enterText(ui.stepsSpinBox, "12")
    texts, shares = [], []

    def watch():
        if ui.progressBar.visible:
            texts.append(ui.statusLabel.text)
            shares.append(ui.progressBar.value)
        return not panel.runPanel.running

    user.click(ui.applyButton)
    assert ui.applyButton.text == "Cancel" and ui.progressBar.visible
    user.waitUntil(watch, PATIENCE, "the result")
    assert ui.applyButton.text == "Denoise" and not ui.progressBar.visible

    # Progress shows stage, step and remaining time, and never decreases.
    tunings = [text for text in texts if text.startswith("Tuning")]
    assert tunings and all(
        re.fullmatch(r"Tuning: \d+ of 12, about \d+ (s|min) left", text) for text in tunings
    )
    assert any(text.startswith("Denoising") for text in texts)
    assert shares == sorted(shares) and shares[-1] > 0

    output = ui.outputSelector.currentNode()
    assert output.GetName() == "Phantom denoised"
    assert ": Phantom denoised. Removed noise: green. Research" in ui.statusLabel.text
    assert np.array_equal(voxels(phantom), before), "the input was changed"
    assert np.array_equal(geometryOf(output), geometryOf(phantom))
    assert soft_tissue_noise(voxels(output)) < 0.6 * soft_tissue_noise(before)
    assert abs(voxels(output).mean() - before.mean()) < 2
    display = output.GetDisplayNode()
    assert (display.GetWindow(), display.GetLevel()) == (350, 45)

    told = provenance.provenanceOf(output)
    assert told["Model"] == "fast" and told["Settings"]["steps"] == 12 and told["Seconds"] > 0
    names = {node.GetName() for node in slicer.util.getNodesByClass("vtkMRMLScalarVolumeNode")}
    wanted = {"denoised", "removed noise", "noise", "pseudo-LDCT"}
    assert names == {"Phantom", *(f"Phantom {what}" for what in wanted)}
    charts = {chart.GetName() for chart in slicer.util.getNodesByClass("vtkMRMLPlotChartNode")}
    assert charts == {"Phantom denoised noise histogram", "Phantom denoised tuning loss"} | {
        name for name in charts if name.endswith("noise power spectrum")
    }

    assert panel.logic.comparison.shown
    assert labelIn("PseudoCTDenoiseOriginal") == "Phantom"
    label = labelIn("PseudoCTDenoiseDenoised")
    assert label == "Phantom denoised\nderived – research use only"
    assert list(jobFolders.iterdir()) == []
    assert not slicerApp.dialogs.shown


@pytest.mark.slow
def test_a_tuning_that_diverges_is_told_with_the_result(panel, phantom):
    from PseudoCTDenoiseLib.denoising.settings import DenoisingSettings
    from PseudoCTDenoiseLib.scene.denoising_run import Request

    settings = DenoisingSettings(steps=2, learning_rate=1e6, orientations=1)
    panel.runControl.start(panel.logic.backgroundRun(Request(phantom, settings=settings)))
    user.waitUntil(lambda: not panel.runPanel.running, PATIENCE, "the result")
    assert "The tuning diverged" in panel.ui.statusLabel.text
    assert panel.ui.logTextEdit.toPlainText().count("Warning: The tuning diverged") == 1
    table = panel.ui.outputSelector.currentNode().GetNodeReference("PseudoCTDenoise.Provenance")
    rows = [
        (table.GetCellText(i, 0), table.GetCellText(i, 1)) for i in range(table.GetNumberOfRows())
    ]
    assert any(what == "Warning" and "diverged" in text for what, text in rows)


@pytest.mark.slow
def test_the_log_names_scan_and_device_and_can_be_copied(panel, phantom):
    import qt
    import slicer

    denoise(panel, phantom)
    user.click(panel.ui.logCollapsibleButton)
    text = panel.ui.logTextEdit.toPlainText()
    assert "Denoising Phantom, slices 1 to 4, with model fast." in text
    assert "Runs on " in text and text.strip().endswith("Completed.")
    assert all(re.match(r"\d\d:\d\d:\d\d  ", line) for line in text.splitlines())
    user.click(panel.ui.copyLogButton)
    assert slicer.app.clipboard().text() == text
    assert qt.QToolTip.isVisible()


@pytest.mark.slow
def test_two_runs_in_a_row_fill_the_same_output(panel, phantom, scene):
    first = denoise(panel, phantom)
    quick = voxels(first).copy()
    count = scene.GetNumberOfNodes()
    again = denoise(panel, phantom)
    assert again is first
    assert np.array_equal(voxels(again), quick)
    assert scene.GetNumberOfNodes() == count


@pytest.mark.slow
def test_a_second_output_is_made_on_demand(panel, phantom):
    first = denoise(panel, phantom)
    user.choose(panel.ui.outputSelector, "Create a new volume")
    second = denoise(panel, phantom)
    assert second is not first and second.GetName() == "Phantom denoised_1"


def test_the_user_is_asked_before_another_volume_is_overwritten(
    panel, phantom, slicerApp, halvingWorker
):
    import slicer

    other = slicer.modules.volumes.logic().CloneVolume(slicer.mrmlScene, phantom, "Other scan")
    user.choose(panel.ui.inputSelector, phantom)
    panel.logic.getParameterNode().outputVolume = other  # the selector does not offer it
    slicerApp.dialogs.answerWith("Cancel")
    user.click(panel.ui.applyButton)
    assert not panel.runPanel.running
    assert "Other scan" in slicerApp.dialogs.texts()[0]
    assert np.array_equal(voxels(other), voxels(phantom))
    slicerApp.dialogs.answerWith("Ok")
    assert denoise(panel, phantom) is other
    assert not np.array_equal(voxels(other), voxels(phantom))


def test_the_strength_acts_immediately_on_a_finished_result(panel, phantom, halvingWorker):
    output = denoise(panel, phantom)
    first = voxels(output).copy()
    user.enterText(panel.ui.strengthSlider, "100")
    full = voxels(output).copy()
    assert np.array_equal(first, apply_strength(voxels(phantom), full, 80))
    user.enterText(panel.ui.strengthSlider, "40")
    assert np.array_equal(voxels(output), apply_strength(voxels(phantom), full, 40))
    user.enterText(panel.ui.strengthSlider, "0")
    assert np.array_equal(voxels(output), voxels(phantom))
    user.enterText(panel.ui.strengthSlider, "100")
    assert np.array_equal(voxels(output), full)


def test_only_the_chosen_slices_are_denoised_with_the_chosen_model(panel, phantom, halvingWorker):
    user.click(panel.ui.advancedCollapsibleButton)
    user.choose(panel.ui.modelComboBox, "paper")
    user.enterText(panel.ui.firstSliceSpinBox, "2")
    user.enterText(panel.ui.lastSliceSpinBox, "3")
    output = denoise(panel, phantom)
    same = [np.array_equal(a, b) for a, b in zip(voxels(output), voxels(phantom), strict=True)]
    assert same == [True, False, False, True]
    assert output.GetAttribute("PseudoCTDenoise.Model") == "paper"


@pytest.mark.slow
def test_further_outputs_are_made_where_they_are_ticked(panel, phantom):
    import slicer

    user.click(panel.ui.noiseMapCheckBox)
    user.click(panel.ui.pseudoLdctCheckBox)
    user.click(panel.ui.modelMapsCheckBox)
    user.click(panel.ui.removedNoiseCheckBox)
    output = denoise(panel, phantom)
    shown = {
        node.GetName()
        for node in slicer.util.getNodesByClass("vtkMRMLScalarVolumeNode")
        if not node.GetHideFromEditors()
    }
    maps = {name for name in shown if name.startswith("Phantom noise-")}
    assert maps == {f"Phantom {name}" for name in noiseModelNames()}
    assert shown - maps == {"Phantom", "Phantom denoised", "Phantom removed noise"}
    removed = output.GetNodeReference("PseudoCTDenoise.FullStrengthRemoved")
    user.enterText(panel.ui.strengthSlider, "100")
    assert np.array_equal(voxels(removed), voxels(phantom) - voxels(output))


@pytest.mark.slow
def test_a_preview_of_the_slice_on_screen_comes_while_tuning(panel, phantom, busy, scene):
    comparison = panel.logic.comparison
    preview = user.waitUntil(
        lambda: scene.GetFirstNodeByName("Phantom preview"), PATIENCE, "a preview"
    )
    assert comparison.shown and comparison.denoised is preview
    assert "derived – research use only" in labelIn("PseudoCTDenoiseDenoised")
    view = comparison._widget("PseudoCTDenoiseDenoised").sliceView()
    user.waitUntil(lambda: contrast(view) > 10, PATIENCE, "the preview on the screen")
    user.click(panel.ui.applyButton)
    user.waitUntil(lambda: not panel.runPanel.running, PATIENCE, "the end")
    assert nodeIDs() - busy.before <= viewNodes()


def test_the_preview_follows_the_user_from_slice_to_slice(panel, phantom, halvingWorker):
    import slicer
    from PseudoCTDenoiseLib.scene.geometry import geometryOf

    def look(index):
        logic = slicer.app.layoutManager().sliceWidget("Red").sliceLogic()
        logic.SetSliceOffset((geometryOf(phantom) @ [95.5, 95.5, index, 1])[2])

    slicer.util.setSliceViewerLayers(background=phantom, fit=True)
    look(1)
    user.choose(panel.ui.inputSelector, phantom)
    panel.ui.stepsSpinBox.value = 5000
    user.click(panel.ui.applyButton)
    run, shown = panel.runControl.run, []
    assert run._process._request.preview_slice == 1
    run.showSlice = shown.append
    look(3)
    user.waitUntil(lambda: 3 in shown, PATIENCE, "the other slice")
    user.click(panel.ui.applyButton)
    user.waitUntil(lambda: not panel.runPanel.running, PATIENCE, "the end")


@pytest.mark.slow
def test_a_preview_can_be_removed_by_the_user(panel, phantom, busy, scene):
    preview = user.waitUntil(
        lambda: scene.GetFirstNodeByName("Phantom preview"), PATIENCE, "a preview"
    )
    scene.RemoveNode(preview)
    again = user.waitUntil(
        lambda: scene.GetFirstNodeByName("Phantom preview"), PATIENCE, "the next one"
    )
    assert again is not preview and panel.logic.comparison.denoised is again
    user.click(panel.ui.applyButton)
    user.waitUntil(lambda: not panel.runPanel.running, PATIENCE, "the end")


def test_a_range_beside_the_slice_on_screen_is_denoised(panel, phantom, slicerApp, halvingWorker):
    import slicer

    slicer.util.setSliceViewerLayers(background=phantom, fit=True)
    slicer.app.layoutManager().sliceWidget("Red").sliceLogic().SetSliceOffset(1e6)
    user.click(panel.ui.advancedCollapsibleButton)
    user.enterText(panel.ui.lastSliceSpinBox, "2")
    assert denoise(panel, phantom).GetName() == "Phantom denoised"


@pytest.mark.slow
def test_another_scan_gets_a_result_of_its_own(panel, phantom):
    import slicer

    first = denoise(panel, phantom)
    kept = voxels(first).copy()
    other = slicer.modules.volumes.logic().CloneVolume(slicer.mrmlScene, phantom, "Other scan")
    second = denoise(panel, other)
    assert second is not first and second.GetName() == "Other scan denoised"
    assert np.array_equal(voxels(first), kept)
    assert panel.ui.inputSelector.currentNode() is other


@pytest.mark.parametrize("change", ["voxels", "geometry"])
def test_an_input_that_changes_meanwhile_is_reported(
    panel, phantom, slicerApp, change, halvingWorker
):
    import slicer

    user.choose(panel.ui.inputSelector, phantom)
    user.choose(panel.ui.presetComboBox, "Quick: pre-trained network")
    user.click(panel.ui.applyButton)
    if change == "voxels":
        slicer.util.updateVolumeFromArray(phantom, voxels(phantom) + 200)
    else:
        phantom.SetSpacing(1, 1, 3)
    user.waitUntil(lambda: not panel.runPanel.running, PATIENCE, "the end")
    assert "Phantom was changed while it was denoised" in panel.ui.statusLabel.text
    assert "Run it again." in slicerApp.dialogs.texts()[0]
    assert panel.ui.outputSelector.currentNode() is None


@pytest.mark.slow
def test_a_strength_chosen_during_the_job_is_applied(panel, phantom):
    user.choose(panel.ui.inputSelector, phantom)
    user.choose(panel.ui.presetComboBox, "Quick: pre-trained network")
    user.enterText(panel.ui.strengthSlider, "40")
    user.click(panel.ui.applyButton)
    user.enterText(panel.ui.strengthSlider, "70")
    user.waitUntil(lambda: not panel.runPanel.running, PATIENCE, "the result")
    output = panel.ui.outputSelector.currentNode()
    assert output.GetAttribute("PseudoCTDenoise.Strength") == "70"
    assert panel.ui.strengthSlider.value == 70


@pytest.mark.slow
def test_a_job_that_ends_while_another_module_is_open_is_shown(panel, phantom, slicerApp):
    user.choose(panel.ui.inputSelector, phantom)
    user.choose(panel.ui.presetComboBox, "Quick: pre-trained network")
    user.click(panel.ui.applyButton)
    slicerApp.leave()
    user.waitUntil(lambda: not panel.runPanel.running, PATIENCE, "the result")
    comparison = panel.logic.comparison
    assert comparison.denoised is None  # the views of the other module stay
    slicerApp.select("PseudoCTDenoise")
    assert comparison.denoised.GetName() == "Phantom denoised"
    assert panel.ui.outputSelector.currentNode() is comparison.denoised
    assert panel.ui.sideBySideButton.enabled


def test_a_job_that_cannot_start_is_reported_and_the_panel_is_ready(
    panel, phantom, slicerApp, monkeypatch, tmp_path
):
    import tempfile

    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "nowhere"))
    user.choose(panel.ui.inputSelector, phantom)
    user.choose(panel.ui.presetComboBox, "Quick: pre-trained network")
    user.click(panel.ui.applyButton)
    assert slicerApp.dialogs.shown[0].kind == "critical"
    assert panel.ui.applyButton.text == "Denoise" and panel.ui.applyButton.enabled
    assert not panel.runControl._timer.active


@pytest.mark.parametrize(
    ("preset", "ticked", "averaged"),
    [
        ("Quick: pre-trained network", False, None),
        (STANDARD, True, None),
        ("Thorough: tuned longer, 8 orientations", True, 8),
        (PAPER, False, None),
    ],
)
def test_the_box_averages_as_the_preset_does_or_as_fits_the_scan(panel, preset, ticked, averaged):
    from PseudoCTDenoiseLib.panel.job_options import settingsOf

    user.click(panel.ui.advancedCollapsibleButton)
    user.choose(panel.ui.presetComboBox, preset)
    box = panel.ui.orientationsCheckBox
    assert box.checked is ticked
    for now in (ticked, not ticked):
        if box.checked is not now:
            user.click(box)
        assert settingsOf(panel.logic.getParameterNode()).orientations == (averaged if now else 1)


def test_an_unknown_preset_is_refused(panel, phantom):
    with pytest.raises(ValueError, match="Unknown preset 'best': choose quick, standard"):
        panel.logic.process(phantom, preset="best")


@pytest.mark.slow
def test_a_click_on_make_again_makes_the_same_result(panel, phantom, scene):
    assert not panel.ui.repeatButton.enabled
    first = denoise(panel, phantom)
    user.click(panel.ui.repeatButton)
    user.waitUntil(lambda: not panel.runPanel.running, PATIENCE, "the second result")
    second = panel.ui.outputSelector.currentNode()
    assert second is not first and np.array_equal(voxels(first), voxels(second))
    assert "equals the old one in every voxel" in panel.ui.statusLabel.text
    assert "equals the old one in every voxel" in panel.ui.logTextEdit.toPlainText()
