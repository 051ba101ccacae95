"""Means over square boxes of pixels, for arrays."""

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
    sums = np.pad(image.astype(np.float64).cumsum(0).cumsum(1), ((1, 0), (1, 0)))
    box = sums[side:, side:] - sums[:-side, side:] - sums[side:, :-side] + sums[:-side, :-side]
    return box / side**2


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
