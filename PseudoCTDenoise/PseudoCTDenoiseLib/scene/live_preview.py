"""Preview: one slice of the unfinished result, in the scene while the job runs."""

from __future__ import annotations

import numpy as np
import slicer

from .geometry import geometryOf, nearestIndex
from .provenance import DERIVED


class LivePreview:
    """A volume of one slice, at the position of that slice in the input.

    It is not saved with the scene and not listed in selectors. :meth:`remove` removes it.

    Parameters
    ----------
    axis : the input's index axis from slice to slice.
    """

    def __init__(self, inputVolume, axis: int):
        self._inputVolume = inputVolume
        self._axis = axis
        self.node = None

    def show(self, sliceIndex: int, image: np.ndarray) -> bool:
        """Show a slice, (rows, columns) int16 HU; return True if the node is new."""
        new = self.node is None or self.node.GetScene() is None  # the user may remove it
        if new:
            self.node = slicer.vtkMRMLScalarVolumeNode()
            self.node.SetName(f"{self._inputVolume.GetName()} preview")
            self.node.SetHideFromEditors(True)
            self.node.SetSaveWithScene(False)
            self.node.SetAttribute(DERIVED, "1")
            slicer.mrmlScene.AddNode(self.node)
        slicer.util.updateVolumeFromArray(self.node, np.expand_dims(image, 2 - self._axis))
        matrix = geometryOf(self._inputVolume)
        matrix[:3, 3] += matrix[:3, self._axis] * sliceIndex
        self.node.SetIJKToRASMatrix(slicer.util.vtkMatrixFromArray(matrix))
        self.node.SetAndObserveTransformNodeID(self._inputVolume.GetTransformNodeID())
        if new:
            self.node.CreateDefaultDisplayNodes()
            self.node.GetDisplayNode().SetSaveWithScene(False)
        source = self._inputVolume.GetDisplayNode()
        if source is not None:
            window, level = source.GetWindow(), source.GetLevel()
            self.node.GetDisplayNode().AutoWindowLevelOff()
            self.node.GetDisplayNode().SetWindowLevel(window, level)
        return new

    def remove(self) -> None:
        """Remove the preview from the scene, if it is still there."""
        node, self.node = self.node, None
        if node is not None and slicer.mrmlScene.IsNodePresent(node):
            display = node.GetDisplayNode()
            slicer.mrmlScene.RemoveNode(node)
            if display is not None:
                slicer.mrmlScene.RemoveNode(display)


def sliceIndexAt(inputVolume, axis: int, ras) -> int:
    """Return the slice of a volume that is nearest to a point in world RAS (mm)."""
    return int(nearestIndex(inputVolume, ras)[axis])


def middleOf(volume) -> tuple[float, float, float]:
    """Return the centre of a volume in world RAS (mm)."""
    bounds = [0.0] * 6
    volume.GetRASBounds(bounds)
    return tuple((bounds[2 * i] + bounds[2 * i + 1]) / 2 for i in range(3))
