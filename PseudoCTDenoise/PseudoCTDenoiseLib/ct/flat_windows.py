"""Spectrum of the noise in flat windows of soft tissue."""

from __future__ import annotations

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from ..errors import BadInputError
from .image_arrays import paired_slices
from .noise_level import flattest, mean_and_deviation

WINDOW = 22
"""Side of a window in pixels."""
STRIDE = 4
"""Distance in pixels between two windows."""
LOWEST_FREQUENCY = 1.5 / WINDOW
"""Lowest frequency in cycles per pixel. Lower ones contain anatomy."""
_HIGHEST_FREQUENCY = 0.5
_MIN_WINDOWS = 40
"""Minimum number of soft-tissue windows in a slice."""


def flat_windows(before: np.ndarray, after: np.ndarray, *others: np.ndarray) -> list[np.ndarray]:
    """Return the flattest windows of images of a scan, at the same places.

    In each slice, these are the tenth of the windows with a mean in [0, 130] HU in which the
    product of the standard deviations of ``before`` and ``after`` is smallest.

    Parameters
    ----------
    before, after, others : (slices, rows, columns) or (rows, columns), HU.

    Returns
    -------
    An array of HU, (count, 22, 22), for each image.

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
        mean, deviation_before = _mean_and_deviation(slices[0])
        same = after is before
        deviation_after = deviation_before if same else _mean_and_deviation(slices[1])[1]
        chosen = flattest(mean, np.stack([deviation_before, deviation_after]), _MIN_WINDOWS)
        if chosen is None:
            continue
        all_windows = (sliding_window_view(image, (WINDOW, WINDOW)) for image in slices)
        windows.append([few[::STRIDE, ::STRIDE][chosen] for few in all_windows])
    if not windows:
        raise BadInputError(
            "The texture of the noise cannot be measured: the image has too little soft tissue "
            "(0 to 130 HU). Choose a scan with more soft tissue."
        )
    return [np.concatenate(few) for few in zip(*windows, strict=True)]


def _mean_and_deviation(image: np.ndarray) -> tuple[np.ndarray, ...]:
    """Return mean and standard deviation of each window."""
    return tuple(values[::STRIDE, ::STRIDE] for values in mean_and_deviation(image, WINDOW))


def without_trend(windows: np.ndarray) -> np.ndarray:
    """Return windows, (count, side, side), without their mean and their linear trend."""
    side = windows.shape[-1]
    down = np.broadcast_to(np.arange(side)[:, None] - (side - 1) / 2, (side, side))
    windows = windows - windows.mean(axis=(1, 2), keepdims=True)
    for slope in (down, down.T):
        share = (windows * slope).sum(axis=(1, 2), keepdims=True) / (slope**2).sum()
        windows = windows - share * slope
    return windows


def window_transforms(windows: np.ndarray) -> np.ndarray:
    """Return the Fourier transforms of windows, (count, side, side), without trend and tapered."""
    taper = np.hanning(windows.shape[-1] + 2)[1:-1]
    return np.fft.fft2(without_trend(windows) * taper * taper[:, None])


def window_spectrum(windows: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the two-dimensional power spectrum of windows, above the frequencies of anatomy.

    Parameters
    ----------
    windows : HU, (count, side, side); each window's linear trend is subtracted.

    Returns
    -------
    Frequency in cycles per pixel, angle in radians (0 to π) and power, each (samples,).
    """
    power = np.mean(np.abs(window_transforms(windows)) ** 2, axis=0)
    frequency = np.fft.fftfreq(windows.shape[-1])
    radius = np.hypot(frequency[:, None], frequency)
    angle = np.arctan2(frequency[:, None], frequency) % np.pi
    inside = (radius > LOWEST_FREQUENCY) & (radius < _HIGHEST_FREQUENCY)
    return radius[inside], angle[inside], power[inside]


def mean_frequency(windows: np.ndarray) -> float | None:
    """Return the mean frequency of the noise in cycles per pixel; None without noise.

    It is that of the radial spectrum between 0.07 and 0.5 cycles per pixel.

    Parameters
    ----------
    windows : HU, (count, side, side).
    """
    frequency, _, power = window_spectrum(windows)
    radial = power / frequency  # a ring has samples in proportion to its radius
    return float(np.sum(frequency * radial) / np.sum(radial)) if power.any() else None


def low_frequency_share(windows: np.ndarray, scan: np.ndarray) -> float | None:
    """Return the fraction of the power at low frequencies: 0.5 if noise has the scan's texture.

    Low are the frequencies below which the scan's noise has half of its power, between 0.07 and
    0.5 cycles per pixel.

    Parameters
    ----------
    windows, scan : HU, (count, 22, 22); the noise and the scan's noise.

    Returns
    -------
    None if one of both has no noise.
    """
    frequency, _, power = window_spectrum(windows)
    _, _, reference = window_spectrum(scan)
    if not power.any() or not reference.any():
        return None
    order = np.argsort(frequency)
    below, reference_below = (
        np.cumsum(values[order]) / values.sum() for values in (power, reference)
    )
    return float(np.interp(0.5, reference_below, below))
