"""What makes an array a CT in Hounsfield units (HU): refused by name at the door if it is not."""

from __future__ import annotations

import numpy as np

from ..errors import BadInputError
from .hounsfield import MIN_CT_HU, OFFSET_HU

MIN_SLICE_SIZE = 16
"""Rows and columns that a slice needs at least; below it is an icon, not a scan."""
FAT_HU = -50.0
"""Every CT of a body holds air (−1000 HU) or at least fat (about −100 HU) below this."""
FAT_SHARE = 1e-4
"""Least share of voxels below fat; fewer may be the ringing of an interpolated MR."""
MAX_LABELS = 128
"""A map with no more distinct values, and none below fat, is a segmentation."""


def check_ct(values: np.ndarray, name: str = "The volume") -> None:
    """Refuse an array that cannot be a CT in HU.

    Padding of any value below −1024 (−2000, −2048, −3024) is accepted and not looked at.

    Parameters
    ----------
    values : (slices, rows, columns), any real type, in HU.
    name : how the message calls the array.

    Raises
    ------
    BadInputError
        If the array is not three-dimensional, is empty or has slices smaller than 16×16, is not of
        real numbers, holds NaN or infinity or a single value, exceeds int16, or lacks everything
        below fat as a segmentation, an MR or a CT stored without its offset does.
    """
    if values.ndim != 3:
        raise BadInputError(f"{name} is {values.ndim}-D: a CT has slices, rows and columns.")
    if values.dtype.kind not in "iuf":
        raise BadInputError(f"{name} holds {values.dtype} values: a CT has one number a voxel.")
    if values.size == 0 or min(values.shape[1:]) < MIN_SLICE_SIZE:
        shape = "×".join(map(str, values.shape))
        raise BadInputError(
            f"{name} is too small ({shape}): a CT slice has at least "
            f"{MIN_SLICE_SIZE}×{MIN_SLICE_SIZE} pixels."
        )

    check_finite(values, name)
    lowest, highest = values.min(), values.max()
    if lowest == highest:
        raise BadInputError(f"{name} holds the value {lowest} everywhere: there is no image in it.")
    _check_int16_range(lowest, highest, name)
    if _share(values, MIN_CT_HU, FAT_HU) < FAT_SHARE:
        raise BadInputError(_what_else_it_is(values, name))


def check_finite(values: np.ndarray, name: str = "The volume") -> None:
    """Refuse NaN and infinity.

    Raises
    ------
    BadInputError
        If there are any.
    """
    if values.size and not np.isfinite([values.min(), values.max()]).all():
        raise BadInputError(f"{name} holds NaN or infinity: replace these by −1024 HU first.")


def checked_int16(values: np.ndarray, name: str = "The volume") -> np.ndarray:
    """HU rounded to the nearest int16, which is what every file and every scene node holds.

    Raises
    ------
    BadInputError
        If a value is not finite or outside −32768 to 32767 HU.
    """
    if values.dtype == np.int16 or values.size == 0:
        return values.astype(np.int16, copy=False)
    lowest, highest = values.min(), values.max()
    if not (np.isfinite(lowest) and np.isfinite(highest)):
        raise BadInputError(f"{name} holds NaN or infinity, which no CT file can hold.")
    _check_int16_range(lowest, highest, name)
    rounded = np.rint(values) if values.dtype.kind == "f" else values
    return rounded.astype(np.int16)


def _check_int16_range(lowest, highest, name: str) -> None:
    limits = np.iinfo(np.int16)
    if np.rint(lowest) < limits.min or np.rint(highest) > limits.max:
        raise BadInputError(
            f"{name} has values from {lowest:g} to {highest:g}, beyond what HU can be "
            f"({limits.min} to {limits.max}): export it as CT in HU."
        )


def _what_else_it_is(values: np.ndarray, name: str) -> str:
    """The line for an array without air and fat: the likeliest of three explanations."""
    labels = _distinct_integers(values)
    if labels is not None and labels <= MAX_LABELS:
        return (
            f"{name} holds only {labels} distinct values: it looks like a segmentation. "
            "Give the CT itself."
        )
    tissue = _share(values, OFFSET_HU - 150, OFFSET_HU + 150)
    between = _share(values, OFFSET_HU - 500, OFFSET_HU - 200)
    # Hardly any tissue lies between lung and fat, so a CT has a gap there and an MR has none.
    if tissue > 0.05 and tissue > 2 * between:
        return (
            f"{name} looks like a CT stored about {OFFSET_HU:g} too high (water near "
            f"{OFFSET_HU:g} instead of 0): subtract {OFFSET_HU:g} or export it in HU."
        )
    return (
        f"{name} has values from {values.min():g} to {values.max():g} and no air or fat below "
        f"{FAT_HU:g}: it is not a CT in HU (an MR, or a picture with a window applied?)."
    )


def _share(values: np.ndarray, low: float, high: float) -> float:
    # A slice at a time: less memory.
    return sum(np.count_nonzero((one >= low) & (one < high)) for one in values) / values.size


def _distinct_integers(values: np.ndarray) -> int | None:
    if values.dtype.kind == "f" and not (values == np.rint(values)).all():
        return None
    # The range is that of int16 here, whose own differences would overflow.
    values = values.astype(np.int32)
    return int(np.count_nonzero(np.bincount((values - values.min()).ravel())))
