"""The panel keeps no volume of a closed scene alive."""

import gc

import numpy as np
import pytest

pytest.importorskip("SlicerHarness.user", reason="PySide6 is not installed")


@pytest.mark.slow
@pytest.mark.new_process
def test_no_volume_outlives_its_scene(panel, slicerApp, scene, makeResult):
    import slicer

    alive = set()

    def observe(node):
        name = node.GetName()
        alive.add(name)
        node.AddObserver("DeleteEvent", lambda *_: alive.discard(name))

    for number in range(20):
        hu = np.full((2, 32, 32), -1000, np.int16)
        hu[:, 8:24, 8:24] = 40 + number
        volume = slicer.util.addVolumeFromArray(hu, name=f"scan {number}")
        volume.CreateDefaultDisplayNodes()
        output = makeResult(volume)
        panel.logic.showSideBySide(output)
        slicerApp.processEvents()
    for node in slicer.util.getNodesByClass("vtkMRMLScalarVolumeNode"):
        observe(node)
    assert len(alive) >= 60  # scans, results and removed noise
    del volume, output, node
    scene.Clear(0)
    slicerApp.processEvents()
    gc.collect()
    assert not alive
