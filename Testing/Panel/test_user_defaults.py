"""New scenes start with the user's defaults, loaded scenes with their own choices."""

import pytest
from PseudoCTDenoiseLib.denoising.presets import PRESETS

user = pytest.importorskip("SlicerHarness.user", reason="PySide6 is not installed")


@pytest.fixture(autouse=True)
def settings(slicerApp):
    """Slicer's settings, without the defaults that a test has saved in them."""
    import slicer

    settings = slicer.app.settings()
    yield settings
    settings.remove("PseudoCTDenoise")


def choices(panel):
    ui = panel.ui
    boxes = (ui.noiseMapCheckBox, ui.pseudoLdctCheckBox, ui.modelMapsCheckBox)
    ticked = [box.checked for box in (*boxes, ui.removedNoiseCheckBox)]
    return (
        ui.presetComboBox.currentText,
        ui.strengthSlider.value,
        (ui.deviceComboBox.currentText, ui.gpuSpinBox.value),
        ticked,
        ui.stepsSpinBox.value,
    )


MODULE_DEFAULTS = (
    "Standard: tuned on this scan",
    80.0,
    ("Automatic", 0),
    [True, True, False, False],
    PRESETS["standard"].steps,
)
CUDA_1 = ("NVIDIA GPU (CUDA)", 1)
MINE = ("Quick: pre-trained network", 70.0, CUDA_1, [False, True, False, True], 0)


def choose(panel):
    ui = panel.ui
    if ui.advancedCollapsibleButton.collapsed:
        user.click(ui.advancedCollapsibleButton)
    user.choose(ui.presetComboBox, MINE[0])
    user.enterText(ui.strengthSlider, "70")
    user.choose(ui.deviceComboBox, CUDA_1[0])
    user.enterText(ui.gpuSpinBox, "1")
    user.click(ui.noiseMapCheckBox)
    user.click(ui.removedNoiseCheckBox)
    assert choices(panel) == MINE


def test_a_new_scene_starts_with_the_saved_choices_until_they_are_reset(panel, scene):
    assert choices(panel) == MODULE_DEFAULTS
    choose(panel)
    user.click(panel.ui.saveDefaultsButton)
    assert panel.ui.statusLabel.text.startswith("Saved.")
    user.enterText(panel.ui.strengthSlider, "20")
    scene.Clear(0)
    assert choices(panel) == MINE
    user.click(panel.ui.forgetDefaultsButton)
    assert choices(panel) == MINE
    scene.Clear(0)
    assert choices(panel) == MODULE_DEFAULTS


def test_without_saving_a_new_scene_starts_with_the_defaults_of_the_module(panel, scene):
    choose(panel)
    scene.Clear(0)
    assert choices(panel) == MODULE_DEFAULTS


def test_the_first_scene_of_a_session_starts_with_the_saved_choices(panel, slicerApp, scene):
    choose(panel)
    user.click(panel.ui.saveDefaultsButton)
    slicerApp.clearScene()
    assert choices(slicerApp.reload("PseudoCTDenoise")) == MINE


@pytest.mark.parametrize("entered", [True, False])
def test_a_loaded_scene_keeps_its_own_choices(panel, phantom, slicerApp, tmp_path, entered):
    import slicer

    path = tmp_path / "scene.mrb"
    assert slicer.util.saveScene(str(path))
    choose(panel)
    user.click(panel.ui.saveDefaultsButton)
    if not entered:
        slicerApp.leave()
    slicer.util.loadScene(str(path))
    slicerApp.select("PseudoCTDenoise")
    assert choices(panel) == MODULE_DEFAULTS


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("preset", "best"),
        ("strength", "much"),
        ("strength", "nan"),
        ("strength", "170"),
        ("device", "abacus"),
        ("gpu", "two"),
        ("gpu", "-1"),
        ("makeNoiseMap", "perhaps"),
        ("makeNoiseMap", ["false", "false"]),
    ],
)
def test_an_unreadable_value_leaves_the_default_of_the_module(panel, scene, settings, name, text):
    settings.setValue(f"PseudoCTDenoise/{name}", text)
    settings.setValue("PseudoCTDenoise/makeModelMaps", "true")
    scene.Clear(0)
    preset, strength, device, _ticked, steps = MODULE_DEFAULTS
    assert choices(panel) == (preset, strength, device, [True, True, True, False], steps)
