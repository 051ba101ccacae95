"""Access to HU arrays of one slice or of a stack: slices, clamped pairs and local means."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ..errors import BadInputError
from .hounsfield import MIN_CT_HU


def slices_of(array: np.ndarray) -> Iterator[np.ndarray]:
    return iter(array if array.ndim == 3 else array[None])


def paired_slices(image: np.ndarray, reference: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Both as float64 (slices, rows, columns), clamped at -1024 HU."""
    if image.shape != reference.shape or image.ndim not in (2, 3):
        raise BadInputError(
            f"Images of shapes {image.shape} and {reference.shape} cannot be compared: "
            "give two of the same (slices, rows, columns) or (rows, columns)."
        )
    shape = (-1, *image.shape[-2:])
    image = np.maximum(image.astype(np.float64), MIN_CT_HU).reshape(shape)
    return image, np.maximum(reference.astype(np.float64), MIN_CT_HU).reshape(shape)


def local_mean(hu: np.ndarray, side: int) -> np.ndarray:
    """Means of all side x side windows that lie inside (rows, columns), in float64."""
    sums = np.pad(hu.astype(np.float64).cumsum(0).cumsum(1), ((1, 0), (1, 0)))
    box = sums[side:, side:] - sums[:-side, side:] - sums[side:, :-side] + sums[:-side, :-side]
    return box / side**2
