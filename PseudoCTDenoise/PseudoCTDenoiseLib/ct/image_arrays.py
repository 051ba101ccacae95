"""Operations on HU arrays of one slice or of a stack: slices and clipped pairs."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ..errors import BadInputError
from .hounsfield import MIN_CT_HU


def iterate_slices(array: np.ndarray) -> Iterator[np.ndarray]:
    """Return an iterator over the slices of (slices, rows, columns) or (rows, columns)."""
    return iter(array if array.ndim == 3 else array[None])


def iterate_pairs(
    image: np.ndarray, reference: np.ndarray
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Return an iterator over the slices of both, as float64, clipped below at -1024 HU.

    Raises
    ------
    BadInputError
        If the shapes differ or are not two- or three-dimensional.
    """
    _check_shapes(image, reference)
    slices = zip(iterate_slices(image), iterate_slices(reference), strict=True)
    return ((_clipped(part), _clipped(other)) for part, other in slices)


def paired_slices(image: np.ndarray, reference: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the pairs of :func:`iterate_pairs` as two arrays (slices, rows, columns)."""
    _check_shapes(image, reference)
    shape = (-1, *image.shape[-2:])
    return _clipped(image).reshape(shape), _clipped(reference).reshape(shape)


def _check_shapes(image: np.ndarray, reference: np.ndarray) -> None:
    if image.shape != reference.shape or image.ndim not in (2, 3):
        raise BadInputError(
            f"Images of shapes {image.shape} and {reference.shape} cannot be compared: "
            "give two images of the same shape (slices, rows, columns) or (rows, columns)."
        )


def _clipped(hu: np.ndarray) -> np.ndarray:
    return np.maximum(hu.astype(np.float64), MIN_CT_HU)
