"""Geometry of a volume node."""

from __future__ import annotations

import numpy as np
import slicer
import vtk


def geometryOf(node) -> np.ndarray:
    """Return the 4×4 matrix from indices (i, j, k) to RAS in mm, without parent transforms."""
    matrix = vtk.vtkMatrix4x4()
    node.GetIJKToRASMatrix(matrix)
    return slicer.util.arrayFromVTKMatrix(matrix)
