"""A volume and a layout to show it in."""

import numpy as np
import pytest

TWO_SLICES = 4711
LAYOUT = """
<layout type="horizontal">
 <item><view class="vtkMRMLSliceNode" singletontag="Left"><property name="orientation"
  action="default">Axial</property><property name="viewlabel" action="default">L</property></view>
 </item>
 <item><view class="vtkMRMLSliceNode" singletontag="Right"><property name="orientation"
  action="default">Axial</property><property name="viewlabel" action="default">R</property></view>
 </item>
</layout>
"""


@pytest.fixture
def manager(slicer):
    return slicer.app.layoutManager()


@pytest.fixture
def volume(slicer):
    """10 slices of 20 × 20 mm; slice k has 100 k HU where R < 10 mm, and 0 HU."""
    array = np.zeros((10, 20, 20), np.int16)
    array[:, :, :10] = 100 * np.arange(10)[:, None, None]
    volume = slicer.util.addVolumeFromArray(array, name="CT")
    volume.GetDisplayNode().AutoWindowLevelOff()
    volume.GetDisplayNode().SetWindowLevel(1000, 500)
    return volume


@pytest.fixture
def red(slicer, manager, volume, slicerApp):
    """The red slice widget with the volume, at 600 HU."""
    slicer.util.setSliceViewerLayers(background=volume, fit=True)
    widget = manager.sliceWidget("Red")
    widget.sliceLogic().SetSliceOffset(6)
    slicerApp.processEvents()
    return widget


@pytest.fixture
def twoSlices(slicer, manager, volume, slicerApp):
    """The widgets of a custom layout, both with the volume, linked."""
    manager.layoutLogic().GetLayoutNode().AddLayoutDescription(TWO_SLICES, LAYOUT)
    manager.setLayout(TWO_SLICES)
    widgets = [manager.sliceWidget(name) for name in ("Left", "Right")]
    for widget in widgets:
        composite = widget.mrmlSliceCompositeNode()
        composite.SetBackgroundVolumeID(volume.GetID())
        composite.SetLinkedControl(True)
        composite.SetHotLinkedControl(True)
    slicerApp.processEvents()
    manager.resetSliceViews()
    return widgets
