"""Checks that an array is a CT in Hounsfield units (HU)."""

from __future__ import annotations

import numpy as np

from ..errors import BadInputError
from .hounsfield import MIN_CT_HU, OFFSET_HU

MIN_SLICE_SIZE = 16
"""Minimum number of rows and columns of a slice. Smaller images are icons."""
FAT_HU = -50.0
"""Upper HU limit of air (−1000 HU) and fat (about −100 HU), one of which every body CT shows."""
FAT_SHARE = 1e-4
"""Minimum fraction of voxels below ``FAT_HU``. Fewer may be ringing in an interpolated MR image."""
MAX_LABELS = 128
"""Maximum number of distinct values of an image that is rejected as a segmentation."""


def check_ct(values: np.ndarray, name: str = "The volume") -> None:
    """Raise an error if an array cannot be a CT in HU.

    Padding of any value below −1024 (−2000, −2048, −3024) is accepted and ignored.

    Parameters
    ----------
    values : (slices, rows, columns), any real type, in HU.
    name : name of the array in the message.

    Raises
    ------
    BadInputError
        If the array is not three-dimensional, is empty, has slices smaller than 16×16, is not real,
        holds NaN or infinity, is constant, exceeds int16, or shows neither air nor fat. The last
        is true of a segmentation, an MR and a CT stored without its offset.
    """
    if values.ndim != 3:
        raise BadInputError(f"{name} is {values.ndim}-D: give a CT with slices, rows and columns.")
    if values.dtype.kind not in "iuf":
        raise BadInputError(
            f"{name} contains {values.dtype} values: give a CT with one real number per voxel."
        )
    if values.size == 0 or min(values.shape[1:]) < MIN_SLICE_SIZE:
        shape = "×".join(map(str, values.shape))
        raise BadInputError(
            f"{name} is too small ({shape}): give a CT with slices of at "
            f"least {MIN_SLICE_SIZE}×{MIN_SLICE_SIZE} pixels."
        )

    check_finite(values, name)
    lowest, highest = values.min(), values.max()
    if lowest == highest:
        raise BadInputError(
            f"{name} contains the value {lowest} everywhere: give a CT that shows a body."
        )
    _check_int16_range(lowest, highest, name)
    if _share(values, MIN_CT_HU, FAT_HU) < FAT_SHARE:
        raise BadInputError(_likely_content(values, name))


def check_finite(values: np.ndarray, name: str = "The volume") -> None:
    """Raise an error if values are not finite.

    Raises
    ------
    BadInputError
        If a value is NaN or infinite.
    """
    if values.size and not np.isfinite([values.min(), values.max()]).all():
        raise BadInputError(f"{name} contains NaN or infinity: replace them with −1024 HU.")


def checked_int16(values: np.ndarray, name: str = "The volume") -> np.ndarray:
    """Return HU rounded to the nearest int16, the type of all files and scene nodes.

    Raises
    ------
    BadInputError
        If a value is not finite or outside −32768 to 32767 HU.
    """
    if values.dtype == np.int16 or values.size == 0:
        return values.astype(np.int16, copy=False)
    lowest, highest = values.min(), values.max()
    if not (np.isfinite(lowest) and np.isfinite(highest)):
        raise BadInputError(f"{name} contains NaN or infinity: replace them with finite HU.")
    _check_int16_range(lowest, highest, name)
    rounded = np.rint(values) if values.dtype.kind == "f" else values
    return rounded.astype(np.int16)


def _check_int16_range(lowest, highest, name: str) -> None:
    limits = np.iinfo(np.int16)
    if np.rint(lowest) < limits.min or np.rint(highest) > limits.max:
        raise BadInputError(
            f"{name} has values from {lowest:g} to {highest:g}, outside the range of HU "
            f"({limits.min} to {limits.max}): export it as CT in HU."
        )


def _likely_content(values: np.ndarray, name: str) -> str:
    """Return the message for an array without air and fat: the likeliest of three causes."""
    labels = _distinct_integers(values)
    if labels is not None and labels <= MAX_LABELS:
        return (
            f"{name} contains only {labels} distinct values: it looks like a segmentation. "
            "Give the CT itself."
        )
    tissue = _share(values, OFFSET_HU - 150, OFFSET_HU + 150)
    between = _share(values, OFFSET_HU - 500, OFFSET_HU - 200)
    # Few voxels of a CT lie between lung and fat; an MR shows no such gap.
    if tissue > 0.05 and tissue > 2 * between:
        return (
            f"{name} looks like a CT stored about {OFFSET_HU:g} too high (water near "
            f"{OFFSET_HU:g} instead of 0): subtract {OFFSET_HU:g} or export it in HU."
        )
    return (
        f"{name} has values from {values.min():g} to {values.max():g} and no air or fat below "
        f"{FAT_HU:g}: it is not a CT in HU (perhaps an MR or a windowed image). Export "
        "the CT in HU."
    )


def _share(values: np.ndarray, low: float, high: float) -> float:
    # Slice by slice, to save memory.
    count = sum(np.count_nonzero((part >= low) & (part < high)) for part in values)
    return count / values.size


def _distinct_integers(values: np.ndarray) -> int | None:
    if values.dtype.kind == "f" and not (values == np.rint(values)).all():
        return None
    # The values fit int16, but their differences do not.
    values = values.astype(np.int32)
    return int(np.count_nonzero(np.bincount((values - values.min()).ravel())))
