"""Direction of the noise in uniform soft tissue: how much streaks dominate its power."""

from __future__ import annotations

import numpy as np

from .flat_windows import flat_windows, window_spectrum

DIRECTIONS = 12


def direction_ratios(before: np.ndarray, after: np.ndarray) -> tuple[float, float]:
    """Return :func:`direction_ratio` of two images of a scan, in the same :func:`.flat_windows`.

    Parameters
    ----------
    before, after : (slices, rows, columns) or (rows, columns), HU.

    Raises
    ------
    BadInputError
        If the shapes differ, or no slice has enough soft tissue.
    """
    of_before, of_after = flat_windows(before, after)
    return direction_ratio(of_before), direction_ratio(of_after)


def direction_ratio(windows: np.ndarray) -> float:
    """Return the noise power in the strongest direction over that in the median direction.

    It is 1 for noise without a direction, apart from chance, and 0 without noise.

    Parameters
    ----------
    windows : HU, (count, side, side); each window's linear trend is subtracted.
    """
    _, angle, power = window_spectrum(windows)
    sector = np.round(angle / np.pi * DIRECTIONS).astype(int) % DIRECTIONS
    powers = [power[sector == number].mean() for number in range(DIRECTIONS)]
    return float(max(powers) / np.median(powers)) if max(powers) > 0 else 0.0
