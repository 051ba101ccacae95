"""The panel in the window of the harness, with a part of the sample phantom."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from example_report import REPORT
from replacement_worker import halvingWorker  # noqa: F401
from SlicerHarness.fixtures import loadModule, scene, slicerApp  # noqa: F401

MODULE = Path(__file__).parents[2] / "PseudoCTDenoise" / "PseudoCTDenoise.py"
PHANTOM = MODULE.parent / "Resources" / "SampleData" / "PseudoCTDenoise_phantom_ldct.nrrd"
PATIENCE = 240  # seconds; only a busy machine needs that long


@pytest.fixture
def jobFolders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Parent of the job folders, with a space and a non-ASCII letter in its name."""
    folder = tmp_path / "Ünter lagen"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


@pytest.fixture
def phantom(scene: Any) -> Any:
    """Four slices of the sample phantom, 192×192, oblique and at a window of its own."""
    import SimpleITK as sitk
    import slicer

    image = sitk.ReadImage(str(PHANTOM))[160:352, 160:352, 7:11]
    node = slicer.util.addVolumeFromArray(sitk.GetArrayFromImage(image), name="Phantom")
    tilt = np.deg2rad(3.0)
    node.SetSpacing(*image.GetSpacing())
    node.SetOrigin(-70.123456789, 65.4321, -1000 / 3)
    cos, sin = np.cos(tilt), np.sin(tilt)
    node.SetIJKToRASDirections(-1, 0, 0, 0, -cos, sin, 0, sin, cos)
    node.CreateDefaultDisplayNodes()
    node.GetDisplayNode().AutoWindowLevelOff()
    node.GetDisplayNode().SetWindowLevel(350, 45)
    return node


@pytest.fixture
def deviceCheck() -> None:
    """Requested by the tests that need the real device check."""


@pytest.fixture
def withoutDeviceCheck(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, slicerApp: Any
) -> None:
    """Skip the device check, a process of a few seconds that most tests do not need."""
    if "deviceCheck" not in request.fixturenames:
        from PseudoCTDenoiseLib.panel.device_panel import DevicePanel

        monkeypatch.setattr(DevicePanel, "check", lambda panel: None)


@pytest.fixture
def clickGuard() -> None:
    """Requested by the tests of the moment in which the Denoise button ignores clicks."""


@pytest.fixture
def withoutClickGuard(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, slicerApp: Any
) -> None:
    """Let tests click faster than a user who means two clicks."""
    if "clickGuard" not in request.fixturenames:
        from PseudoCTDenoiseLib.panel.run_panel import RunPanel

        monkeypatch.setattr(RunPanel, "acceptsClicks", True)


@pytest.fixture
def panel(
    loadModule: Callable, jobFolders: Path, withoutDeviceCheck: None, withoutClickGuard: None
) -> Any:
    """The widget object of the open panel."""
    return loadModule(MODULE)


@pytest.fixture
def makeResult(panel: Any) -> Callable[[Any], Any]:
    """A function that selects a volume and a finished result of it, without running a job."""
    from pseudoct_research.evaluation.filters import gaussian
    from PseudoCTDenoiseLib.scene.ct_input import ctFromNode
    from PseudoCTDenoiseLib.scene.results import Outputs, storeResult
    from SlicerHarness import user

    def make(volume: Any, output: Any = None) -> Any:
        ct = ctFromNode(volume)
        denoised = np.rint(gaussian(ct.hu, sigma_px=1.0)).astype(np.int16)
        noise = ct.hu - denoised
        job = SimpleNamespace(denoised=denoised, noise=noise, noise_maps={}, report=REPORT)
        output = storeResult(volume, output, ct, job, Outputs())
        user.choose(panel.ui.inputSelector, volume)
        user.choose(panel.ui.outputSelector, output)
        return output

    return make


@pytest.fixture
def result(makeResult: Callable[[Any], Any], phantom: Any) -> Any:
    """A finished result of the phantom."""
    return makeResult(phantom)


@pytest.fixture
def busy(panel: Any, phantom: Any, jobFolders: Path) -> Iterator[SimpleNamespace]:
    """A long job in its tuning stage; the test must end it, and nothing of it may be left."""
    from SlicerHarness import user

    user.choose(panel.ui.inputSelector, phantom)
    user.click(panel.ui.advancedCollapsibleButton)
    user.enterText(panel.ui.stepsSpinBox, "5000")
    before = nodeIDs()
    user.click(panel.ui.applyButton)
    run = panel.runControl.run
    user.waitUntil(lambda: panel.ui.statusLabel.text.startswith("Tuning"), PATIENCE, "tuning")
    job = SimpleNamespace(run=run, before=before, workerId=run._process._worker_id)
    yield job
    assert run.state.is_over
    assert list(jobFolders.iterdir()) == []
    user.waitUntil(lambda: not alive(job.workerId), PATIENCE, "the end of the worker")


def alive(processId: int) -> bool:
    try:
        os.kill(processId, 0)
    except ProcessLookupError:
        return False
    return Path(f"/proc/{processId}/stat").read_text("utf-8").rpartition(")")[2].split()[0] != "Z"


def nodeIDs() -> set[str]:
    import slicer

    scene = slicer.mrmlScene
    return {scene.GetNthNode(index).GetID() for index in range(scene.GetNumberOfNodes())}


def voxels(node: Any) -> np.ndarray:
    import slicer

    return slicer.util.arrayFromVolume(node)


def denoise(panel: Any, volume: Any, preset: str = "Quick: pre-trained network") -> Any:
    """Denoise a volume by the panel's controls and return the result."""
    from SlicerHarness import user

    user.choose(panel.ui.inputSelector, volume)
    user.choose(panel.ui.presetComboBox, preset)
    user.click(panel.ui.applyButton)
    user.waitUntil(lambda: not panel.runPanel.running, PATIENCE, "the result")
    assert panel.ui.statusLabel.text.startswith("Done in "), panel.ui.statusLabel.text
    return panel.ui.outputSelector.currentNode()


def contrast(view: Any) -> float:
    """Return the standard deviation of grey values in the middle of a view; 0 if it is empty."""
    image = view._q.image()
    width, height = image.width(), image.height()
    return float(
        np.std(
            [
                image.pixelColor(x, y).value()
                for x in range(width // 3, 2 * width // 3, 4)
                for y in range(height // 3, 2 * height // 3, 4)
            ]
        )
    )


def viewNodes():
    """Return the nodes of the comparison's views, which stay with the layout."""
    import slicer

    manager = slicer.app.layoutManager()
    found = set()
    for name in manager.sliceViewNames():
        if not name.startswith("PseudoCTDenoise"):
            continue
        logic = manager.sliceWidget(name).sliceLogic()
        found |= {
            logic.GetSliceNode(),
            logic.GetSliceCompositeNode(),
            logic.GetSliceDisplayNode(),
            logic.GetSliceModelNode(),
            logic.GetSliceModelTransformNode(),
            logic.GetSliceModelDisplayNode(),
        }
    return {node.GetID() for node in found}
