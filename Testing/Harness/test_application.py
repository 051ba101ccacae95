"""The application around a module: files, settings, sample data, extensions."""

import numpy as np
import pytest
from SlicerHarness.fixtures import standInOnly


@pytest.fixture
def volume(slicer):
    return slicer.util.addVolumeFromArray(np.arange(24, dtype=np.int16).reshape(2, 3, 4), name="CT")


def test_a_user_s_slicer(slicer):
    assert slicer.app.applicationName == "Slicer"
    assert (slicer.app.majorVersion, slicer.app.minorVersion) == (5, 12)
    assert slicer.app.testingEnabled() is False
    assert slicer.app.mrmlScene() is slicer.mrmlScene
    assert slicer.util.mainWindow().visible


def test_settings_are_kept_apart_from_the_user_s(qt, slicer):
    qt.QSettings().setValue("Harness/value", 3)
    assert int(qt.QSettings().value("Harness/value", 0)) == 3
    assert slicer.util.settingsValue("Harness/value", 0, converter=int) == 3
    assert qt.QSettings().fileName().startswith(slicer.app.temporaryPath)


def test_volume_is_saved_and_loaded(slicer, volume, tmp_path):
    path = str(tmp_path / "ct.nrrd")
    assert slicer.util.saveNode(volume, path)
    loaded = slicer.util.loadVolume(path)
    assert loaded.GetName() == "ct"
    assert (slicer.util.arrayFromVolume(loaded) == slicer.util.arrayFromVolume(volume)).all()
    shown = slicer.app.layoutManager().sliceWidget("Red").mrmlSliceCompositeNode()
    assert shown.GetBackgroundVolumeID() == loaded.GetID()
    with pytest.raises(RuntimeError, match="Failed to load"):
        slicer.util.loadVolume(str(tmp_path / "missing.nrrd"))


def test_loaded_volume_is_shown_in_the_views_that_follow_the_selection(slicer, volume, tmp_path):
    path = str(tmp_path / "ct.nrrd")
    slicer.util.saveNode(volume, path)
    composite = slicer.app.layoutManager().sliceWidget("Red").mrmlSliceCompositeNode()
    composite.SetBackgroundVolumeID(volume.GetID())
    composite.SetDoPropagateVolumeSelection(False)
    slicer.util.loadVolume(path)
    assert composite.GetBackgroundVolumeID() == volume.GetID()
    composite.SetDoPropagateVolumeSelection(True)
    loaded = slicer.util.loadVolume(path)
    assert composite.GetBackgroundVolumeID() == loaded.GetID()


@pytest.mark.parametrize("name", ["scene.mrb", "folder"])
def test_scene_is_saved_and_loaded(slicer, volume, tmp_path, name):
    volume.SetAttribute("Origin", "harness")
    path = tmp_path / name
    assert slicer.util.saveScene(str(path))
    slicer.mrmlScene.Clear(0)
    slicer.util.loadScene(str(path if name.endswith(".mrb") else path / "folder.mrml"))
    loaded = slicer.util.getNode("CT")
    assert loaded.GetAttribute("Origin") == "harness"
    assert slicer.util.arrayFromVolume(loaded).sum() == 276


def test_sample_data_is_loaded_from_a_file(slicer, volume, tmp_path):
    import SampleData

    path = tmp_path / "sample.nrrd"
    slicer.util.saveNode(volume, str(path))
    for _ in range(2):
        SampleData.SampleDataLogic.registerCustomSampleDataSource(
            "Harness", "HarnessSample", path.as_uri(), fileNames="s.nrrd", nodeNames="Sample"
        )
    (source,) = slicer.modules.sampleDataSources["Harness"]
    assert (source.uris, source.checksums) == ([path.as_uri()], [None])
    assert SampleData.downloadSample("HarnessSample").GetName() == "Sample"


def test_sample_data_whose_lists_differ_in_length_is_refused(slicer):
    import SampleData

    with pytest.raises(ValueError, match="same length"):
        SampleData.SampleDataLogic.registerCustomSampleDataSource(
            sampleName="Wrong", uris=["a", "b"], fileNames="a", nodeNames=["a", "b"]
        )


@standInOnly
def test_sample_data_is_never_downloaded(slicer):
    import SampleData

    SampleData.SampleDataLogic.registerCustomSampleDataSource(
        sampleName="Remote", uris="https://example.org/s.nrrd", fileNames="s", nodeNames="s"
    )
    with pytest.raises(OSError, match="no network"):
        SampleData.downloadSample("Remote")


def test_the_type_of_a_file_follows_its_suffix(slicer):
    types = slicer.app.coreIOManager().fileType
    assert types("/a/ct.nii.GZ") == types("ct.nrrd") == "VolumeFile"
    assert types("a.mrb") == "SceneFile"
    assert types("a.txt") == "NoFile"


def test_command_options_are_those_of_a_user(slicer, slicerApp):
    options = slicer.app.commandOptions()
    assert (options.testingEnabled, options.noMainWindow) == (False, False)
    slicerApp.setTestingEnabled(True)
    assert options.testingEnabled is True
    with pytest.raises(AttributeError):
        _ = options.parsed


def test_modules_have_a_page_in_the_documentation(slicer):
    page = slicer.app.moduleDocumentationUrl("SampleData")
    assert page == "https://slicer.readthedocs.io/en/5.12/user_guide/modules/sampledata.html"


def test_the_window_has_a_file_menu_for_modules(slicer):
    menu = slicer.util.lookupTopLevelWidget("FileMenu")
    assert "FileSaveSceneAction" in [action.objectName for action in menu.actions()]


def test_the_scene_s_cache_is_the_application_s(slicer):
    cache = slicer.mrmlScene.GetCacheManager().GetRemoteCacheDirectory()
    assert slicer.app.cachePath == cache


def test_torch_is_installed_only_in_words(slicer, slicerApp):
    import PyTorchUtils

    PyTorchUtils.state.installed = False
    logic = PyTorchUtils.PyTorchUtilsLogic()
    slicerApp.dialogs.answerWith("Cancel", "Ok")
    assert logic.installTorch(askConfirmation=True) is None
    assert logic.torchInstalled() is False
    assert logic.installTorch(askConfirmation=True) is not None
    assert logic.torchInstalled() is True
    assert len(PyTorchUtils.state.requests) == 2
    PyTorchUtils.state.reset()


def test_importing_the_harness_needs_nothing(repository):
    import subprocess
    import sys

    code = (
        "import SlicerHarness, SlicerHarness.fixtures, sys;"
        "assert not {'PySide6', 'vtk', 'slicer'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=repository / "Testing")
