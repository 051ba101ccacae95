"""Direction of the noise in uniform soft tissue: how much streaks dominate its power."""

from __future__ import annotations

import numpy as np

from .flat_windows import window_spectrum

DIRECTIONS = 12


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
