"""Indices of voxels and positions in the world belong together under every transform."""

import numpy as np
import pytest

slicer = pytest.importorskip("slicer", reason="slicer-core is not installed")
from PseudoCTDenoiseLib.scene.geometry import (  # noqa: E402
    geometryOf,
    indexToWorld,
    nearestIndex,
)

INDEX = (7, 3, 2)


@pytest.fixture
def volume(scene):
    node = slicer.util.addVolumeFromArray(np.zeros((4, 10, 12), np.int16), name="scan")
    node.SetSpacing(0.7, 0.8, 5.0)
    node.SetOrigin(-20.0, 30.0, 100.0)
    node.SetIJKToRASDirections(-1, 0, 0, 0, -1, 0, 0, 0, 1)
    return node


def underTransforms(volume, scene, matrices):
    """Put the volume under nested transforms, the innermost first."""
    inner = volume
    for matrix in matrices:
        transform = scene.AddNewNodeByClass("vtkMRMLLinearTransformNode")
        transform.SetMatrixTransformToParent(slicer.util.vtkMatrixFromArray(matrix))
        inner.SetAndObserveTransformNodeID(transform.GetID())
        inner = transform


def test_parent_transforms_are_applied_from_the_inside_out(volume, scene):
    turn = np.array([[0, -1, 0, 5], [1, 0, 0, 0], [0, 0, 1, -8], [0, 0, 0, 1]], float)
    scale = np.diag([2.0, 1.0, 1.0, 1.0])
    underTransforms(volume, scene, [turn, scale])
    expected = (scale @ turn @ geometryOf(volume) @ [*INDEX, 1])[:3]
    assert indexToWorld(volume).TransformPoint(INDEX) == pytest.approx(expected)
    assert nearestIndex(volume, expected + 0.2).tolist() == list(INDEX)


def test_the_nearest_voxel_of_a_point_outside_lies_on_the_border(volume):
    assert nearestIndex(volume, (-1e5, 1e5, 1e5)).tolist() == [11, 0, 3]
