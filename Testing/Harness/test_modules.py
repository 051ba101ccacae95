"""A scripted module's life: loaded, shown, reloaded, unloaded."""

import sys

import pytest


@pytest.fixture
def example(loadModule, examplePath):
    return loadModule(examplePath)


def calls(slicerApp=None):
    return sys.modules["HarnessExample"].calls


def test_loaded_module_is_described_and_its_panel_shown(example, slicer, slicerApp):
    module = slicer.modules.harnessexample
    assert (module.name, module.title) == ("HarnessExample", "Harness Example")
    assert module.categories == ("Testing",)
    assert module.path.endswith("HarnessExample.py")
    assert slicer.modules.HarnessExampleInstance.moduleName == "HarnessExample"
    assert sys.modules["HarnessExample"].startups == ["HarnessExample"]
    assert calls()[:2] == ["init", "setup"]
    assert calls()[-1] == "enter"
    assert example.parent.isEntered
    assert example.ui.applyButton.visible
    assert slicer.util.getModuleWidget("HarnessExample") is example
    assert slicerApp.widget("HarnessExample") is example


def test_panel_is_bound_to_the_parameter_node(example, slicer, user):
    ui, node = example.ui, example.node
    assert (ui.strengthSlider.value, ui.countSpinBox.value) == (50, 3)
    assert ui.modeComboBox.currentText == "Fine"
    volume = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "CT")
    user.choose(ui.volumeSelector, volume)
    user.choose(ui.modeComboBox, "Fast")
    user.click(ui.invertCheckBox)
    user.enterText(ui.strengthSlider, "75")
    user.enterText(ui.countSpinBox, "4")
    assert node.volume is volume
    assert node.mode.name == "FAST"
    assert (node.invert, node.strength, node.count) == (False, 75, 4)
    assert "modified" in calls()


def test_user_clicks_a_button(example, user):
    calls().clear()
    user.click(example.ui.applyButton)
    assert calls() == ["apply"]


def test_user_cannot_click_what_is_disabled_or_hidden(example, user):
    example.ui.applyButton.enabled = False
    with pytest.raises(AssertionError, match="applyButton is disabled"):
        user.click(example.ui.applyButton)
    example.ui.inputsButton.collapsed = True
    with pytest.raises(AssertionError, match="strengthSlider is not visible"):
        user.enterText(example.ui.strengthSlider, "75")


def test_left_and_entered_again(example, loadModule, examplePath, slicerApp):
    calls().clear()
    slicerApp.leave()
    assert calls() == ["exit"]
    assert not example.parent.isEntered
    assert not example.ui.applyButton.visible
    assert slicerApp.select("HarnessExample") is example
    assert calls() == ["exit", "enter"]
    assert example.ui.applyButton.visible


def test_reload_makes_everything_anew(example, slicer, slicerApp):
    former = calls()
    example.node.count = 7
    again = slicerApp.reload("HarnessExample")
    assert again is not example
    assert former[-1] == "cleanup"
    assert calls()[:2] == ["init", "setup"]
    assert again.node.count == 7
    assert again.ui.countSpinBox.value == 7
    assert slicer.modules.HarnessExampleWidget is again


def test_unloaded_module_is_cleaned_up_and_forgotten(slicerApp, slicer, examplePath):
    widget = slicerApp.load(examplePath)
    made = calls()
    slicerApp.unload("HarnessExample")
    assert made[-2:] == ["exit", "cleanup"]
    assert "HarnessExample" not in sys.modules
    assert not any(name.lower().startswith("harnessexample") for name in vars(slicer.modules))
    with pytest.raises(ValueError, match="destroyed"):
        _ = widget.parent.visible


@pytest.mark.parametrize("known", [True, False])
def test_unloading_leaves_the_path_as_it_was(slicerApp, examplePath, monkeypatch, known):
    folder = str(examplePath.parent)
    monkeypatch.setattr(sys, "path", [*([folder] if known else []), *sys.path])
    before = list(sys.path)
    slicerApp.load(examplePath)
    assert folder in sys.path
    slicerApp.unload("HarnessExample")
    assert sys.path == before


def test_self_test_of_the_module_runs(example, slicer):
    slicer.selfTests["HarnessExample"]()
    assert calls()[-1] == "test"


def test_module_is_not_shown_where_that_is_not_asked(slicerApp, slicer, examplePath):
    assert slicerApp.load(examplePath, show=False) is None
    assert calls() == []
    assert slicer.util.getModuleLogic("HarnessExample").moduleName == "HarnessExample"
    slicerApp.unload("HarnessExample")


def test_panel_is_in_the_picture(example, slicerApp, tmp_path):
    example.ui.applyButton.setStyleSheet("border: none; background: rgb(1, 2, 253)")
    image = slicerApp.grab(tmp_path / "panel.png")
    assert (tmp_path / "panel.png").stat().st_size > 0
    assert (image.width(), image.height()) == (1400, 900)
    pixels = {image.pixel(x, y) & 0xFFFFFF for x in range(0, 400, 4) for y in range(0, 900, 4)}
    assert 0x0102FD in pixels
    alone = slicerApp.grab(widget=example.ui.applyButton)
    assert alone.width() == example.ui.applyButton.width


def test_ui_file_with_an_unknown_widget_is_refused(slicer, tmp_path):
    file = tmp_path / "wrong.ui"
    file.write_text('<ui version="4.0"><widget class="ctkNoSuchWidget" name="top"/></ui>')
    with pytest.raises(LookupError, match="ctkNoSuchWidget"):
        slicer.util.loadUI(str(file))


def test_ui_file_whose_connection_leads_nowhere_is_refused(slicer, tmp_path):
    file = tmp_path / "wrong.ui"
    file.write_text(
        '<ui version="4.0"><widget class="QWidget" name="top"/><connections><connection>'
        "<sender>top</sender><signal>destroyed()</signal><receiver>gone</receiver>"
        "<slot>show()</slot></connection></connections></ui>"
    )
    with pytest.raises(LookupError, match="missing object: gone"):
        slicer.util.loadUI(str(file))
