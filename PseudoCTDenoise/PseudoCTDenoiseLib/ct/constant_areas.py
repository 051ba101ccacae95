"""Areas of one exact value, which a measurement never has: padding of any value."""

from __future__ import annotations

import numpy as np
import SimpleITK as sitk

from .box_mean import box_sums
from .hounsfield import MAX_CT_HU, MIN_CT_HU, TISSUE_HU

_WINDOW = 9
"""Side in pixels of a window of one value from which an area is padding. Noise of 1 HU or more has
none."""
_OFTEN = 1.3
"""Pixels of the lowest value, relative to those in its windows, from which noise is cut at it."""


def constant_areas(hu: np.ndarray) -> np.ndarray:
    """Return True where a slice has one exact value above −1024 HU, (rows, columns) of bool.

    An area consists of connected pixels of one value and contains a window of 9×9 of them. At the
    edge of the image the 5×5 pixels inside are enough. If many pixels of the lowest value lie
    outside such windows, noise was cut at it, and only the windows count. At −1024 HU, clipped
    noise also has areas of one value, see :mod:`..denoising.clipping`. In a slice of several values
    without noise, where constant areas leave no window of 9×9 pixels, tissue may have one exact
    value and none counts.

    Parameters
    ----------
    hu : (rows, columns), HU.
    """
    areas = np.zeros(hu.shape, bool)
    if not _has_block_of_one_value(hu):  # most slices, and much faster than the search
        return areas
    cores = _windows_of_one_value(hu) & (hu > MIN_CT_HU)
    values = np.unique(hu[cores])
    lowest = hu[hu > MIN_CT_HU].min() if values.size else None
    for value in values:
        same = hu == value
        core = cores & same
        is_cut = value == lowest and same.sum() > _OFTEN * core.sum()
        areas |= core if is_cut else connected_parts(core, same)
    return areas if areas.all() or _has_measurement(hu, areas) else np.zeros_like(areas)


def tissue_padding(hu: np.ndarray) -> np.ndarray:
    """Return True where padding looks like tissue, (rows, columns) of bool.

    These are the :func:`constant_areas` above −500 HU. Areas at the upper limit of the HU range are
    saturated metal, and those of a slice without noise may be tissue.
    """
    areas = constant_areas(hu)
    if areas.all():
        return np.zeros_like(areas)
    return areas & (hu > TISSUE_HU) & (hu < MAX_CT_HU)


def surrounding_padding(hu: np.ndarray) -> np.ndarray:
    """Return True in :func:`tissue_padding` connected to the edge of the image, bool.

    Inside a body without noise, such as a phantom's, tissue may have one exact value.
    """
    return _connected_to_edge(tissue_padding(hu))


def padding_above(hu: np.ndarray, limit: float) -> np.ndarray:
    """Return True in :func:`constant_areas` above a limit in HU, connected to the edge, bool.

    Saturated metal also has one exact value, but lies inside the body.
    """
    above = hu > limit
    return _connected_to_edge(constant_areas(hu) & above) if above.any() else above


def connected_parts(cores: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Return the connected parts of a mask that contain a core, (rows, columns) of bool."""
    images = (sitk.GetImageFromArray(part.astype(np.uint8)) for part in (cores, mask))
    return sitk.GetArrayFromImage(sitk.BinaryReconstructionByDilation(*images)) > 0


def _connected_to_edge(areas: np.ndarray) -> np.ndarray:
    at_edge = areas.copy()
    at_edge[1:-1, 1:-1] = False
    return connected_parts(at_edge, areas)


def _has_block_of_one_value(hu: np.ndarray) -> bool:
    """Return False if no area is possible: each contains a block of a grid of 3×3 pixels.

    In an image of less than 5 rows or columns it may not.
    """
    if min(hu.shape) < 5:
        return True
    rows, columns = (length - length % 3 for length in hu.shape)
    first = hu[:rows:3, :columns:3]
    equal = first > MIN_CT_HU
    for down in range(3):
        for right in range(3):
            equal &= hu[down:rows:3, right:columns:3] == first
    return bool(equal.any())


def _windows_of_one_value(hu: np.ndarray) -> np.ndarray:
    """Return True in all windows of one value, (rows, columns)."""
    reach = _WINDOW // 2
    hu = np.pad(hu, reach, mode="edge")
    equal_rows = _full_windows(hu[1:] == hu[:-1], _WINDOW - 1, _WINDOW)
    equal_columns = _full_windows(hu[:, 1:] == hu[:, :-1], _WINDOW, _WINDOW - 1)
    centres = np.pad(equal_rows & equal_columns, reach)
    return ~_full_windows(~centres, _WINDOW, _WINDOW)


def _has_measurement(hu: np.ndarray, areas: np.ndarray) -> bool:
    return bool(_full_windows(~areas & (hu > MIN_CT_HU), _WINDOW, _WINDOW).any())


def _full_windows(mask: np.ndarray, rows: int, columns: int) -> np.ndarray:
    """Return True for each window of rows x columns inside a mask that is True everywhere."""
    return box_sums(mask, rows, columns, np.int32) == rows * columns
