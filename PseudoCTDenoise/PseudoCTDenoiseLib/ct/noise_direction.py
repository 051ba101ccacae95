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
    """Return :func:`direction_ratio` of two images of a scan, in their :func:`flat_windows`."""
    of_before, of_after = flat_windows(before, after)
    return direction_ratio(of_before), direction_ratio(of_after)


def flat_windows(before: np.ndarray, after: np.ndarray, *others: np.ndarray) -> list[np.ndarray]:
    """Return windows of uniform soft tissue, (count, WINDOW, WINDOW), of each image of a scan.

    In each slice, these are the tenth of the windows with a mean in [0, 130] HU in which the
    product of the standard deviations of the first two images is smallest.

    Parameters
    ----------
    before, after, others : (slices, rows, columns) or (rows, columns), HU.

    Raises
    ------
    BadInputError
        If the shapes differ, or no slice has enough soft tissue.
    """
    images = [paired_slices(before, image)[1] for image in (before, after, *others)]
    windows = []
    for slices in zip(*images, strict=True):
        if min(slices[0].shape) < WINDOW:
            continue
        (mean, deviation_before), (_, deviation_after) = (
            [values[::STRIDE, ::STRIDE] for values in mean_and_deviation(image, WINDOW)]
            for image in slices[:2]
        )
        soft = is_soft_tissue(mean)
        if np.count_nonzero(soft) < _MIN_WINDOWS:
            continue
        flatness = deviation_before * deviation_after
        chosen = soft & (flatness <= np.quantile(flatness[soft], FLATTEST))
        all_windows = (sliding_window_view(image, (WINDOW, WINDOW)) for image in slices)
        windows.append([few[::STRIDE, ::STRIDE][chosen] for few in all_windows])
    if not windows:
        raise BadInputError(
            "The direction of the noise cannot be measured: the image has too little soft tissue "
            "(0 to 130 HU). Choose a scan with more soft tissue."
        )
    return [np.concatenate(few) for few in zip(*windows, strict=True)]


def direction_ratio(windows: np.ndarray) -> float:
    """Return the noise power in the strongest direction over that in the median direction.

    It is 1 for noise without a direction, apart from chance, and 0 without noise.

    Parameters
    ----------
    windows : HU, (count, side, side); each window's linear trend is subtracted.
    """
    side = windows.shape[-1]
    windows = without_trend(windows)
    taper = np.hanning(side + 2)[1:-1]
    power = np.mean(np.abs(np.fft.fft2(windows * taper * taper[:, None])) ** 2, axis=0)
    frequency = np.fft.fftfreq(side)
    radius = np.hypot(frequency[:, None], frequency)
    angle = np.arctan2(frequency[:, None], frequency) % np.pi
    sector = np.round(angle / np.pi * DIRECTIONS).astype(int) % DIRECTIONS
    inside = (radius > LOWEST_FREQUENCY) & (radius < 0.5)
    powers = [power[inside & (sector == number)].mean() for number in range(DIRECTIONS)]
    return float(max(powers) / np.median(powers)) if max(powers) > 0 else 0.0


def without_trend(windows: np.ndarray) -> np.ndarray:
    """Return windows, (count, side, side), without their mean and their linear trend."""
    side = windows.shape[-1]
    down = np.broadcast_to(np.arange(side)[:, None] - (side - 1) / 2, (side, side))
    windows = windows - windows.mean(axis=(1, 2), keepdims=True)
    for slope in (down, down.T):
        share = (windows * slope).sum(axis=(1, 2), keepdims=True) / (slope**2).sum()
        windows = windows - share * slope
    return windows
