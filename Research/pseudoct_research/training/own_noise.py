"""Simulated noise with the level, the spectrum and the direction of the noise that a scan has.

Training adds noise to scans that are noisy themselves, and :func:`.target_noise_fraction` holds
only if both have the same statistics. The kernels of scanners differ from the simulator's, so at
some frequencies the own noise of a scan would have far too little power beside the simulated noise,
at others far too much. A network that learns from such pairs leaves too much noise.
"""

from __future__ import annotations

import numpy as np
from PseudoCTDenoiseLib.ct.flat_windows import flat_windows, window_spectrum
from PseudoCTDenoiseLib.ct.slice_selection import evenly_spaced_indices
from PseudoCTDenoiseLib.denoising.noise_spectrum import FREQUENCIES
from PseudoCTDenoiseLib.errors import BadInputError

MOST_SLICES = 24
"""Maximum number of slices that are compared."""
MIN_WINDOWS = 400
"""Minimum number of flat windows for a parabola over the frequency; fewer get a straight line."""
MIN_SHARE = 0.3
"""Minimum power of the added noise over that of the scan at a frequency that is compared."""
MAX_GAIN = 4.0
"""Largest gain of a frequency; the smallest is its reciprocal."""
ROUNDS = 3
"""Number of estimates, each of the scan with the noise of the estimate before."""


def like_own_noise(noise: np.ndarray, hu: np.ndarray, dose: float) -> np.ndarray:
    """Return added noise whose power is 1/dose − 1 times that of the scan's own noise.

    The scan and its sum with the noise are compared in flat windows of soft tissue. Each image is
    measured in its own flattest windows, which have less noise than others, in both alike. The
    logarithm of the filter is a polynomial of the frequency and a cosine of twice the angle.

    Parameters
    ----------
    noise : simulated noise, (kernels, slices, rows, columns) HU. The first kernel is that of the
        scan and is compared; all are filtered alike.
    hu : the scan, (slices, rows, columns) HU. Noise of a scan without flat soft tissue is returned
        as it is.
    dose : fraction of the scan's dose after the noise is added.
    """
    few = evenly_spaced_indices(len(hu), MOST_SLICES)
    scan, drawn = hu[few].astype(np.float32), noise[0, few]
    try:
        own = _Spectrum(scan)
        gain = np.zeros(3 if own.are_few else 4)
        for _ in range(ROUNDS):
            added = _Spectrum(scan + _filtered(drawn, gain)).power - own.power
            compared = (own.frequency >= FREQUENCIES[0]) & (own.power > 0)
            compared &= added > MIN_SHARE * own.power
            terms = _terms(own.frequency, np.cos(2 * own.angle), len(gain))[:, compared]
            if np.linalg.matrix_rank(terms) < len(terms):
                break
            own_power, added = own.power[compared], added[compared]
            wanted = np.log((1 / dose - 1) * own_power / added) / 2
            weights = np.sqrt(added)
            gain = gain + np.linalg.lstsq((terms * weights).T, wanted * weights, rcond=None)[0]
    except BadInputError:  # too little soft tissue
        return noise
    return _filtered(noise, gain)


class _Spectrum:
    """Power spectrum of images in their flattest windows, and the number of these."""

    def __init__(self, images: np.ndarray):
        _, windows = flat_windows(images, images)
        self.are_few = len(windows) < MIN_WINDOWS
        self.frequency, self.angle, self.power = window_spectrum(windows)


def _filtered(noise: np.ndarray, gain: np.ndarray) -> np.ndarray:
    """Return noise, (..., rows, columns), with a gain on its spectrum.

    Parameters
    ----------
    gain : coefficients of the terms of its logarithm.
    """
    if not gain.any():
        return noise
    rows, columns = noise.shape[-2:]
    down, along = np.fft.fftfreq(rows)[:, None], np.fft.rfftfreq(columns)
    frequency = np.hypot(down, along)
    turned = (along**2 - down**2) / np.maximum(frequency, 1e-9) ** 2
    terms = _terms(frequency.clip(*FREQUENCIES), turned, len(gain))
    factor = np.exp(np.tensordot(gain, terms, 1)).clip(1 / MAX_GAIN, MAX_GAIN)
    result = np.empty_like(noise)
    for place in np.ndindex(noise.shape[:-2]):  # a whole scan would take gigabytes
        spectrum = np.fft.rfft2(noise[place].astype(np.float32)) * factor
        result[place] = np.fft.irfft2(spectrum, s=(rows, columns))
    return result


def _terms(frequency: np.ndarray, turned: np.ndarray, count: int) -> np.ndarray:
    """Return the terms of the logarithm of the gain, (count, ...).

    They are 1, the cosine of twice the angle, ``turned``, and powers of the frequency.
    """
    return np.stack([np.ones_like(frequency), turned, frequency, frequency**2][:count])
