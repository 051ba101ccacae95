"""Thumbnail of a denoised scan: original, denoised and difference side by side, as PNG."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import SimpleITK as sitk

from ..ct.io.itk_reading import itk_path
from ..ct.slice_selection import most_informative_slice
from ..errors import BadInputError

SIDE_PX = 160
"""Longest side of each of the three images."""
WINDOW_HU = (-160.0, 240.0)
"""HU shown as black and as white: soft tissue."""
DIFFERENCE_HU = 100.0
"""The difference is shown from −100 to +100 HU in every scan, so that scans can be compared."""


def write_thumbnail(path: Path, before: np.ndarray, after: np.ndarray) -> None:
    """Write a PNG of the slice with the most organ tissue.

    Parameters
    ----------
    before, after : (slices, rows, columns) HU. Pixels are left out and not averaged, so the noise
        keeps its standard deviation.

    Raises
    ------
    BadInputError
        If the path is not UTF-8, or the file cannot be written.
    """
    name = itk_path(path)
    index = most_informative_slice(before)
    step = -(-max(before.shape[1:]) // SIDE_PX)
    old, new = (scan[index, ::step, ::step].astype(np.float32) for scan in (before, after))
    images = [_grey(old, *WINDOW_HU), _grey(new, *WINDOW_HU)]
    images.append(_grey(old - new, -DIFFERENCE_HU, DIFFERENCE_HU))
    try:
        sitk.WriteImage(sitk.GetImageFromArray(np.hstack(images)), name, useCompression=True)
    except RuntimeError as error:
        raise BadInputError(f"{path} could not be written: free some space.") from error


def _grey(hu: np.ndarray, black: float, white: float) -> np.ndarray:
    return np.rint(np.clip((hu - black) / (white - black), 0, 1) * 255).astype(np.uint8)
