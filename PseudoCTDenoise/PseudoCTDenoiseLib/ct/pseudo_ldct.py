"""The pseudo-LDCT of a scan: the scan with its noise reversed.

The pseudo-LDCT on which the paper's loop tunes is another image, see
:mod:`..denoising.pseudo_pairs`.
"""

from __future__ import annotations

import numpy as np

from .hounsfield import MIN_CT_HU, to_int16


def pseudo_ldct(scan: np.ndarray, noise: np.ndarray) -> np.ndarray:
    """Return X − 2Z for a scan X and its noise map Z.

    The scan less its noise is the noise-free image, from which the noise is subtracted once more.
    The noise keeps its level and texture, because the part that the map misses is uncorrelated
    with the part that it finds.

    Parameters
    ----------
    scan, noise : (slices, rows, columns) HU.

    Returns
    -------
    int16 HU of the same shape, at least −1024 or, where the scan is lower, its value. Voxels
    without noise keep the value of the scan.
    """
    result = np.empty(scan.shape, np.int16)
    for index, (x, z) in enumerate(zip(scan, noise, strict=True)):  # saves memory
        reversed_noise = np.maximum(x - 2 * z.astype(np.int32), np.minimum(x, MIN_CT_HU))
        result[index] = to_int16(np.where(z == 0, x, reversed_noise))
    return result
