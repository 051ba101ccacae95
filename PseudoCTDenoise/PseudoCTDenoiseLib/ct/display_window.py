"""The window at which noise and differences are shown: symmetric, and round."""

from __future__ import annotations

import numpy as np

LIMITS_HU = (10.0, 20.0, 50.0, 100.0, 200.0, 500.0, 1000.0)


def noise_limit(noise: np.ndarray) -> float:
    """The end of the scale in HU: the next round figure above three standard deviations.

    Parameters
    ----------
    noise : HU, any shape. Voxels without any are left out, and the deviation is taken from the
        median: padding and air differ by nothing, metal by far more than the noise.
    """
    changed = np.abs(noise[noise != 0])
    spread = 3 * 1.4826 * float(np.median(changed)) if changed.size else 0.0
    return next((limit for limit in LIMITS_HU if limit >= spread), LIMITS_HU[-1])
