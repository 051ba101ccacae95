"""How much of the denoising is shown: s·f(X) + (1 − s)·X."""

from __future__ import annotations

import numpy as np

from .hounsfield import MIN_CT_HU, to_int16


def apply_strength(
    original: np.ndarray, denoised: np.ndarray, strength: float, out: np.ndarray | None = None
) -> np.ndarray:
    """A scan between the original and the denoised one.

    Parameters
    ----------
    original, denoised : HU of the same shape; ``denoised`` at full strength.
    strength : 0 to 100 %. At 0 the original comes back bit by bit.
    out : int16 of the same shape to write to, which may be ``denoised``; None for a new array.

    Returns
    -------
    int16 HU. Padding below −1024 HU is always the original's.
    """
    share = strength / 100
    if out is None:
        out = np.empty(original.shape, np.int16)
    # A slice at a time: less memory.
    for index, (x, y) in enumerate(zip(original, denoised, strict=True)):
        blend = to_int16(share * y.astype(np.float32) + (1 - share) * x.astype(np.float32))
        out[index] = np.where(x < MIN_CT_HU, x, blend)
    return out
