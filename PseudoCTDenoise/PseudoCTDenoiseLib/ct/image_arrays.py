"""Operations on HU arrays of one slice or of a stack: slices and clipped pairs."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ..errors import BadInputError
from .hounsfield import MIN_CT_HU


def iterate_slices(array: np.ndarray) -> Iterator[np.ndarray]:
    """Return an iterator over the slices of (slices, rows, columns) or (rows, columns)."""
    return iter(array if array.ndim == 3 else array[None])


def paired_slices(image: np.ndarray, reference: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return both as float64 (slices, rows, columns), clipped below at -1024 HU.

    Raises
    ------
    BadInputError
        If the shapes differ or are not two- or three-dimensional.
    """
    if image.shape != reference.shape or image.ndim not in (2, 3):
        raise BadInputError(
            f"Images of shapes {image.shape} and {reference.shape} cannot be compared: "
            "give two images of the same shape (slices, rows, columns) or (rows, columns)."
        )
    shape = (-1, *image.shape[-2:])
    image = np.maximum(image.astype(np.float64), MIN_CT_HU).reshape(shape)
    return image, np.maximum(reference.astype(np.float64), MIN_CT_HU).reshape(shape)
