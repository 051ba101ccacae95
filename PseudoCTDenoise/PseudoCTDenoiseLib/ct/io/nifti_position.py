"""The two positions that a NIfTI-1 header holds.

ITK, which 3D Slicer reads with too, takes only one of them, without a shear, and the spacing from a
third place.
https://nifti.nimh.nih.gov/pub/dist/src/niftilib/nifti1.h
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from ...errors import BadInputError
from .itk_reading import read_header
from .nifti_header import HEADER_BYTES, NiftiHeader
from .nifti_namesakes import apart_from_namesake

SAME_VOXELS = 0.1
"""Distance below which two positions are equal, as a fraction of the smallest spacing."""
SQUARE_TO_ITK = 1e-5
"""Skew (cosine) that ITK takes for the rounding of square axes."""
_HALF_TURN = 1e-7
"""Square of a quaternion's real part that is the rounding of a rotation by 180°."""
MM_BY_UNIT = {1: 1e3, 3: 1e-3}
"""Length in mm of NIfTI's units metre and micrometre; all others are taken as mm."""


def read_position(header: NiftiHeader) -> tuple[np.ndarray | None, str]:
    """Return the position of a NIfTI-1 with skewed axes, and a warning.

    Returns
    -------
    position : (3, 4): steps along i, j and k and origin, in mm, LPS; None if ITK reads the right
        one.
    warning : which of two positions ITK reads, if both are possible, or an empty text.

    Raises
    ------
    BadInputError
        If the file holds positions that differ by more than the shear of a tilted gantry or a
        movement of the whole scan.
    """
    name, size = header.path.name, header.sizes[:3]
    qform_code, sform_code = header.qform_code, header.sform_code
    if header.length != HEADER_BYTES or header.dimension < 3 or sform_code <= 0:
        return None, ""
    mm = MM_BY_UNIT.get(header.units & 7, 1.0)
    sform = _with_normal(np.array(header.sform), size)
    if qform_code <= 0 and not np.array_equal(sform, header.sform, equal_nan=True):
        raise BadInputError(
            f"{name} states no direction for the axis with one voxel (sform), without which it "
            "cannot be read: save it as NRRD, or convert the DICOM files again."
        )
    with np.errstate(all="ignore"):  # NaN agrees with nothing
        if qform_code > 0:
            axes, origin = _rotation(*header.quaternion), header.offset
            axes[:, 2] *= -1 if header.handedness < 0 else 1
        else:
            axes, origin = _squared(sform[:, :3]), sform[:, 3]
        square = _with_normal(np.column_stack([axes * np.abs(header.spacing), origin]), size)
        agree = _agree(sform, square, size)
        if agree and (qform_code > 0 or _skew(sform[:, :3]) < SQUARE_TO_ITK):
            return None, ""
        known = agree or _is_tilted(sform, square, size)
        if not known and qform_code > 0 and _is_moved(sform, square, size):
            used = "sform" if _agree(_position_of_itk(header.path) / mm, sform, size) else "qform"
            return None, (
                f"{name} holds two positions, sform (code {sform_code}) and qform (code "
                f"{qform_code}), that turn or shift the scan against each other: the {used} is "
                "used, as in 3D Slicer."
            )
    if not known:
        raise BadInputError(
            f"{name} contradicts itself on where its voxels lie: "
            + ("sform and qform differ" if qform_code > 0 else "its sform is skewed or not pixdim")
            + ". Copy the right one over the other, or convert the DICOM files again."
        )
    return sform * mm * [[-1], [-1], [1]], ""


def set_position(image: sitk.Image, position: np.ndarray) -> None:
    """Set spacing, direction and origin from a position as of :func:`read_position`."""
    steps, origin = position[:, :3], position[:, 3]
    spacing = np.linalg.norm(steps, axis=0)
    image.SetSpacing(spacing.tolist())
    image.SetDirection((steps / spacing).ravel().tolist())
    image.SetOrigin(origin.tolist())


def _with_normal(position: np.ndarray, size: Sequence[int]) -> np.ndarray:
    """Return a position (3, 4) in which no step along an axis of one voxel is zero.

    Such an axis has no distance, so writers may state none. The unit normal of the others replaces
    it.
    """
    lone = [axis for axis in range(3) if size[axis] == 1 and not position[:, axis].any()]
    if len(lone) != 1:
        return position
    axis, position = lone[0], position.copy()
    normal = np.cross(position[:, (axis + 1) % 3], position[:, (axis + 2) % 3])
    position[:, axis] = normal / np.linalg.norm(normal)
    return position


def _rotation(b: float, c: float, d: float) -> np.ndarray:
    """Return the rotation of the quaternion whose real part is left out, (3, 3)."""
    a = max(0.0, 1 - b * b - c * c - d * d) ** 0.5
    if a * a < _HALF_TURN:
        a, (b, c, d) = 0.0, np.array([b, c, d]) / math.hypot(b, c, d)
    return np.array(
        [
            [a * a + b * b - c * c - d * d, 2 * (b * c - a * d), 2 * (b * d + a * c)],
            [2 * (b * c + a * d), a * a + c * c - b * b - d * d, 2 * (c * d - a * b)],
            [2 * (b * d - a * c), 2 * (c * d + a * b), a * a + d * d - c * c - b * b],
        ]
    )


def _squared(steps: np.ndarray) -> np.ndarray:
    """Return unit vectors along i, nearest to j, and normal to both on the side of k, (3, 3)."""
    i, j, k = steps.T
    normal = np.cross(i, j)
    axes = np.column_stack([i, np.cross(normal, i), normal * np.sign(normal @ k)])
    return axes / np.linalg.norm(axes, axis=0)


def _skew(steps: np.ndarray) -> float:
    """Return the largest cosine of an angle between two axes."""
    axes = steps / np.linalg.norm(steps, axis=0)
    return np.abs(axes.T @ axes - np.eye(3)).max()


def _is_tilted(sform: np.ndarray, square: np.ndarray, size: Sequence[int]) -> bool:
    """Return True if only the step along k differs, and only within the plane of the slices.

    Converters store the distance of slices either along their normal or along the tilted step.
    """
    step, distance = sform[:, 2], np.linalg.norm(square[:, 2])
    normal = square[:, 2] / distance
    distances = normal @ step, np.linalg.norm(step) * np.sign(normal @ step)
    return any(
        _agree(sform, np.column_stack([square[:, :2], step * distance / d, square[:, 3]]), size)
        for d in distances
    )


def _is_moved(sform: np.ndarray, square: np.ndarray, size: Sequence[int]) -> bool:
    """Return True if one position is the other after a rotation and a shift."""
    own = square[:, :3]
    product = sform[:, :3] @ own.T
    u, _, v = np.linalg.svd(np.where(np.isfinite(product), product, 0))
    rigid = np.column_stack([u @ v @ own, sform[:, 3]])
    return bool(np.linalg.det(u @ v) > 0) and _agree(sform, rigid, size)


def _agree(one: np.ndarray, other: np.ndarray, size: Sequence[int]) -> bool:
    """Return True if two positions (3, 4) place every voxel at the same point."""
    corners = np.array([(*c, 1) for c in itertools.product(*((0, n - 1) for n in size))])
    distances = np.linalg.norm((one - other) @ corners.T, axis=0)
    steps = np.linalg.norm(other[:, :3], axis=0)[np.greater(size, 1)]
    return bool(np.all(distances < SAME_VOXELS * steps.min(initial=np.inf)))


def _position_of_itk(path: Path) -> np.ndarray:
    """Return the position that ITK reads, (3, 4) in mm, RAS as in the file."""
    with apart_from_namesake(path) as place:
        header = read_header(place, "NiftiImageIO")
    steps = np.reshape(header.GetDirection(), (-1, header.GetDimension()))[:3, :3]
    position = np.column_stack([steps * header.GetSpacing()[:3], header.GetOrigin()[:3]])
    return position * [[-1], [-1], [1]]
