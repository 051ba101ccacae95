"""Image metrics against a reference: PSNR, SSIM, RMSE and HU bias.

Images are HU arrays of (slices, rows, columns) or (rows, columns). Voxels below -1024 HU are
padding or noise in air; both images are clipped at -1024 HU before they are compared.
The data range is never inferred from the images. One slice at a time is in memory as float64.
"""

from __future__ import annotations

import numpy as np

from .body_mask import body_mask
from .hounsfield import MIN_CT_HU, RANGE_HU
from .image_arrays import iterate_pairs

SOFT_WINDOW_HU = (-160.0, 240.0)
"""The abdominal window (width 400, level 40) of PSNR-400 and SSIM-400."""


def psnr_4096(image: np.ndarray, reference: np.ndarray) -> float:
    """Return 20 log10(4096 / RMSE in HU) over all voxels, in dB; infinite for equal images."""
    return _psnr(rmse_hu(image, reference), RANGE_HU)


def psnr_400(image: np.ndarray, reference: np.ndarray) -> float:
    """Return the PSNR in dB after clipping both images to [-160, 240] HU; range 400 HU."""
    low, high = SOFT_WINDOW_HU
    return _psnr(_rmse(image, reference, SOFT_WINDOW_HU), high - low)


def rmse_hu(image: np.ndarray, reference: np.ndarray) -> float:
    """Return the root mean square error over all voxels, in HU."""
    return _rmse(image, reference)


def ssim_4096(image: np.ndarray, reference: np.ndarray) -> float:
    """Return the structural similarity of HU + 1024 with a range of 4096, averaged over slices.

    Wang et al., IEEE TIP 2004, in scikit-image's default form: uniform 7x7 window, sample
    covariance, K1 = 0.01, K2 = 0.03. The default makes the value comparable with other work; a
    Gaussian window gives other values. Slices must be at least 7x7.
    """
    return _ssim(image, reference, MIN_CT_HU, MIN_CT_HU + RANGE_HU, clip=False)


def ssim_400(image: np.ndarray, reference: np.ndarray) -> float:
    """Return :func:`ssim_4096` after clipping to [-160, 240] HU, with a range of 400."""
    return _ssim(image, reference, *SOFT_WINDOW_HU, clip=True)


def hu_bias(image: np.ndarray, reference: np.ndarray) -> float:
    """Return the mean of image - reference in HU inside the body; NaN without a body.

    Parameters
    ----------
    image, reference : HU, (slices, rows, columns) or (rows, columns)
    """
    total, count = 0.0, 0
    for part, other in iterate_pairs(image, reference):
        inside = body_mask(other)
        total += float((part - other)[inside].sum())
        count += int(inside.sum())
    return total / count if count else np.nan


def image_metrics(image: np.ndarray, reference: np.ndarray) -> dict[str, float]:
    """Return one row of a results table.

    Returns
    -------
    dict
        ``psnr_4096``, ``psnr_400`` in dB; ``ssim_4096``, ``ssim_400``; ``rmse_hu`` and
        ``hu_bias`` in HU, the mean inside the body, in which opposite errors of tissues cancel.
    """
    return {
        "psnr_4096": psnr_4096(image, reference),
        "psnr_400": psnr_400(image, reference),
        "ssim_4096": ssim_4096(image, reference),
        "ssim_400": ssim_400(image, reference),
        "rmse_hu": rmse_hu(image, reference),
        "hu_bias": hu_bias(image, reference),
    }


def _rmse(
    image: np.ndarray, reference: np.ndarray, limits: tuple[float, float] = (-np.inf, np.inf)
) -> float:
    pairs = iterate_pairs(image, reference)
    squares = [np.mean((part.clip(*limits) - other.clip(*limits)) ** 2) for part, other in pairs]
    return float(np.sqrt(np.mean(squares)))


def _psnr(rmse: float, data_range: float) -> float:
    return float(20 * np.log10(data_range / rmse)) if rmse > 0 else np.inf


def _ssim(
    image: np.ndarray, reference: np.ndarray, low: float, high: float, *, clip: bool
) -> float:
    from skimage.metrics import structural_similarity

    limits = (low, high) if clip else (-np.inf, np.inf)
    # The luminance term expects values that start at zero, like the input of a network.
    values = [
        structural_similarity(
            part.clip(*limits) - low, other.clip(*limits) - low, data_range=high - low
        )
        for part, other in iterate_pairs(image, reference)
    ]
    return float(np.mean(values))
