"""Along which axis of a volume its axial slices follow each other."""

from __future__ import annotations

import math
from collections.abc import Sequence

MAX_TILT_DEGREES = 35.0
"""Gantries tilt by 30 degrees at most; the rest is room for a tilted head's reformat."""


def axial_axis(size: Sequence[int], superior: Sequence[float]) -> int | None:
    """The index axis (0 = i, 1 = j, 2 = k) from one axial slice to the next.

    Parameters
    ----------
    size : voxels along i, j and k.
    superior : of each index axis' unit vector the part along the patient's superior-inferior axis.

    Returns
    -------
    The only axis of a single voxel, else the one along the patient; None where none is within
    :data:`MAX_TILT_DEGREES` of it.
    """
    planes = [axis for axis, count in enumerate(size) if count == 1]
    if len(planes) == 1:
        return planes[0]
    return None if tilt_degrees(superior) > MAX_TILT_DEGREES else _nearest(superior)


def tilt_degrees(superior: Sequence[float]) -> float:
    """Angle between the patient's axis and the index axis that is nearest to it."""
    return math.degrees(math.acos(min(1.0, abs(superior[_nearest(superior)]))))


def _nearest(superior: Sequence[float]) -> int:
    return max(range(len(superior)), key=lambda axis: abs(superior[axis]))
