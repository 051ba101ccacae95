"""Power spectrum of the noise in flat windows."""

from __future__ import annotations

import numpy as np

_BIN_PER_CM = 0.25
_BINS = 32
"""Number of rings of the spectrum, up to 8 /cm."""


def noise_power_spectrum(windows: np.ndarray, pixel_mm: float) -> tuple[np.ndarray, np.ndarray]:
    """Return the radial noise power spectrum of flat windows (ICRU 87; AAPM TG-233).

    Parameters
    ----------
    windows : HU, (count, rows, columns), usually 64x64; each window's mean is subtracted
    pixel_mm : side of a square pixel in mm

    Returns
    -------
    frequency : centres of the bins in 1/cm
    power : mean of pixel_mm^2 / (rows columns) |DFT|^2 over the windows and over each ring,
        in HU^2 mm^2. The zero frequency is left out, because each mean was subtracted.
        Rings without a sample are interpolated; the power is 0 beyond the corner of the
        sampled spectrum.
    """
    windows = np.asarray(windows, dtype=np.float64)
    windows = windows - windows.mean(axis=(1, 2), keepdims=True)
    _, rows, columns = windows.shape
    spectrum = np.mean(np.abs(np.fft.fft2(windows)) ** 2, axis=0) * pixel_mm**2 / (rows * columns)
    radius = 10 * np.hypot(
        np.fft.fftfreq(rows, pixel_mm)[:, None], np.fft.fftfreq(columns, pixel_mm)
    )
    frequency = (np.arange(_BINS) + 0.5) * _BIN_PER_CM
    ring = np.floor(radius / _BIN_PER_CM).astype(int)
    inside = (ring < _BINS) & (radius > 0)
    count = np.bincount(ring[inside], minlength=_BINS)
    total = np.bincount(ring[inside], weights=spectrum[inside], minlength=_BINS)
    filled = count > 0
    power = np.interp(frequency, frequency[filled], total[filled] / count[filled], right=0.0)
    return frequency, power
