"""The two positions that a NIfTI-1 header holds, and what they say about the scan.

ITK, which 3D Slicer reads with too, takes only one of them, without a shear, and the spacing from a
third place.
https://nifti.nimh.nih.gov/pub/dist/src/niftilib/nifti1.h
"""

from __future__ import annotations

import gzip
import itertools
import math
import struct
import zlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from ...errors import BadInputError
from .itk_reading import damaged, read_header
from .nifti_namesakes import apart_from_namesake

HEADER_BYTES = 348
NIFTI_2_BYTES = 540
SAME_VOXELS = 0.1
"""Distance below which two positions are equal, as a fraction of the smallest spacing."""
SQUARE_TO_ITK = 1e-5
"""Skew (cosine) that ITK takes for the rounding of square axes."""
MM_BY_UNIT = {1: 1e3, 3: 1e-3}
"""Length in mm of NIfTI's units metre and micrometre; all others are taken as mm."""


def read_position(path: Path) -> tuple[np.ndarray | None, str]:
    """Return the position of a NIfTI-1 with skewed axes, and a warning.

    Returns
    -------
    position : (3, 4): steps along i, j and k and origin, in mm, LPS; None if ITK reads the right
        one.
    warning : which of two positions ITK reads, if both are possible, or an empty text.

    Raises
    ------
    BadInputError
        If the file is NIfTI-2, is cut within the header, or holds positions that differ by more
        than the shear of a tilted gantry or a movement of the whole scan.
    """
    header, _ = read_nifti_header(path)
    order = "<" if struct.unpack_from("<i", header)[0] in (HEADER_BYTES, NIFTI_2_BYTES) else ">"
    (length,) = struct.unpack_from(f"{order}i", header)
    if length == NIFTI_2_BYTES:
        raise BadInputError(
            f"{path.name} is NIfTI-2, which cannot be read: save it as NIfTI-1 or NRRD."
        )

    def values(layout: str, at: int) -> tuple:
        return struct.unpack_from(order + layout, header, at)

    dimension, *size = values("4h", 40)
    qform_code, sform_code = values("2h", 252)
    if length != HEADER_BYTES or dimension < 3 or sform_code <= 0:
        return None, ""
    sform = np.array(values("12f", 280), float).reshape(3, 4)
    qfac, *spacing = values("4f", 76)
    with np.errstate(all="ignore"):  # NaN agrees with nothing
        if qform_code > 0:
            axes, origin = _rotation(*values("3f", 256)), values("3f", 268)
            axes[:, 2] *= -1 if qfac < 0 else 1
        else:
            axes, origin = _squared(sform[:, :3]), sform[:, 3]
        square = np.column_stack([axes * np.abs(spacing), origin])
        agree = _agree(sform, square, size)
        if agree and (qform_code > 0 or _skew(sform[:, :3]) < SQUARE_TO_ITK):
            return None, ""
        known = agree or _is_tilted(sform, square, size)
        if not known and qform_code > 0 and _is_moved(sform, square, size):
            used = "sform" if _agree(_position_of_itk(path), sform, size) else "qform"
            return None, (
                f"{path.name} holds two positions, sform (code {sform_code}) and qform (code "
                f"{qform_code}), that turn or shift the scan against each other: the {used} is "
                "used, as in 3D Slicer."
            )
    if not known:
        raise BadInputError(
            f"{path.name} contradicts itself on where its voxels lie: "
            + ("sform and qform differ" if qform_code > 0 else "its sform is skewed or not pixdim")
            + ". Copy the right one over the other, or convert the DICOM files again."
        )
    mm = MM_BY_UNIT.get(header[123] & 7, 1.0)
    return sform * mm * [[-1], [-1], [1]], ""


def check_numbers(path: Path) -> tuple[str, ...]:
    """Check spacing and rescale of a NIfTI-1, which ITK replaces where they mean nothing.

    Returns
    -------
    Warning if the header does not state a position; none otherwise.

    Raises
    ------
    BadInputError
        If a spacing is negative, or slope and intercept are not a rescale. A slope of 0 or NaN
        stands for no rescale, so that the intercept must be 0 or NaN too.
    """
    header, _ = read_nifti_header(path)
    order = "<" if struct.unpack_from("<i", header)[0] == HEADER_BYTES else ">"
    sizes = struct.unpack_from(f"{order}3h", header, 42)
    spacing = struct.unpack_from(f"{order}3f", header, 80)
    slope, intercept = struct.unpack_from(f"{order}2f", header, 112)
    negative = [mm for mm, size in zip(spacing, sizes, strict=True) if mm < 0 and size > 1]
    if negative:
        raise BadInputError(
            f"{path.name} states a voxel size of {negative[0]:g} mm (pixdim): correct its header, "
            "or convert the DICOM files again."
        )
    rescaled = slope != 0 and not math.isnan(slope)
    valid = math.isfinite(slope) and math.isfinite(intercept)
    if not (valid if rescaled else intercept == 0 or math.isnan(intercept)):
        raise BadInputError(
            f"{path.name} states a rescale that means nothing (scl_slope {slope:g}, scl_inter "
            f"{intercept:g}): correct its header, or convert the DICOM files again."
        )
    if max(struct.unpack_from(f"{order}2h", header, 252)) > 0:
        return ()
    return (
        "The file does not state where the scan lies (neither qform nor sform): left and right, "
        "and head and feet may be exchanged in the result as in the file.",
    )


def set_position(image: sitk.Image, position: np.ndarray) -> None:
    """Set spacing, direction and origin from a position as of :func:`read_position`."""
    steps, origin = position[:, :3], position[:, 3]
    spacing = np.linalg.norm(steps, axis=0)
    image.SetSpacing(spacing.tolist())
    image.SetDirection((steps / spacing).ravel().tolist())
    image.SetOrigin(origin.tolist())


def read_nifti_header(path: Path) -> tuple[bytes, bool]:
    """Return the first 348 bytes of a NIfTI, and whether gzip compresses the file.

    Raises
    ------
    BadInputError
        If the file cannot be read, or is shorter.
    """
    try:
        with open(path, "rb") as file:
            compressed = file.read(2) == b"\x1f\x8b"
        with (gzip.open if compressed else open)(path, "rb") as file:
            header = file.read(HEADER_BYTES)
    except (EOFError, OSError, zlib.error) as error:
        raise damaged(path.name) from error
    if len(header) < HEADER_BYTES:
        raise damaged(path.name)
    return header, compressed


def _rotation(b: float, c: float, d: float) -> np.ndarray:
    """Return the rotation of the quaternion whose real part is left out, (3, 3)."""
    a = max(0.0, 1 - b * b - c * c - d * d) ** 0.5
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
    return bool(np.all(distances < SAME_VOXELS * np.linalg.norm(other[:, :3], axis=0).min()))


def _position_of_itk(path: Path) -> np.ndarray:
    """Return the position that ITK reads as it is in the file, (3, 4)."""
    with apart_from_namesake(path) as place:
        header = read_header(place, "NiftiImageIO")
    steps = np.reshape(header.GetDirection(), (-1, header.GetDimension()))[:3, :3]
    position = np.column_stack([steps * header.GetSpacing()[:3], header.GetOrigin()[:3]])
    return position * [[-1], [-1], [1]]
