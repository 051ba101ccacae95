"""Figures of the noise texture in flat windows: shape of the spectrum and autocorrelation."""

from __future__ import annotations

import numpy as np


def normalised_spectrum(power: np.ndarray) -> np.ndarray:
    """Return a radial spectrum scaled to a sum of 1 over its bins, which keeps only its shape."""
    return power / power.sum()


def radial_mean_frequency(frequency: np.ndarray, power: np.ndarray) -> float:
    """Return f_av, the mean frequency weighted by the radial spectrum, in the unit of frequency."""
    return float(np.sum(frequency * power) / np.sum(power))


def autocorrelation(windows: np.ndarray, lags: tuple[int, ...] = (1, 2, 3)) -> dict[str, float]:
    """Return the correlation of pixels ``lags`` apart along columns (x) and rows (y).

    ``windows`` is (count, rows, columns); each window's mean is subtracted. The correlation is
    that over all windows. The keys are x1, x2, x3, y1, y2, y3.
    """
    windows = np.asarray(windows, dtype=np.float64)
    windows = windows - windows.mean(axis=(1, 2), keepdims=True)
    variance = np.mean(windows**2)
    along_x = {f"x{k}": windows[:, :, k:] * windows[:, :, :-k] for k in lags}
    along_y = {f"y{k}": windows[:, k:, :] * windows[:, :-k, :] for k in lags}
    return {key: float(np.mean(v) / variance) for key, v in {**along_x, **along_y}.items()}
