"""The panel opens whether or not everything is installed, and explains what is missing."""

import importlib.util
import os
import re
import subprocess
import sys
from types import SimpleNamespace
from xml.etree import ElementTree

import numpy as np
import pytest
from PseudoCTDenoiseLib.worker.signals import Signal
from PseudoCTDenoiseLib.worker.worker_process import JobFailure, JobState, Silence

from .conftest import MODULE, PATIENCE, PHANTOM

user = pytest.importorskip("SlicerHarness.user", reason="PySide6 is not installed")


def test_without_a_volume_the_status_gives_advice(panel):
    assert not panel.ui.applyButton.enabled
    assert panel.ui.statusLabel.text == "Select a CT volume first."
    assert panel.ui.applyButton.toolTip == "Select a CT volume first."
    assert not panel.ui.environmentFrame.visible


LEFT = """
import os, sys, tempfile
import numpy as np
from PseudoCTDenoiseLib.worker.job_folder import JobFolder
tempfile.tempdir = sys.argv[1]
folder = JobFolder.named()
folder.create()
folder.write_array("input.npy", np.zeros((1, 16, 16), np.int16))
os.kill(os.getpid(), 9)
"""


def test_at_the_start_of_slicer_the_scans_of_killed_jobs_are_removed(jobFolders, loadModule):
    environment = {**os.environ, "PYTHONPATH": str(MODULE.parent)}
    subprocess.run([sys.executable, "-c", LEFT, str(jobFolders)], env=environment)
    assert list(jobFolders.glob("*/input.npy"))
    loadModule(MODULE)
    assert not list(jobFolders.iterdir())


def test_a_device_check_that_does_not_answer_is_reported_and_then_ended(slicerApp):
    from PseudoCTDenoiseLib.panel.device_panel import DevicePanel

    class Check:
        def __init__(self):
            self.silent, self.ended, self.failure = Signal(), Signal(), None

        def start(self):
            """There is no process."""

        def abort(self):
            self.ended.emit(JobState.CANCELLED)

    check, label = Check(), SimpleNamespace(text="")
    button = SimpleNamespace(enabled=True, connect=lambda signal, slot: None)
    ui = SimpleNamespace(
        deviceLabel=label, timeLabel=SimpleNamespace(text=""), checkDeviceButton=button
    )
    DevicePanel(ui, lambda key: check).check()
    check.silent.emit(Silence(without_progress=40, without_message=5))
    assert label.text == "checking…"
    check.silent.emit(Silence(without_progress=40, without_message=40))
    assert label.text == "checking… (no answer for 40 s)"
    check.silent.emit(Silence(without_progress=300, without_message=300))
    assert label.text == "No answer for 5 min. Check again."
    assert button.enabled


@pytest.mark.parametrize(
    ("kind", "advice"),
    [
        ("died", "Click Check again. Close other programs or choose the CPU as Device."),
        ("bad-input", "Choose auto or cpu."),
    ],
)
def test_a_failed_check_gives_advice_on_the_check(slicerApp, kind, advice):
    from PseudoCTDenoiseLib.panel.device_panel import _reasonOf

    failure = JobFailure(kind, "It stopped.", "Choose auto or cpu.")
    assert _reasonOf(failure) == f"It stopped. {advice}"


def test_a_loaded_volume_is_selected_and_can_be_denoised(phantom, panel):
    assert panel.ui.inputSelector.currentNode() is phantom
    assert panel.ui.applyButton.enabled and panel.ui.statusLabel.text == "Ready"


@pytest.mark.slow
def test_device_reason_and_time_are_shown_before_the_click(deviceCheck, phantom, panel):
    user.waitUntil(lambda: panel.ui.timeLabel.text.startswith("about"), PATIENCE, "the estimate")
    assert re.fullmatch(r"about \d+ (s|min) for 4 slices", panel.ui.timeLabel.text)
    assert "torch" in panel.ui.deviceLabel.text and "(" in panel.ui.deviceLabel.text
    user.click(panel.ui.checkDeviceButton)
    assert panel.ui.deviceLabel.text == "checking…"
    user.waitUntil(lambda: "torch" in panel.ui.deviceLabel.text, PATIENCE, "the check")


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda hu: (hu > 0).astype(np.int16), "looks like a segmentation"),
        (lambda hu: np.where(hu > 0, np.nan, hu.astype(np.float32)), "NaN"),
        (lambda hu: hu[:, :4, :4].copy(), "too small"),
    ],
)
def test_a_volume_that_is_not_a_ct_is_refused_before_the_click(panel, phantom, make, words):
    import slicer

    node = slicer.util.addVolumeFromArray(make(slicer.util.arrayFromVolume(phantom)), name="Other")
    user.choose(panel.ui.inputSelector, node)
    assert words in panel.ui.statusLabel.text
    assert not panel.ui.applyButton.enabled
    user.choose(panel.ui.inputSelector, phantom)
    assert panel.ui.applyButton.enabled


def test_a_volume_that_is_perhaps_not_a_ct_gives_a_warning(panel, phantom):
    import slicer

    shape = slicer.util.arrayFromVolume(phantom).shape
    values = np.random.default_rng(1).integers(0, 900, shape, np.int16)
    node = slicer.util.addVolumeFromArray(values, name="Other")
    user.choose(panel.ui.inputSelector, node)
    assert "probably not a CT" in panel.ui.statusLabel.text
    assert panel.ui.applyButton.enabled


def test_a_volume_without_voxels_is_refused(panel, scene):
    empty = scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "Empty")
    user.choose(panel.ui.inputSelector, empty)
    assert "contains no voxels" in panel.ui.statusLabel.text


def test_label_maps_and_colour_images_are_not_offered(panel, scene):
    for kind in ("vtkMRMLLabelMapVolumeNode", "vtkMRMLVectorVolumeNode"):
        scene.AddNewNodeByClass(kind, kind)
    assert panel.ui.inputSelector.nodeCount() == 0


def test_every_control_has_a_tooltip_and_every_number_a_unit(panel):
    from PySide6 import QtWidgets

    controls = (
        QtWidgets.QAbstractButton,
        QtWidgets.QComboBox,
        QtWidgets.QAbstractSpinBox,
        QtWidgets.QLabel,
        QtWidgets.QProgressBar,
        QtWidgets.QPlainTextEdit,
    )
    named = [
        w for w in vars(panel.ui).values() if isinstance(w._q, controls) or "MRML" in w.className()
    ]
    silent = [w.objectName for w in named if not w.toolTip and "MRMLWidget" not in w.className()]
    texts = {"environmentLabel", "noticeLabel", "slicesToLabel"}
    assert {panel.ui.applyButton, panel.ui.inputSelector, panel.ui.seedSpinBox} <= set(named)
    assert set(silent) <= texts
    units = re.compile(r"HU|percent|steps|seconds|counted from [01]|whole number", re.I)
    spins = [w for w in named if isinstance(w._q, QtWidgets.QAbstractSpinBox)]
    assert spins and all(units.search(w.toolTip) for w in spins)
    assert units.search(panel.ui.strengthSlider.toolTip)


def test_the_tab_key_follows_the_rows_on_screen():
    """Qt moves the focus in the order of the file."""
    form = ElementTree.parse(MODULE.parent / "Resources" / "UI" / "PseudoCTDenoise.ui")
    for layout in form.iter("layout"):
        places = [item for item in layout.findall("item") if item.get("row")]
        rows = [(int(item.get("row")), int(item.get("column"))) for item in places]
        assert rows == sorted(rows), layout.get("name")


def test_buttons_of_equal_text_have_names_of_their_own_for_screen_readers(panel):
    from PySide6 import QtWidgets

    buttons = [w for w in vars(panel.ui).values() if isinstance(w._q, QtWidgets.QAbstractButton)]
    names = [w._q.accessibleName() or w._q.text() for w in buttons]
    assert len(names) > 10 and len(set(names)) == len(names)


@pytest.fixture
def without_torch(monkeypatch):
    """Torch cannot be found, until the function that this gives is called."""
    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, *a: None if name == "torch" else find(name, *a)
    )
    return lambda: monkeypatch.setattr(importlib.util, "find_spec", find)


def test_without_torch_it_opens_explains_and_installs_after_asking(
    without_torch, phantom, loadModule, slicerApp, monkeypatch
):
    import PyTorchUtils

    asked = []
    monkeypatch.setattr(
        PyTorchUtils.PyTorchUtilsLogic,
        "installTorch",
        lambda self, **options: asked.append(options),
    )
    panel = loadModule(MODULE)
    assert panel.ui.environmentFrame.visible
    assert "PyTorch is not installed" in panel.ui.environmentLabel.text
    assert not panel.ui.applyButton.enabled
    assert "PyTorch is not installed" in panel.ui.statusLabel.text
    user.click(panel.ui.installButton)
    assert asked == [{"askConfirmation": True, "torchVersionRequirement": ">=2.6"}]
    assert not panel.ui.applyButton.enabled
    without_torch()  # it is there from here on
    user.click(panel.ui.installButton)
    assert not panel.ui.environmentFrame.visible and panel.ui.applyButton.enabled


def test_without_the_pytorch_extension_it_says_where_to_get_it(
    without_torch, loadModule, slicerApp, monkeypatch
):
    panel = loadModule(MODULE)
    monkeypatch.setitem(sys.modules, "PyTorchUtils", None)
    user.click(panel.ui.installButton)
    assert "Extensions Manager" in slicerApp.dialogs.texts()[0]
    assert "Extensions Manager" in str(slicerApp.takeFaults()[0])  # for the Python console
    assert panel.ui.installButton.enabled


@pytest.fixture
def upgrade(panel, monkeypatch, slicerApp):
    """Torch 2.2 is loaded in Slicer, and a click on the button installs 2.6."""
    import importlib.machinery
    import importlib.metadata
    from types import ModuleType, SimpleNamespace

    import PyTorchUtils
    import slicer

    state = SimpleNamespace(onDisk="2.2.0", restarts=0, fail=None)

    def installTorch(self, **options):
        if state.fail is not None:
            raise state.fail
        state.onDisk = "2.6.0"

    def restart():
        state.restarts += 1

    monkeypatch.setattr(importlib.metadata, "version", lambda name: state.onDisk)
    torch = ModuleType("torch")
    torch.__spec__ = importlib.machinery.ModuleSpec("torch", None)
    monkeypatch.setitem(sys.modules, "torch", torch)
    monkeypatch.setattr(PyTorchUtils.PyTorchUtilsLogic, "installTorch", installTorch)
    monkeypatch.setattr(slicer.util, "restart", restart)
    panel.enter()
    return state


@pytest.mark.parametrize(("answer", "restarts"), [("Yes", 1), ("No", 0)])
def test_an_upgrade_of_a_loaded_torch_offers_a_restart(
    panel, phantom, upgrade, slicerApp, answer, restarts
):
    slicerApp.dialogs.answerWith(answer)
    user.click(panel.ui.installButton)
    assert "not saved are lost" in slicerApp.dialogs.texts()[0]
    assert upgrade.restarts == restarts
    assert not panel.ui.environmentFrame.visible


def test_an_upgrade_of_a_torch_that_is_not_loaded_needs_no_restart(
    panel, upgrade, slicerApp, monkeypatch
):
    monkeypatch.delitem(sys.modules, "torch")
    user.click(panel.ui.installButton)
    assert upgrade.onDisk == "2.6.0" and not slicerApp.dialogs.shown


def test_a_declined_upgrade_needs_no_restart(panel, upgrade, slicerApp, monkeypatch):
    import PyTorchUtils

    monkeypatch.setattr(
        PyTorchUtils.PyTorchUtilsLogic, "installTorch", lambda self, **options: None
    )
    user.click(panel.ui.installButton)
    assert panel.ui.environmentFrame.visible and not slicerApp.dialogs.shown


def test_a_failed_upgrade_of_a_loaded_torch_advises_a_restart(panel, upgrade, slicerApp):
    upgrade.fail = OSError("Access is denied: torch_cpu.dll")
    user.click(panel.ui.installButton)
    assert "torch_cpu.dll" in slicerApp.dialogs.texts()[0]
    assert "Restart Slicer and install PyTorch" in slicerApp.dialogs.texts()[0]
    assert slicerApp.takeFaults()  # for the Python console
    upgrade.fail = None
    slicerApp.dialogs.answerWith("No")
    user.click(panel.ui.installButton)
    assert upgrade.onDisk == "2.6.0"


def test_a_second_installation_is_refused_while_one_runs(without_torch, panel, monkeypatch):
    import PyTorchUtils

    calls = []

    def installTorch(self, **options):
        calls.append(options)
        with pytest.raises(RuntimeError, match="being installed already"):
            type(panel.logic)().setupEnvironment()  # Slicer reacts while pip runs

    monkeypatch.setattr(PyTorchUtils.PyTorchUtilsLogic, "installTorch", installTorch)
    for count in (1, 2):
        panel.logic.setupEnvironment()
        assert len(calls) == count


def test_an_older_slicer_is_reported(panel, monkeypatch):
    # The module that the panel uses, which is another object after a reload of the library.
    environment = type(panel.logic).environmentProblem.__globals__["environment"]
    monkeypatch.setattr(environment, "OLDEST_SLICER", (99, 0))
    panel.enter()
    assert panel.ui.environmentLabel.text.startswith("This module needs Slicer 99.0 or newer")
    assert panel.ui.environmentFrame.visible and not panel.ui.installButton.visible


def test_an_old_torch_is_reported_with_both_versions(panel, monkeypatch):
    import importlib.metadata

    monkeypatch.setattr(importlib.metadata, "version", lambda name: "2.2.1+cpu")
    problem = panel.logic.environmentProblem()
    assert "2.2.1+cpu" in problem.text and "2.6 or newer" in problem.text
    assert problem.installable


def test_a_half_installed_torch_can_be_installed_again(panel, monkeypatch):
    """A full disk leaves the package without its version, which is unpacked last."""
    import importlib.metadata

    def version(name):
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "version", version)
    panel.enter()
    assert "not installed completely" in panel.ui.environmentLabel.text
    assert panel.ui.installButton.visible and not panel.ui.applyButton.enabled


@pytest.mark.parametrize("version", [None, "2.2.2"])
def test_no_installation_is_offered_where_pytorch_is_too_old_for_the_machine(
    panel, monkeypatch, without_torch, version
):
    import importlib.metadata
    import platform

    if version:
        without_torch()
        monkeypatch.setattr(importlib.metadata, "version", lambda name: version)
    monkeypatch.setattr(platform, "system", lambda: "Darwin")
    monkeypatch.setattr(platform, "machine", lambda: "x86_64")
    panel.enter()
    assert panel.ui.environmentFrame.visible and not panel.ui.installButton.visible
    assert "for Intel builds of Slicer on macOS" in panel.ui.statusLabel.text
    monkeypatch.setattr(platform, "machine", lambda: "arm64")
    panel.enter()
    assert panel.ui.installButton.visible


def test_a_preview_version_of_a_newer_torch_is_accepted(panel, monkeypatch):
    import importlib.metadata

    monkeypatch.setattr(importlib.metadata, "version", lambda name: "2.9.0.dev20250901+cpu")
    assert panel.logic.environmentProblem() is None


@pytest.mark.slow
def test_without_a_main_window_it_loads_and_denoises(scene, phantom, loadModule, monkeypatch):
    """Scripts and the module tests of Slicer's build run without a main window."""
    import slicer

    monkeypatch.setattr(slicer.app._q, "layoutManager", lambda: None)
    assert slicer.app.layoutManager() is None
    panel = loadModule(MODULE)
    output = panel.logic.process(phantom, preset="quick")
    panel.logic.showSideBySide(output)
    assert output.GetName() == "Phantom denoised"


def test_the_first_ct_is_taken_not_a_segmentation_that_came_before(scene, loadModule):
    import slicer

    scene.AddNewNodeByClass("vtkMRMLLabelMapVolumeNode", "organs")
    scan = slicer.util.addVolumeFromArray(np.zeros((2, 8, 8), np.int16), name="scan")
    assert loadModule(MODULE).ui.inputSelector.currentNode() is scan


@pytest.mark.slow
def test_returning_to_the_panel_does_not_repeat_the_check(deviceCheck, phantom, panel, slicerApp):
    user.waitUntil(lambda: "torch" in panel.ui.deviceLabel.text, PATIENCE, "the check")
    slicerApp.leave()
    slicerApp.select("PseudoCTDenoise")
    assert "torch" in panel.ui.deviceLabel.text and panel.devicePanel._running is None
    user.click(panel.ui.advancedCollapsibleButton)
    user.choose(panel.ui.deviceComboBox, "CPU")
    assert panel.ui.deviceLabel.text == "checking…"
    user.waitUntil(
        lambda: "(selected by the user)" in panel.ui.deviceLabel.text, PATIENCE, "the check"
    )


def test_one_of_several_gpus_is_chosen_by_its_index(phantom, panel, monkeypatch):
    checks = []
    monkeypatch.setattr(
        panel.devicePanel, "check", lambda: checks.append(panel.devicePanel._wanted)
    )
    user.click(panel.ui.advancedCollapsibleButton)
    assert not panel.ui.gpuSpinBox.enabled
    user.choose(panel.ui.deviceComboBox, "NVIDIA GPU (CUDA)")
    assert checks[-1].device == "cuda"
    user.enterText(panel.ui.gpuSpinBox, "1")
    assert checks[-1].device == "cuda:1"
    user.choose(panel.ui.deviceComboBox, "CPU")
    assert checks[-1].device == "cpu" and not panel.ui.gpuSpinBox.enabled


@pytest.mark.slow
def test_a_gpu_that_does_not_exist_is_reported_before_the_click(deviceCheck, phantom, panel):
    user.click(panel.ui.advancedCollapsibleButton)
    user.choose(panel.ui.deviceComboBox, "NVIDIA GPU (CUDA)")
    user.enterText(panel.ui.gpuSpinBox, "99")
    label = panel.ui.deviceLabel
    user.waitUntil(lambda: "'cuda:99' does not work" in label.text, PATIENCE, "the check")
    assert "Choose auto or cpu" in label.text


@pytest.mark.slow
def test_the_estimate_follows_the_options(deviceCheck, phantom, panel):
    user.waitUntil(lambda: panel.ui.timeLabel.text.startswith("about"), PATIENCE, "the estimate")
    before = panel.ui.timeLabel.text
    user.click(panel.ui.advancedCollapsibleButton)
    user.enterText(panel.ui.stepsSpinBox, "5000")
    assert panel.ui.timeLabel.text != before and "min" in panel.ui.timeLabel.text
    user.enterText(panel.ui.lastSliceSpinBox, "2")
    assert panel.ui.timeLabel.text.endswith("for 2 slices")


def test_the_sample_data_are_those_that_came_with_the_module(panel):
    import hashlib

    import slicer

    (source,) = slicer.modules.sampleDataSources["PseudoCTDenoise"]
    assert source.checksums == [f"SHA256:{hashlib.sha256(PHANTOM.read_bytes()).hexdigest()}"]
    assert source.uris == [PHANTOM.as_uri()]


@pytest.mark.parametrize(("first", "last"), [("3", "2"), ("5", "0"), ("1", "9")])
def test_a_range_without_slices_is_reported_before_the_click(phantom, panel, first, last):
    user.click(panel.ui.advancedCollapsibleButton)
    user.enterText(panel.ui.firstSliceSpinBox, first)
    user.enterText(panel.ui.lastSliceSpinBox, last)
    assert "not in this volume, which has 4" in panel.ui.statusLabel.text
    assert not panel.ui.applyButton.enabled and panel.ui.timeLabel.text == "–"


def test_a_scan_that_is_turned_oblique_is_refused(phantom, panel):
    half = 0.5**0.5
    phantom.SetIJKToRASDirections(1, 0, 0, 0, half, -half, 0, half, half)
    user.click(panel.ui.noiseMapCheckBox)
    assert "is oblique by 45 degrees" in panel.ui.statusLabel.text
    assert not panel.ui.applyButton.enabled


def test_a_broken_model_is_shown_with_its_reason_and_cannot_be_chosen(panel, tmp_path):
    import qt
    from PseudoCTDenoiseLib.models.catalog import SHIPPED_MODELS
    from PseudoCTDenoiseLib.panel.model_list import addModels

    for path in SHIPPED_MODELS.glob("*.json"):
        (tmp_path / path.name).write_bytes(path.read_bytes())
    (tmp_path / "PseudoCTDenoise_own.json").write_text("[]")
    comboBox = panel.ui.modelComboBox
    before = comboBox.count
    addModels(comboBox, tmp_path)
    added = [comboBox.itemText(index) for index in range(before, comboBox.count)]
    assert added == ["fast", "paper", "own (broken)"]
    last = comboBox.count - 1
    assert "PseudoCTDenoise_own.json is not a manifest" in comboBox.itemData(
        last, qt.Qt.ToolTipRole
    )
    flags = comboBox.model().flags(comboBox.model().index(last, 0))
    assert not flags & qt.Qt.ItemIsEnabled
    assert comboBox.model().flags(comboBox.model().index(0, 0)) & qt.Qt.ItemIsEnabled
