"""Checks that an array is a CT in Hounsfield units (HU)."""

from __future__ import annotations

import numpy as np

from ..errors import BadInputError
from .constant_areas import constant_areas
from .hounsfield import MIN_CT_HU, OFFSET_HU
from .slice_selection import MIN_BODY_SHARE, evenly_spaced_indices

MIN_SLICE_SIZE = 16
"""Minimum number of rows and columns of a slice. Smaller images are icons."""
FAT_HU = -50.0
"""Upper HU limit of air (−1000 HU) and fat (about −100 HU), one of which every body CT shows."""
FAT_SHARE = 1e-4
"""Minimum fraction of voxels below ``FAT_HU``. Fewer may be ringing in an interpolated MR image."""
FAT_TO_ORGANS_HU = (-150.0, 150.0)
"""HU range of fat, soft tissue and most organs with contrast medium, about 0 HU."""
FAT_TO_ORGANS_SHARE = 0.3
"""Minimum fraction of :data:`FAT_TO_ORGANS_HU` above the lung. Slices of patients have 0.57 or
more, even at the vertex of the skull. Scans that are 300 HU too high or too low have at most 0.26.
"""
MAX_LABELS = 128
"""Maximum number of distinct values of an image that is rejected as a segmentation."""
_LUNG_HU = -300.0
"""Upper HU limit of lung."""
_SHIFT_SLICES = 8
"""Number of slices that are searched for shifted values."""
_BLOCK = 4
"""Side in pixels of the blocks whose means are compared with tissue, so that noise cancels."""


def check_ct(values: np.ndarray, name: str = "The volume", *, known_ct: bool = False) -> None:
    """Raise an error if an array cannot be a CT in HU.

    :func:`ct_warning` reports what is only unlikely.

    Parameters
    ----------
    values : (slices, rows, columns), any real type, in HU.
    name : name of the array in the message.
    known_ct : the file says that it is a CT, so that it cannot be a segmentation.

    Raises
    ------
    BadInputError
        If the array is not three-dimensional, is empty, has slices smaller than 16×16, is not real,
        holds NaN or infinity, is constant in whole HU, exceeds int16, or is a segmentation.
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
    if np.rint(lowest) == np.rint(highest):
        raise BadInputError(
            f"{name} contains the value {np.rint(lowest):g} everywhere: give a CT that shows a "
            "body."
        )
    _check_int16_range(lowest, highest, name)
    labels = _distinct_integers(values) if lowest >= 0 and not known_ct else None
    if labels is not None and labels <= MAX_LABELS and not any(map(_has_noise, values)):
        raise BadInputError(
            f"{name} contains only {labels} distinct values: it looks like a segmentation. "
            "Give the CT itself."
        )


def ct_warning(values: np.ndarray, name: str = "The scan") -> str | None:
    """Return a warning if an array is perhaps not a CT in HU, otherwise None.

    Almost every CT shows air or fat. A crop of an organ or of a bone shows neither, and nor does an
    MR or a CT stored without its offset. Padding below −1024 HU is ignored. In a CT with air or
    fat, most of what is above lung is fat and soft tissue, unless all values are shifted.

    Parameters
    ----------
    values : (slices, rows, columns) that :func:`check_ct` accepts, in HU.
    name : name of the array in the warning.
    """
    if _share(values, MIN_CT_HU, FAT_HU) >= FAT_SHARE:
        return _shift_warning(values, name)
    tissue = _share(values, OFFSET_HU - 150, OFFSET_HU + 150)
    between = _share(values, OFFSET_HU - 500, OFFSET_HU - 200)
    # Few voxels of a CT lie between lung and fat; an MR shows no such gap.
    if tissue > 0.05 and tissue > 2 * between:
        return (
            f"{name} looks like bone, or like a CT stored about {OFFSET_HU:g} too high (water near "
            f"{OFFSET_HU:g} instead of 0). In the latter case subtract {OFFSET_HU:g} or export it "
            "in HU."
        )
    lowest, highest = min(part.min() for part in values), max(part.max() for part in values)
    return (
        f"{name} has values from {lowest:g} to {highest:g} and no air or fat below {FAT_HU:g} HU. "
        "Unless it is a crop of a CT, it is probably not a CT in HU (perhaps an MR or a windowed "
        "image), and the result is wrong. Then export the CT in HU."
    )


def _shift_warning(values: np.ndarray, name: str) -> str | None:
    few = evenly_spaced_indices(len(values), _SHIFT_SLICES)
    means = np.concatenate([_block_means(values[index]) for index in few])
    low, high = FAT_TO_ORGANS_HU
    tissue = means[means > _LUNG_HU]
    if tissue.size < MIN_BODY_SHARE * means.size:
        return None
    share = np.mean((tissue >= low) & (tissue <= high))
    if share >= FAT_TO_ORGANS_SHARE:
        return None
    return (
        f"{name} looks shifted: only {100 * share:.0f} % of what is above {_LUNG_HU:g} HU lies in "
        f"the {low:g} to {high:g} HU of fat and soft tissue. Unless it shows mostly bone or "
        "contrast medium, the values are not HU (perhaps a cone-beam CT, or a file without its "
        "rescale intercept), and the result and its noise in HU are wrong. Then export the CT in "
        "HU."
    )


def _block_means(part: np.ndarray) -> np.ndarray:
    """Return the means of blocks of 4×4 pixels of a slice, (blocks,), with padding as air."""
    rows, columns = (size // _BLOCK for size in part.shape)
    part = np.where(constant_areas(part), MIN_CT_HU, part)[: rows * _BLOCK, : columns * _BLOCK]
    return part.reshape(rows, _BLOCK, columns, _BLOCK).mean(axis=(1, 3)).ravel()


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


def _has_noise(part: np.ndarray) -> bool:
    """Return True if most pixels of a slice outside of constant areas differ from the next one."""
    outside = ~constant_areas(part) if np.ptp(part) else np.zeros(part.shape, bool)
    pairs = outside[:, 1:] & outside[:, :-1]
    differ = part[:, 1:] != part[:, :-1]
    return 2 * np.count_nonzero(differ & pairs) > np.count_nonzero(pairs)


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
