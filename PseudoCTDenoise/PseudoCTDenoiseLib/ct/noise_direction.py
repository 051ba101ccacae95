"""Direction of the noise in uniform soft tissue: how much streaks dominate its power."""

from __future__ import annotations

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from ..errors import BadInputError
from .image_arrays import paired_slices
from .noise_level import FLATTEST, is_soft_tissue, mean_and_deviation

WINDOW = 22
"""Side in pixels of the windows in which the direction is measured."""
STRIDE = 4
"""Distance in pixels between two windows."""
DIRECTIONS = 12
LOWEST_FREQUENCY = 1.5 / WINDOW
"""Lowest frequency in cycles per pixel. Lower ones contain anatomy."""
_MIN_WINDOWS = 40
"""Minimum number of soft-tissue windows in a slice."""


def direction_ratios(before: np.ndarray, after: np.ndarray) -> tuple[float, float]:
    """Return :func:`direction_ratio` of two images of a scan, in the same windows.

    In each slice, these are the tenth of the windows with a mean in [0, 130] HU whose product of
    both standard deviations is smallest.

    Parameters
    ----------
    before, after : (slices, rows, columns) or (rows, columns), HU.

    Raises
    ------
    BadInputError
        If the shapes differ, or no slice has enough soft tissue.
    """
    windows = []
    for pair in zip(*paired_slices(before, after), strict=True):
        if min(pair[0].shape) < WINDOW:
            continue
        (mean, deviation_before), (_, deviation_after) = (
            [values[::STRIDE, ::STRIDE] for values in mean_and_deviation(image, WINDOW)]
            for image in pair
        )
        soft = is_soft_tissue(mean)
        if np.count_nonzero(soft) < _MIN_WINDOWS:
            continue
        flatness = deviation_before * deviation_after
        chosen = soft & (flatness <= np.quantile(flatness[soft], FLATTEST))
        all_windows = (sliding_window_view(image, (WINDOW, WINDOW)) for image in pair)
        windows.append([few[::STRIDE, ::STRIDE][chosen] for few in all_windows])
    if not windows:
        raise BadInputError(
            "The direction of the noise cannot be measured: the image has too little soft tissue "
            "(0 to 130 HU). Choose a scan with more soft tissue."
        )
    of_before, of_after = (np.concatenate(few) for few in zip(*windows, strict=True))
    return direction_ratio(of_before), direction_ratio(of_after)


def direction_ratio(windows: np.ndarray) -> float:
    """Return the noise power in the strongest direction over that in the median direction.

    It is 1 for noise without a direction, apart from chance, and 0 without noise.

    Parameters
    ----------
    windows : HU, (count, side, side); each window's linear trend is subtracted.
    """
    side = windows.shape[-1]
    down = np.broadcast_to(np.arange(side)[:, None] - (side - 1) / 2, (side, side))
    windows = windows - windows.mean(axis=(1, 2), keepdims=True)
    for slope in (down, down.T):
        share = (windows * slope).sum(axis=(1, 2), keepdims=True) / (slope**2).sum()
        windows = windows - share * slope
    taper = np.hanning(side + 2)[1:-1]
    power = np.mean(np.abs(np.fft.fft2(windows * taper * taper[:, None])) ** 2, axis=0)
    frequency = np.fft.fftfreq(side)
    radius = np.hypot(frequency[:, None], frequency)
    angle = np.arctan2(frequency[:, None], frequency) % np.pi
    sector = np.round(angle / np.pi * DIRECTIONS).astype(int) % DIRECTIONS
    inside = (radius > LOWEST_FREQUENCY) & (radius < 0.5)
    powers = [power[inside & (sector == number)].mean() for number in range(DIRECTIONS)]
    return float(max(powers) / np.median(powers)) if max(powers) > 0 else 0.0
