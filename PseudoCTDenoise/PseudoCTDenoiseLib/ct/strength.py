"""Strength of the denoising: how much of the removed noise comes back.

A denoiser removes fine noise almost completely, but leaves much of the coarse noise. An even
mixture s·f(X) + (1 − s)·X therefore has coarser noise than the scan. To keep the texture of the
scan, the coarse part of the removed noise R = X − f(X) comes back less than the fine part: the
result is X − s·R − min(s, 1 − s)·L, where L is R averaged over :data:`COARSE_PIXELS`.
"""

from __future__ import annotations

import numpy as np

from .box_mean import box_mean
from .hounsfield import MIN_CT_HU, to_int16

COARSE_PIXELS = 5
"""Side of the box in pixels, applied twice, whose means are the coarse part of the noise."""


def apply_strength(
    original: np.ndarray,
    denoised: np.ndarray,
    strength: float,
    out: np.ndarray | None = None,
    *,
    keep_texture: bool = True,
) -> np.ndarray:
    """Return a scan from which a part of the noise is removed.

    Parameters
    ----------
    original, denoised : HU of the same shape; ``denoised`` at full strength.
    strength : 0 to 100 %. At 0 the result is the original, at 100 it is ``denoised``.
    out : array of the same shape for the result, int16 or floating-point, which may be
        ``denoised``; None makes a new array of :func:`voxel_type`.
    keep_texture : False mixes both scans evenly, as the first versions did.

    Returns
    -------
    HU; rounded if the array is int16. Voxels that ``denoised`` leaves unchanged, and padding below
    −1024 HU, keep the value of the original at every strength.
    """
    share = strength / 100
    coarse_share = min(share, 1 - share) if keep_texture else 0.0
    if out is None:
        out = np.empty(original.shape, voxel_type(original))
    rounded = (lambda hu: hu) if out.dtype.kind == "f" else to_int16
    # Slice by slice, to save memory.
    for index, (x, y) in enumerate(zip(original, denoised, strict=True)):
        wide = np.result_type(x, np.float32)
        kept = (x < MIN_CT_HU) | (x == y) | (strength == 0)
        blend = share * y.astype(wide) + (1 - share) * x.astype(wide)
        if coarse_share:
            blend -= coarse_share * _coarse(np.where(kept, 0, x.astype(wide) - y))
            np.maximum(blend, MIN_CT_HU, out=blend)
        out[index] = np.where(kept, rounded(x), rounded(blend))
    return out


def voxel_type(original: np.ndarray) -> np.dtype:
    """Return the type of a result that is exact at strength 0.

    This is int16, or the type of the original if it holds fractions of HU.
    """
    if original.dtype.kind == "f" and any((part != np.rint(part)).any() for part in original):
        return original.dtype
    return np.dtype(np.int16)


def _coarse(removed: np.ndarray) -> np.ndarray:
    """Return the coarse part of the removed noise of a slice, (rows, columns) HU."""
    return box_mean(box_mean(removed, COARSE_PIXELS), COARSE_PIXELS)
