"""The panel as a user has it: in the window of the harness, on a piece of the sample phantom."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from SlicerHarness.fixtures import loadModule, scene, slicerApp  # noqa: F401

MODULE = Path(__file__).parents[2] / "PseudoCTDenoise" / "PseudoCTDenoise.py"
PHANTOM = MODULE.parent / "Resources" / "SampleData" / "PseudoCTDenoise_phantom_ldct.nrrd"
PATIENCE = 240  # seconds, on a busy machine; nothing waits that long where all is well


@pytest.fixture
def jobFolders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where jobs make their folders; its name is one that programs like to stumble over."""
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
def panel(loadModule: Callable, jobFolders: Path) -> Any:
    """The open panel's widget object."""
    return loadModule(MODULE)


@pytest.fixture
def result(panel: Any, phantom: Any) -> Any:
    """A finished result, as a job leaves it, without the wait for one."""
    from pseudoct_research.evaluation.filters import gaussian
    from PseudoCTDenoiseLib.scene.ct_input import ctFromNode
    from PseudoCTDenoiseLib.scene.results import Outputs, storeResult
    from SlicerHarness import user

    ct = ctFromNode(phantom)
    denoised = np.rint(gaussian(ct.hu, sigma_px=1.0)).astype(np.int16)
    noise = ct.hu - denoised
    report = {
        "settings": {"seed": 0, "steps": 2, "loss": "l1"},
        "model": {"name": "fast", "sha256": "0" * 64},
        "versions": {"pseudoctdenoise": "0"},
        "device": {"description": "CPU", "reason": "asked for"},
        "seconds": {"denoising": 1.0},
    }
    job = SimpleNamespace(
        denoised=denoised,
        noise=noise,
        pseudoLdct=ct.hu,
        noiseMaps={},
        report=report,
        losses=[2.0, 1.0],
    )
    output = storeResult(phantom, None, ct, job, Outputs())
    user.choose(panel.ui.inputSelector, phantom)
    user.choose(panel.ui.outputSelector, output)
    return output


@pytest.fixture
def busy(panel: Any, phantom: Any, jobFolders: Path) -> Iterator[SimpleNamespace]:
    """A job that tunes and would go on for hours; whatever comes of it, nothing may be left."""
    from SlicerHarness import user

    user.choose(panel.ui.inputSelector, phantom)
    user.click(panel.ui.advancedCollapsibleButton)
    user.enterText(panel.ui.stepsSpinBox, "5000")
    before = nodeIDs()
    user.click(panel.ui.applyButton)
    run = panel.runControl.run
    user.waitUntil(lambda: panel.ui.statusLabel.text.startswith("Tuning"), PATIENCE, "tuning")
    job = SimpleNamespace(run=run, before=before, workerId=run._process._workerId)
    yield job
    assert run.state.isOver
    assert list(jobFolders.iterdir()) == []
    user.waitUntil(lambda: not alive(job.workerId), 10, "the end of the worker")


def alive(processId: int) -> bool:
    try:
        os.kill(processId, 0)
    except ProcessLookupError:
        return False
    return Path(f"/proc/{processId}/stat").read_text().rpartition(")")[2].split()[0] != "Z"


def nodeIDs() -> set[str]:
    import slicer

    scene = slicer.mrmlScene
    return {scene.GetNthNode(index).GetID() for index in range(scene.GetNumberOfNodes())}


def voxels(node: Any) -> np.ndarray:
    import slicer

    return slicer.util.arrayFromVolume(node)


def denoise(panel: Any, volume: Any, preset: str = "Quick: pre-trained network") -> Any:
    """Select, choose, click, wait; the denoised volume."""
    from SlicerHarness import user

    user.choose(panel.ui.inputSelector, volume)
    user.choose(panel.ui.presetComboBox, preset)
    user.click(panel.ui.applyButton)
    user.waitUntil(lambda: not panel.runPanel.running, PATIENCE, "the result")
    assert panel.ui.statusLabel.text.startswith("Done in "), panel.ui.statusLabel.text
    return panel.ui.outputSelector.currentNode()


def contrast(view: Any) -> float:
    """Standard deviation of the grey values in the middle of a view; 0 while it is empty."""
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
    """The nodes of the comparison's views, which stay with the layout."""
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
