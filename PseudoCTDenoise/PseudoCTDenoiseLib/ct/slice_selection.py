"""Selection of representative slices and image regions of a scan."""

from __future__ import annotations

import numpy as np

from .box_mean import box_sums
from .constant_areas import constant_areas
from .hounsfield import TISSUE_HU

ORGANS_HU = (20.0, 180.0)
"""HU range of organs, with and without contrast medium."""
MIN_BODY_SHARE = 0.02
"""Minimum fraction of tissue pixels in a slice that shows the body."""


def tissue_share(hu: np.ndarray) -> np.ndarray:
    """Return the fraction of tissue or table among the pixels of each slice, (slices,).

    Padding, which has one exact value, does not count unless the scan has no noise at all.
    """
    tissue = ((part > TISSUE_HU, ~constant_areas(part)) for part in hu)
    shares = [
        ((body & measured)[::2, ::2].mean(), body[::2, ::2].mean()) for body, measured in tissue
    ]
    measured, body = np.array(shares).T
    return measured if (measured > MIN_BODY_SHARE).any() else body


def evenly_spaced_indices(length: int, count: int) -> np.ndarray:
    """Return up to ``count`` indices below ``length``: the centres of equal parts."""
    count = min(count, length)
    return ((np.arange(count) + 0.5) * length / count).astype(int)


def evenly_spaced_slices(hu: np.ndarray, count: int) -> list[int]:
    """Return the indices of up to ``count`` slices, evenly spaced among those with the body."""
    body = np.flatnonzero(tissue_share(hu) > MIN_BODY_SHARE)
    if not len(body):
        body = np.arange(len(hu))
    return body[evenly_spaced_indices(len(body), count)].tolist()


def most_informative_slice(hu: np.ndarray) -> int:
    """Return the index of the slice with the most organ tissue, of (slices, rows, columns)."""
    return int(np.argmax([np.count_nonzero(_organs(part)) for part in hu]))


def organ_box(hu: np.ndarray, rows: int, columns: int) -> tuple[int, int]:
    """Return the top row and left column of the rows x columns box with the most organ tissue."""
    box = box_sums(_organs(hu), rows, columns, np.int64)
    top, left = np.unravel_index(np.argmax(box), box.shape)
    return int(top), int(left)


def _organs(hu: np.ndarray) -> np.ndarray:
    low, high = ORGANS_HU
    return (hu >= low) & (hu <= high)
