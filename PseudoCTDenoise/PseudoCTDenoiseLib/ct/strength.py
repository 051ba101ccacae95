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
    strength : 0 to 100 %. At 0 the result is the original.
    out : array of the same shape for the result, int16 or floating-point, which may be
        ``denoised``; None makes a new array of :func:`voxel_type`.

    Returns
    -------
    HU; rounded if the array is int16. Padding below −1024 HU, where both are equal except for
    fractions of HU, keeps the value of the original.
    """
    share = strength / 100
    if out is None:
        out = np.empty(original.shape, voxel_type(original))
    rounded = (lambda hu: hu) if out.dtype.kind == "f" else to_int16
    # Slice by slice, to save memory.
    for index, (x, y) in enumerate(zip(original, denoised, strict=True)):
        wide = np.result_type(x, np.float32)
        blend = share * y.astype(wide) + (1 - share) * x.astype(wide)
        padding = (x < MIN_CT_HU) & (np.rint(x) == y)
        out[index] = np.where(padding | (strength == 0), rounded(x), rounded(blend))
    return out


def voxel_type(original: np.ndarray) -> np.dtype:
    """Return the type of a result that is exact at strength 0.

    This is int16, or the type of the original if it holds fractions of HU.
    """
    if original.dtype.kind == "f" and any((part != np.rint(part)).any() for part in original):
        return original.dtype
    return np.dtype(np.int16)
