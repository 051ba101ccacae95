"""Clipping of a scan at −1024 HU, where noise has a non-zero mean."""

from __future__ import annotations

import math

import numpy as np
import torch

from ..ct.constant_areas import connected_parts, constant_areas
from ..ct.hounsfield import MIN_CT_HU
from .tensor_box_mean import WINDOW, double_box_mean, tensor_box_sum

PADDING_HU = -2000
"""HU from which downwards a voxel is padding. Noise in air is hardly ever that low."""
_MINIMUM_NOISE_HU = 1e-6


def clipped_fraction(hu: torch.Tensor) -> torch.Tensor:
    """Return the fraction of clipped voxels around each voxel, 0 to 1, (N, rows, columns)."""
    return double_box_mean((hu <= MIN_CT_HU).float())


def padding(hu: torch.Tensor) -> torch.Tensor:
    """Return True where a whole window lies at the lower HU limit, which noise hardly ever does.

    (N, rows, columns) of bool. Padding thinner than the window, or than half of it along the
    edge of the image, counts as part of the scan.
    """
    at_limit = tensor_box_sum((hu > MIN_CT_HU).float(), WINDOW) == 0
    return tensor_box_sum(at_limit.float(), WINDOW) > 0


def unmeasured(hu: np.ndarray) -> np.ndarray:
    """Return True in the padding of a slice, below, at or above the lower HU limit.

    (rows, columns) of bool for (rows, columns) HU. Below the limit, padding consists of whole
    windows and of what is connected to them and as low, or is at most :data:`PADDING_HU`. Other
    voxels below the limit are noise in air: not every scanner clips it.
    """
    at_limit = padding(torch.from_numpy(hu.astype(np.float32))[None])[0].numpy()
    below = hu < MIN_CT_HU
    core = below & (at_limit | (hu <= PADDING_HU))
    if core.any():
        core = connected_parts(core, core | (below & (hu <= np.median(hu[core]))))
    return core | at_limit | constant_areas(hu)


def with_padding(hu: np.ndarray, scan: np.ndarray) -> np.ndarray:
    """Return HU with the padding of a scan; both are (slices, rows, columns)."""
    pairs = zip(hu, scan, strict=True)
    return np.stack([np.where(unmeasured(part), part, image) for image, part in pairs])


def clipping_probability(signal_hu: torch.Tensor, deviation_hu: torch.Tensor) -> torch.Tensor:
    """Return the probability that Gaussian noise takes a voxel below the lower HU limit."""
    return _normal_cdf((MIN_CT_HU - signal_hu) / deviation_hu.clamp(min=_MINIMUM_NOISE_HU))


def clipping_bias(signal_hu: torch.Tensor, deviation_hu: torch.Tensor) -> torch.Tensor:
    """Return the mean, in HU, of Gaussian noise that is clipped at the lower HU limit.

    σ·(φ(t) + t·Φ(t)), with t the distance to the limit in units of σ.

    Parameters
    ----------
    signal_hu : noise-free signal. Below the limit every value is raised, so the limit counts.
    deviation_hu : σ of the noise before clipping, of the same shape.
    """
    deviation_hu = deviation_hu.clamp(min=_MINIMUM_NOISE_HU)
    distance = -(signal_hu - MIN_CT_HU).abs() / deviation_hu
    density = torch.exp(-(distance**2) / 2) / math.sqrt(2 * math.pi)
    return deviation_hu * (density + distance * _normal_cdf(distance)).clamp(min=0)


def _normal_cdf(distance: torch.Tensor) -> torch.Tensor:
    """Return Φ. Every device has erf, and some lack torch.special.ndtr."""
    return (1 + torch.erf(distance / math.sqrt(2))) / 2
