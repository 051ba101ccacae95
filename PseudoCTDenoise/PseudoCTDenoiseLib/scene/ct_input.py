"""Reads the CT slices of a volume node in HU, or explains why it is not a usable CT."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import slicer
import vtk

from ..ct.hu_validation import check_ct, checked_int16, ct_warning
from ..ct.noise_level import soft_tissue_noise
from ..ct.orientation import axial_axis, tilt_degrees
from ..ct.pixel_spacing import pixel_shape_warning, spacing_in_decimals
from ..ct.strength import voxel_type
from ..denoising.scan_domain import quiet_warning
from ..errors import BadInputError
from ..simulation.pixel_size import pixel_size_warning
from .provenance import isDerived

FOREIGN_CLASSES = {
    "vtkMRMLVectorVolumeNode": "a colour image",
    "vtkMRMLLabelMapVolumeNode": "a segmentation",
    "vtkMRMLMultiVolumeNode": "a multi-volume",
    "vtkMRMLTensorVolumeNode": "a field of tensors",
}


@dataclass(frozen=True)
class CtInput:
    """The slices of a volume node.

    ``hu`` is a copy, (slices, rows, columns) int16. ``axis`` is the node's index axis from slice
    to slice (0 = i, 1 = j, 2 = k). ``pixelSizeMm`` holds the distances of rows and of columns.
    """

    hu: np.ndarray
    axis: int
    pixelSizeMm: tuple[float, float]

    @property
    def pixelMm(self) -> float:
        """Side in mm of a square with the area of a pixel."""
        return math.sqrt(math.prod(self.pixelSizeMm))

    def toNodeOrder(self, slices: np.ndarray) -> np.ndarray:
        """Return an array of ``hu``'s shape in the order of the node's voxels (k, j, i)."""
        return np.ascontiguousarray(np.moveaxis(slices, 0, 2 - self.axis))


def ctFromNode(node) -> CtInput:
    """Return the CT in a scalar volume node.

    Raises
    ------
    BadInputError
        If the node is None or empty, if it holds a colour image, a segmentation, a multi-volume or
        values that are not a CT in HU, or if its axial direction is ambiguous.
    """
    if node is None:
        raise BadInputError("No input volume is selected. Select a loaded CT.")
    name = node.GetName()
    for className, what in FOREIGN_CLASSES.items():
        if node.IsA(className):
            raise BadInputError(f"{name} is {what}. Select a CT volume.")
    if not node.IsA("vtkMRMLScalarVolumeNode"):
        raise BadInputError(f"{name} is not a volume. Select a CT volume.")
    image = node.GetImageData()
    if image is None or image.GetPointData().GetScalars() is None:
        raise BadInputError(f"{name} contains no voxels. Load it again.")
    if image.GetNumberOfScalarComponents() != 1:
        raise BadInputError(f"{name} is a colour image. Select a CT volume.")

    axis = sliceAxis(node)
    # The check comes before the conversion, so that only a CT is converted.
    slices = np.moveaxis(slicer.util.arrayFromVolume(node), 2 - axis, 0)
    check_ct(slices, name)
    hu = checked_int16(slices, name)
    columns, rows = (
        spacing_in_decimals(s) for index, s in enumerate(node.GetSpacing()) if index != axis
    )
    return CtInput(np.array(hu, order="C"), axis, (rows, columns))


def exactSlices(node, ct: CtInput) -> np.ndarray:
    """Return the slices of a node's CT in int16, or in the node's type with its fractions of HU.

    The result may be the node's own memory.
    """
    slices = np.moveaxis(slicer.util.arrayFromVolume(node), 2 - ct.axis, 0)
    return ct.hu if voxel_type(slices) == np.int16 else slices


def sliceAxis(node) -> int:
    """Return the node's index axis from one axial slice to the next: 0 = i, 1 = j, 2 = k.

    Raises
    ------
    BadInputError
        If the volume is oblique, so that the axial direction is ambiguous.
    """
    directions = vtk.vtkMatrix4x4()
    node.GetIJKToRASDirectionMatrix(directions)
    superior = [directions.GetElement(2, column) for column in range(3)]
    axis = axial_axis(node.GetImageData().GetDimensions(), superior)
    if axis is None:
        raise BadInputError(
            f"{node.GetName()} is oblique by {tilt_degrees(superior):.0f} degrees, so its axial "
            "direction is ambiguous. Resample it to axial slices first."
        )
    return axis


def derivedWarning(node) -> str:
    """Return the warning about a volume that this module made."""
    return (
        f"{node.GetName()} was made by this module, so it is denoised already. "
        "Denoising it again will change little; choose the original scan if you have it."
    )


def warningFor(node) -> str | None:
    """Return a warning if the volume is probably denoised already or no CT in HU, otherwise None.

    Raises
    ------
    BadInputError
        If the node holds no CT (see :func:`ctFromNode`).
    """
    if isDerived(node):
        return derivedWarning(node)
    ct = ctFromNode(node)
    name = node.GetName()
    doubt = (
        ct_warning(ct.hu, name)
        or pixel_size_warning(ct.pixelMm, name)
        or pixel_shape_warning(ct.pixelSizeMm, name)
    )
    if doubt is not None:
        return doubt
    middle = ct.hu
    middle = middle[len(middle) // 4 :: max(1, len(middle) // 8)][:8]
    try:
        noise = soft_tissue_noise(middle)
    except BadInputError:  # there is too little soft tissue for an estimate
        return None
    return quiet_warning(noise, node.GetName())
