"""The panel shows the traffic light of the removed noise with a word and figures."""

import json

import pytest

from .conftest import denoise

user = pytest.importorskip("SlicerHarness.user", reason="PySide6 is not installed")


def test_a_job_shows_its_light_in_the_panel_the_log_and_the_provenance(panel, phantom, slicerApp):
    from PseudoCTDenoiseLib.scene import provenance

    assert panel.ui.removedNoiseLabel.text == "–"
    output = denoise(panel, phantom)
    check = provenance.provenanceOf(output)["RemovedNoiseCheck"]
    assert check["light"] == "green" and check["slices_judged"] == 4
    label = panel.ui.removedNoiseLabel
    assert "●</span> green: no structure found" in label.text
    assert f"{check['strongest_spot']:.1f} standard deviations" in label.toolTip
    assert f"Check: green. {provenance.removedNoiseSentence(output)[1]}" in (
        panel.ui.logTextEdit.toPlainText()
    )
    table = output.GetNodeReference(provenance.PROVENANCE)
    rows = {table.GetCellText(row, 0): table.GetCellText(row, 1) for row in range(40)}
    assert rows["Removed noise, light"] == "green"
    assert rows["Removed noise, correlation with edges"] == f"{check['edge_correlation']:.2f}"


def show(panel, result, light, warnings=(), slices="10-13", **figures):
    from PseudoCTDenoiseLib.scene import provenance

    check = {
        "light": light,
        "slices_judged": 4,
        "edge_correlation": 0.6,
        "edge_slice": 2,
        "strongest_spot": 5.0,
        "spot_slice": 1,
        "mean_frequency_ratio": 1.0,
    } | figures
    result.SetAttribute(provenance.REMOVED_NOISE_CHECK, json.dumps(check))
    result.SetAttribute(provenance.WARNINGS, json.dumps(list(warnings)))
    result.SetAttribute(provenance.SLICES, slices)
    panel.comparePanel.setOutput(result)
    return panel.ui.removedNoiseLabel


def test_each_light_has_a_word_of_its_own(panel, phantom, result):
    texts = [show(panel, result, light).text for light in ("green", "amber", "red", "not judged")]
    words = [text.partition("</span> ")[2] for text in texts]
    assert [word.partition(":")[0] for word in words] == ["green", "amber", "red", "not judged"]
    assert len({text.partition("●")[0] for text in texts}) == 4


def test_the_tooltip_says_where_to_look_in_the_whole_volume(panel, phantom, result):
    tip = show(panel, result, "red").toolTip
    assert "correlation with edges is at most 0.60" in tip and "first in slice 13." in tip
    assert "Data Probe counts slices from 0: it shows 12 for slice 13." in tip


def test_a_click_shows_the_slice_to_look_at(panel, phantom, result, slicerApp):
    assert not panel.ui.showSliceButton.enabled  # the light is green
    panel.logic.comparison.setOrientation("Coronal")
    for worst in (3, 0):
        show(panel, result, "amber", slices="0-3", edge_slice=worst)
        user.click(panel.ui.showSliceButton)
        slicerApp.processEvents()
        assert panel.logic.comparison.shows(result)
        assert panel.ui.orientationComboBox.currentText == "Axial"
        assert panel.runControl.sliceOnScreen(phantom, 2) == worst
    show(panel, result, "not judged")
    assert not panel.ui.showSliceButton.enabled


def test_warnings_about_the_scan_stand_beside_the_light(panel, phantom, result):
    label = show(panel, result, "green", ["It has pixels of 7 mm.", "It has metal."])
    assert label.text.endswith("green: no structure found; warnings about the scan: 2")
    assert "It has pixels of 7 mm." in label.toolTip and "It has metal." in label.toolTip


def test_a_result_without_a_readable_check_shows_a_dash(panel, phantom, result):
    from PseudoCTDenoiseLib.scene import provenance

    show(panel, result, "green")
    earlier = None  # an earlier version has no check
    for text in (earlier, "no JSON", "{}", "7", '{"light": "green"}'):
        result.SetAttribute(provenance.REMOVED_NOISE_CHECK, text)
        panel.comparePanel.setOutput(result)
        assert panel.ui.removedNoiseLabel.text == "–"
    panel.comparePanel.setOutput(None)
    assert panel.ui.removedNoiseLabel.toolTip.endswith("Denoise a scan to see it.")
