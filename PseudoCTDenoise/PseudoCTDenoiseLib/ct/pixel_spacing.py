"""Size and shape of pixels, the same from every format."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..errors import BadInputError

SQUARE = 0.01
"""Largest relative difference of the sides of a square pixel."""


def are_square(pixel_size: Sequence[float]) -> bool:
    """Return True for square pixels; the size holds the distances of rows and of columns."""
    rows, columns = pixel_size
    return abs(rows - columns) <= SQUARE * rows


def pixel_shape_warning(pixel_size: Sequence[float], name: str = "The scan") -> str | None:
    """Return a warning for pixels that are not square, otherwise None.

    Parameters
    ----------
    pixel_size : distances of rows and of columns in mm.
    name : name of the scan in the warning.
    """
    if are_square(pixel_size):
        return None
    rows, columns = pixel_size
    return (
        f"{name} has pixels of {columns:g}×{rows:g} mm. The network was trained on square ones: "
        "resample the slices to square pixels, or compare the result with the original."
    )


def square_pixel_mm(pixel_size: Sequence[float], name: str) -> float:
    """Return the side of a square pixel in mm, for the simulation of noise and noise spectra.

    Parameters
    ----------
    pixel_size : distances of rows and of columns in mm.
    name : name of the scan in the message.

    Raises
    ------
    BadInputError
        If the pixels are not square.
    """
    rows, columns = pixel_size
    if not are_square(pixel_size):
        raise BadInputError(
            f"{name} has pixels of {columns:g} x {rows:g} mm: resample it to square pixels."
        )
    return rows


def spacing_in_decimals(spacing_mm: float) -> float:
    """Return the shortest decimal number that equals a spacing in mm in single precision.

    NIfTI stores single precision, in which 0.7 mm is 0.699999988 mm. This returns 0.7 for both, so
    that a scan gives the same result from every format.
    """
    return float(str(np.float32(spacing_mm)))
