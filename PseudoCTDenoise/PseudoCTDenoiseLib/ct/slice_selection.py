"""Which slices of a scan speak for it."""

from __future__ import annotations

import numpy as np

from .hounsfield import TISSUE_HU

ORGANS_HU = (20.0, 180.0)
"""What the eye wants to see of a slice: organs, with or without contrast medium."""


def tissue_share(hu: np.ndarray) -> np.ndarray:
    """Share of each slice's pixels that show tissue or table, (slices,)."""
    return np.array([(one[::2, ::2] > TISSUE_HU).mean() for one in hu])


def evenly_spread(length: int, count: int) -> np.ndarray:
    """Up to ``count`` of the indices below ``length``, the middles of equal parts."""
    count = min(count, length)
    return ((np.arange(count) + 0.5) * length / count).astype(int)


def spread_slices(hu: np.ndarray, count: int) -> list[int]:
    """Up to ``count`` slices spread evenly over those that show the body."""
    body = np.flatnonzero(tissue_share(hu) > 0.02)
    if not len(body):
        body = np.arange(len(hu))
    return body[evenly_spread(len(body), count)].tolist()


def most_informative_slice(hu: np.ndarray) -> int:
    """Index of the slice of (slices, rows, columns) with the most organ tissue."""
    return int(np.argmax([np.count_nonzero(_organs(part)) for part in hu]))


def organ_box(hu: np.ndarray, rows: int, columns: int) -> tuple[int, int]:
    """Top row and left column of the rows x columns box with the most organ tissue."""
    sums = np.pad(_organs(hu).astype(np.int64).cumsum(0).cumsum(1), ((1, 0), (1, 0)))
    box = (
        sums[rows:, columns:]
        - sums[:-rows, columns:]
        - sums[rows:, :-columns]
        + sums[:-rows, :-columns]
    )
    top, left = np.unravel_index(np.argmax(box), box.shape)
    return int(top), int(left)


def _organs(hu: np.ndarray) -> np.ndarray:
    low, high = ORGANS_HU
    return (hu >= low) & (hu <= high)
