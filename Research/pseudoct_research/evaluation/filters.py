"""Untrained filters as baselines for the networks, slice by slice in HU.

Every function takes (slices, rows, columns) or (rows, columns) and returns float32 HU of that
shape. Each slice is filtered separately, since a stack may hold unrelated slices. Padding below
-1024 HU does not affect the image and is returned unchanged. Settings are in HU and pixels, so no
library infers a range from the data.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

import numpy as np
import SimpleITK as sitk
from PseudoCTDenoiseLib.ct.hounsfield import MIN_CT_HU, RANGE_HU
from PseudoCTDenoiseLib.ct.noise_level import soft_tissue_noise
from PseudoCTDenoiseLib.ct.reference_metrics import psnr_4096
from PseudoCTDenoiseLib.denoising.clipping import unmeasured
from PseudoCTDenoiseLib.errors import BadInputError

_STABLE_TIME_STEP_2D = 0.125
"""Upper limit of the time step that ITK documents: 0.5 / 2^N for N dimensions and unit spacing."""


def non_local_means(
    hu: np.ndarray, *, strength: float = 0.8, noise_hu: float | None = None
) -> np.ndarray:
    """Apply non-local means (Buades et al., CVPR 2005), 5×5 patches in a 13×13 neighbourhood.

    Parameters
    ----------
    strength : filter parameter h in units of the noise's standard deviation.
    noise_hu : standard deviation of the noise; None measures it in soft tissue. Wavelet
        estimators do not work here: they mistake correlated CT noise for signal.

    Raises
    ------
    BadInputError
        If ``noise_hu`` is None and the image has no soft tissue to measure the noise in.
    """
    from skimage.restoration import denoise_nl_means

    sigma = (soft_tissue_noise(hu) if noise_hu is None else noise_hu) / RANGE_HU

    def denoise(part: np.ndarray) -> np.ndarray:
        # The running sums of the fast mode lose precision in float32.
        denoised = denoise_nl_means(
            part.astype(np.float64) / RANGE_HU,
            patch_size=5,
            patch_distance=6,
            h=strength * sigma,
            sigma=sigma,
            fast_mode=True,
            preserve_range=True,
        )
        return denoised * RANGE_HU

    # Without noise the weights of equal patches would be 0 / 0.
    return _slice_by_slice(hu, denoise if sigma * strength > 0 else np.copy)


def total_variation(hu: np.ndarray, *, weight_hu: float = 15.0) -> np.ndarray:
    """Apply total-variation denoising (Chambolle, JMIV 2004).

    A good ``weight_hu`` is close to the standard deviation of the noise in HU.
    """
    from skimage.restoration import denoise_tv_chambolle

    return _slice_by_slice(hu, lambda part: denoise_tv_chambolle(part, weight=weight_hu))


def gaussian(hu: np.ndarray, *, sigma_px: float = 0.6) -> np.ndarray:
    """Smooth each slice with a Gaussian of ``sigma_px`` pixels."""
    from scipy.ndimage import gaussian_filter

    return _slice_by_slice(hu, lambda part: gaussian_filter(part, sigma_px, mode="nearest"))


def curvature_anisotropic_diffusion(
    hu: np.ndarray, *, conductance: float = 1.0, iterations: int = 2
) -> np.ndarray:
    """Apply modified curvature diffusion (Whitaker & Xue, ICIP 2001).

    Slicer's module of this name works in three dimensions with a time step of 0.0625; its defaults
    are a conductance of 1 and one iteration. In two dimensions the stable time step is 0.125, so
    one iteration here corresponds to two iterations there.
    """

    def denoise(part: np.ndarray) -> np.ndarray:
        image = sitk.GetImageFromArray(part)
        return sitk.GetArrayFromImage(
            sitk.CurvatureAnisotropicDiffusion(
                image, _STABLE_TIME_STEP_2D, conductance, 1, iterations
            )
        )

    return _slice_by_slice(hu, denoise)


@dataclass(frozen=True)
class Filter:
    """Filter with the grid of settings for :func:`best_setting`.

    ``function(hu, **setting)`` filters; ``default`` is the setting without a search.
    """

    name: str
    function: Callable[..., np.ndarray]
    default: Mapping[str, Any]
    grid: tuple[Mapping[str, Any], ...] = field(repr=False)


def best_setting(
    filter_: Filter,
    images: Sequence[np.ndarray],
    references: Sequence[np.ndarray],
    score: Callable[[np.ndarray, np.ndarray], float] = psnr_4096,
) -> dict[str, Any]:
    """Return the setting of the grid with the highest mean score relative to the references.

    The images may have different sizes and may be (slices, rows, columns). If the setting is
    chosen and reported on the same images, the score is an upper bound; a fair comparison chooses
    it on validation scans.
    """

    def mean_score(setting: Mapping[str, Any]) -> float:
        pairs = zip(images, references, strict=True)
        return np.mean([score(filter_.function(x, **setting), y) for x, y in pairs])

    return dict(max(filter_.grid, key=mean_score))


def _filter(
    name: str, function: Callable[..., np.ndarray], default: dict[str, Any], **axes: tuple
) -> Filter:
    """Return a filter whose grid combines all values of the axes."""
    grid: list[dict[str, Any]] = [{}]
    for axis, values in axes.items():
        grid = [{**setting, axis: value} for setting in grid for value in values]
    return Filter(
        name, function, MappingProxyType(default), tuple(MappingProxyType(s) for s in grid)
    )


FILTERS: dict[str, Filter] = {
    "gaussian": _filter(
        "Gaussian", gaussian, {"sigma_px": 0.6}, sigma_px=(0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 1.0, 1.2)
    ),
    "curvature_anisotropic_diffusion": _filter(
        "Curvature anisotropic diffusion",
        curvature_anisotropic_diffusion,
        {"conductance": 1.0, "iterations": 2},
        conductance=(0.5, 1.0, 2.0, 4.0),
        iterations=(1, 2, 5, 10),
    ),
    "total_variation": _filter(
        "Total variation",
        total_variation,
        {"weight_hu": 15.0},
        weight_hu=(5.0, 10.0, 15.0, 20.0, 30.0, 40.0, 60.0),
    ),
    "non_local_means": _filter(
        "Non-local means",
        non_local_means,
        {"strength": 0.8},
        strength=(0.3, 0.4, 0.5, 0.6, 0.8, 1.0, 1.3),
    ),
}


def _slice_by_slice(hu: np.ndarray, denoise: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    if hu.ndim not in (2, 3):
        raise BadInputError(
            f"A filter cannot process an array of shape {hu.shape}. "
            "Give (slices, rows, columns) or (rows, columns)."
        )
    hu = hu.astype(np.float32)
    result = np.empty_like(hu)
    for index in np.ndindex(hu.shape[:-2]):
        part = hu[index]
        padding = part < MIN_CT_HU
        if padding.any():
            padding &= unmeasured(part)
        result[index] = np.where(padding, part, denoise(np.maximum(part, MIN_CT_HU)))
    return result
