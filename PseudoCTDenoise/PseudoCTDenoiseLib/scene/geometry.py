"""Geometry of a volume node: its voxels in RAS, with and without parent transforms."""

from __future__ import annotations

import numpy as np
import slicer
import vtk


def geometryOf(node) -> np.ndarray:
    """Return the 4×4 matrix from indices (i, j, k) to RAS in mm, without parent transforms."""
    matrix = vtk.vtkMatrix4x4()
    node.GetIJKToRASMatrix(matrix)
    return slicer.util.arrayFromVTKMatrix(matrix)


def indexToWorld(node) -> vtk.vtkGeneralTransform:
    """Return the transform from indices (i, j, k) to world RAS in mm, with parent transforms."""
    toWorld = vtk.vtkGeneralTransform()
    slicer.vtkMRMLTransformNode.GetTransformBetweenNodes(
        node.GetParentTransformNode(), None, toWorld
    )
    transform = vtk.vtkGeneralTransform()
    transform.Concatenate(toWorld)
    transform.Concatenate(slicer.util.vtkMatrixFromArray(geometryOf(node)))
    return transform


def nearestIndex(node, ras) -> np.ndarray:
    """Return the indices (i, j, k) of the voxel that is nearest to a point in world RAS (mm)."""
    index = np.rint(indexToWorld(node).GetInverse().TransformPoint(ras)).astype(int)
    return np.clip(index, 0, np.array(node.GetImageData().GetDimensions()) - 1)


def rotateToVolume(sliceNode, volume) -> None:
    """Rotate a slice view to the nearest plane of a volume's own axes."""
    parent = volume.GetParentTransformNode()
    if parent is None or parent.IsTransformToWorldLinear():
        sliceNode.RotateToVolumePlane(volume)
        return
    # Slicer accepts no other transform. In the middle of the volume it is nearly linear. Rows and
    # columns keep their directions there; the third axis is perpendicular to them.
    transform = indexToWorld(volume)
    middle = (np.array(volume.GetImageData().GetDimensions()) - 1) / 2
    axes = [
        np.subtract(
            transform.TransformPoint(middle + step), transform.TransformPoint(middle - step)
        )
        for step in np.eye(3)
    ]
    matrix = np.eye(4)
    matrix[:3, :3] = np.linalg.qr(np.transpose(axes))[0]
    sliceNode.RotateToAxes(slicer.util.vtkMatrixFromArray(matrix))
