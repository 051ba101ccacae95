"""Means over square boxes of pixels and sums over boxes, for arrays."""

from __future__ import annotations

from typing import TypeVar

import numpy as np

Array = TypeVar("Array")
"""A numpy array or a tensor."""


def box_mean(image: np.ndarray, side: int) -> np.ndarray:
    """Return the mean around each pixel, over the part of the box that lies in the image.

    Parameters
    ----------
    image : (rows, columns).
    side : of the box, an odd number of pixels.
    """
    half = side // 2
    padded = np.zeros([size + 2 * half for size in image.shape], np.float32)
    padded[half : half + len(image), half : half + len(image.T)] = image
    sums = running_sums(running_sums(padded, side).T, side).T
    rows, columns = (pixels_in_box(size, half) for size in image.shape)
    return sums / (rows[:, None] * columns)


def inner_box_means(image: np.ndarray, side: int) -> np.ndarray:
    """Return the means of all side x side boxes inside (rows, columns), in float64."""
    return box_sums(image, side, side, np.float64) / side**2


def box_sums(image: np.ndarray, rows: int, columns: int, dtype: type) -> np.ndarray:
    """Return the sums of all rows x columns boxes inside an image, which ``dtype`` must hold."""
    sums = np.pad(image.cumsum(0, dtype).cumsum(1, dtype), ((1, 0), (1, 0)))
    upper, lower = sums[:-rows], sums[rows:]
    return lower[:, columns:] - upper[:, columns:] - lower[:, :-columns] + upper[:, :-columns]


def running_sums(values: Array, length: int) -> Array:
    """Return the sums of ``length`` consecutive entries along the first axis.

    Sums of sums take few additions.
    """
    sums, added = values, 1
    for bit in f"{length:b}"[1:]:
        sums = sums[:-added] + sums[added:]
        added *= 2
        if bit == "1":
            sums = sums[:-1] + values[added:]
            added += 1
    return sums


def pixels_in_box(size: int, half: int) -> np.ndarray:
    """Return the number of pixels within ``half`` of each of ``size`` pixels in a row."""
    place = np.arange(size, dtype=np.float32)
    return 1 + np.minimum(place, half) + np.minimum(place[::-1], half)
