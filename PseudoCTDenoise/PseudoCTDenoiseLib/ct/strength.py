"""Strength of the denoising: s·f(X) + (1 − s)·X."""

from __future__ import annotations

import numpy as np

from .hounsfield import MIN_CT_HU, to_int16


def apply_strength(
    original: np.ndarray, denoised: np.ndarray, strength: float, out: np.ndarray | None = None
) -> np.ndarray:
    """Return a weighted average of the original and the denoised scan.

    Parameters
    ----------
    original, denoised : HU of the same shape; ``denoised`` at full strength.
    strength : 0 to 100 %. At 0 the result is the original, rounded to whole HU.
    out : int16 array of the same shape for the result, which may be ``denoised``; None makes a
        new array.

    Returns
    -------
    int16 HU. Padding below −1024 HU keeps the value of the original.
    """
    share = strength / 100
    if out is None:
        out = np.empty(original.shape, np.int16)
    # Slice by slice, to save memory.
    for index, (x, y) in enumerate(zip(original, denoised, strict=True)):
        blend = to_int16(share * y.astype(np.float32) + (1 - share) * x.astype(np.float32))
        out[index] = np.where(x < MIN_CT_HU, x, blend)
    return out
