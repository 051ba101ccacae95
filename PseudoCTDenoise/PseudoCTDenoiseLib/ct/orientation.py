"""Detection of the slice axis of a volume, and the way viewers turn axial slices."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

MAX_TILT_DEGREES = 35.0
"""Maximum angle between slice axis and patient axis.

Gantries tilt by up to 30 degrees; the margin admits reformats of a tilted head.
"""


def axial_axis(size: Sequence[int], superior: Sequence[float]) -> int | None:
    """Return the index axis (0 = i, 1 = j, 2 = k) from one axial slice to the next.

    Parameters
    ----------
    size : number of voxels along i, j and k.
    superior : component of the unit vector of each index axis along the patient's
        superior-inferior axis.

    Returns
    -------
    The axis with a single voxel, if there is exactly one; else the axis nearest to the patient
    axis; None if the angle between the two exceeds :data:`MAX_TILT_DEGREES`.
    """
    planes = [axis for axis, count in enumerate(size) if count == 1]
    if len(planes) == 1:
        return planes[0]
    return None if tilt_degrees(superior) > MAX_TILT_DEGREES else _nearest(superior)


def as_viewed(hu: np.ndarray, across: Sequence[float], down: Sequence[float]) -> np.ndarray:
    """Return a view of slices with the patient's right on the left side and anterior on top.

    Slices with an axis that is near neither of these directions are returned as they are.

    Parameters
    ----------
    hu : (slices, rows, columns)
    across, down : unit vectors from one column to the next and from one row to the next, LPS.
    """
    upright = hu
    if abs(down[0]) > abs(across[0]):  # rows run from front to back
        upright, across, down = hu.swapaxes(1, 2), down, across
    right_to_left, front_to_back = across[0], down[1]
    near = math.cos(math.radians(MAX_TILT_DEGREES))
    if min(abs(right_to_left), abs(front_to_back)) < near:
        return hu
    return upright[:, :: 1 if front_to_back > 0 else -1, :: 1 if right_to_left > 0 else -1]


def tilt_degrees(superior: Sequence[float]) -> float:
    """Return the angle between the patient axis and the nearest index axis, in degrees."""
    return math.degrees(math.acos(min(1.0, abs(superior[_nearest(superior)]))))


def _nearest(superior: Sequence[float]) -> int:
    return max(range(len(superior)), key=lambda axis: abs(superior[axis]))
