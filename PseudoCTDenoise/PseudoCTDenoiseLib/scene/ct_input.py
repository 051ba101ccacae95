"""A volume node as CT slices in HU, or a refusal in words."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import slicer
import vtk

from ..ct.hu_validation import check_ct, checked_int16
from ..ct.noise_level import soft_tissue_noise
from ..ct.orientation import axial_axis, tilt_degrees
from ..errors import BadInputError
from .provenance import isDerived

QUIET_HU = 5.0
"""Soft tissue with less noise than this was denoised before, or needs no denoising."""

FOREIGN_CLASSES = {
    "vtkMRMLVectorVolumeNode": "a colour image",
    "vtkMRMLLabelMapVolumeNode": "a segmentation",
    "vtkMRMLMultiVolumeNode": "a sequence of images",
    "vtkMRMLTensorVolumeNode": "a field of tensors",
}


@dataclass(frozen=True)
class CtInput:
    """The slices of a volume node.

    ``hu`` is (slices, rows, columns) int16, a copy; ``axis`` the node's index axis (0 = i, 1 = j,
    2 = k) from one slice to the next; ``pixelSizeMm`` the distance of rows and of columns.
    """

    hu: np.ndarray
    axis: int
    pixelSizeMm: tuple[float, float]

    def toNodeOrder(self, slices: np.ndarray) -> np.ndarray:
        """An array of ``hu``'s shape in the order of the node's voxels (k, j, i)."""
        return np.ascontiguousarray(np.moveaxis(slices, 0, 2 - self.axis))


def ctFromNode(node) -> CtInput:
    """The CT in a scalar volume node.

    Raises
    ------
    BadInputError
        If there is no node or it holds no voxels, a colour image, a segmentation, a sequence or
        what is no CT in HU, or its axial slices cannot be told.
    """
    if node is None:
        raise BadInputError("There is no input volume: select a loaded CT.")
    name = node.GetName()
    for className, what in FOREIGN_CLASSES.items():
        if node.IsA(className):
            raise BadInputError(f"{name} is {what}: select a CT volume.")
    if not node.IsA("vtkMRMLScalarVolumeNode"):
        raise BadInputError(f"{name} is no volume: select a CT volume.")
    if sequenceOf(node) is not None:
        raise BadInputError(
            f"{name} shows one item of a sequence: clone the item to a volume of its own first."
        )
    image = node.GetImageData()
    if image is None or image.GetPointData().GetScalars() is None:
        raise BadInputError(f"{name} holds no voxels: load it again.")
    if image.GetNumberOfScalarComponents() != 1:
        raise BadInputError(f"{name} is a colour image: select a CT volume.")

    axis = sliceAxis(node)
    # Measured and refused as it is, so that a volume of another kind is never converted.
    slices = np.moveaxis(slicer.util.arrayFromVolume(node), 2 - axis, 0)
    check_ct(slices, name)
    hu = checked_int16(slices, name)
    columns, rows = (s for index, s in enumerate(node.GetSpacing()) if index != axis)
    return CtInput(np.array(hu, order="C"), axis, (rows, columns))


def sliceAxis(node) -> int:
    """The node's index axis from one axial slice to the next: 0 = i, 1 = j, 2 = k.

    Raises
    ------
    BadInputError
        If it cannot be told because the volume is oblique.
    """
    directions = vtk.vtkMatrix4x4()
    node.GetIJKToRASDirectionMatrix(directions)
    superior = [directions.GetElement(2, column) for column in range(3)]
    axis = axial_axis(node.GetImageData().GetDimensions(), superior)
    if axis is None:
        raise BadInputError(
            f"{node.GetName()} is oblique by {tilt_degrees(superior):.0f} degrees, so its axial "
            "slices cannot be told: resample it to axial slices first."
        )
    return axis


def sequenceOf(node):
    """The sequence browser whose proxy the node is, or None."""
    for browser in slicer.util.getNodesByClass("vtkMRMLSequenceBrowserNode"):
        if browser.IsProxyNode(node.GetID()) and browser.GetNumberOfItems() > 1:
            return browser
    return None


def doubtOf(node) -> str | None:
    """Why denoising this volume may be a mistake, in words; None if nothing speaks against it.

    Raises
    ------
    BadInputError
        If the node holds no CT (see :func:`ctFromNode`).
    """
    if isDerived(node):
        return f"{node.GetName()} was made by this module: it is denoised already."
    middle = ctFromNode(node).hu
    middle = middle[len(middle) // 4 :: max(1, len(middle) // 8)][:8]
    try:
        noise = soft_tissue_noise(middle)
    except BadInputError:  # too little soft tissue to tell
        return None
    if noise < QUIET_HU:
        return (
            f"{node.GetName()} has only {noise:.1f} HU of noise in soft tissue: "
            "it looks denoised already."
        )
    return None
