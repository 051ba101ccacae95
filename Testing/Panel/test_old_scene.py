"""A scene of an earlier version loads, although it holds options that no longer exist."""

from pathlib import Path

import pytest

user = pytest.importorskip("SlicerHarness.user", reason="PySide6 is not installed")

OLD_SCENE = Path(__file__).with_name("old_scene.mrml")


def test_removed_options_of_an_old_scene_are_ignored(panel, slicerApp):
    import slicer
    from PseudoCTDenoiseLib.denoising.settings import DenoisingSettings
    from PseudoCTDenoiseLib.panel.job_options import outputsOf, settingsOf, sliceRangeOf
    from PseudoCTDenoiseLib.scene.results import Outputs

    slicerApp.clearScene()
    slicer.util.loadScene(str(OLD_SCENE))
    slicerApp.processEvents()
    node = panel.logic.getParameterNode()
    assert node.parameterNode.GetParameter("noiseSource") == "RESIDUAL"
    assert settingsOf(node) == DenoisingSettings(
        steps=77, tuning_slices=16, orientations=1, update_period=30, seed=11, device="cpu"
    )
    assert outputsOf(node) == Outputs(pseudoLdct=False, modelMaps=True, removedNoise=True)
    assert (sliceRangeOf(node), node.model, node.strength) == ((1, 3), "paper", 35.0)
    assert panel.ui.stepsSpinBox.value == 77
    assert panel.ui.modelComboBox.currentText == "paper"
