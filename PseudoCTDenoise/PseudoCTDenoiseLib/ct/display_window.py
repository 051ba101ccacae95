"""Display window of noise and difference images: symmetric about 0, with round limits."""

from __future__ import annotations

import numpy as np

LIMITS_HU = (10.0, 20.0, 50.0, 100.0, 200.0, 500.0, 1000.0)
"""Upper limits of the window in HU."""
MOST_VOXELS = 2**20
MAD_TO_SIGMA = 1.4826
"""Standard deviation of normal noise over its median absolute deviation."""


def noise_limit(noise: np.ndarray) -> float:
    """Return the upper window limit in HU: the next round number above three standard deviations.

    Parameters
    ----------
    noise : HU, any shape. Voxels of value 0 (padding, clipped air) are left out. The standard
        deviation is estimated from the median absolute value, which metal does not affect. Of a
        long scan, about a million voxels that are evenly spread are used.
    """
    step = noise.size // MOST_VOXELS | 1  # odd, so that all columns count
    sample = noise.reshape(-1)[::step]
    changed = np.abs(sample[sample != 0])
    spread = 3 * MAD_TO_SIGMA * float(np.median(changed)) if changed.size else 0.0
    return next((limit for limit in LIMITS_HU if limit >= spread), LIMITS_HU[-1])
