"""Where a scan ends at −1024 HU: noise that is cut off on one side has a mean."""

from __future__ import annotations

import math

import torch
from torch.nn import functional as F

from ..ct.hounsfield import MIN_CT_HU

_WINDOW = 15
"""Pixels of a mean that is taken twice: alone, a voxel shows its own noise."""
_NO_NOISE_HU = 1e-6


def cut_off_share(hu: torch.Tensor) -> torch.Tensor:
    """How many of the voxels around each lie at the scale's end, 0 to 1, (N, rows, columns)."""
    return box_mean((hu <= MIN_CT_HU).float())


def padding(hu: torch.Tensor) -> torch.Tensor:
    """Where a scan lies at the scale's end over a whole window: noise alone hardly ever does.

    (N, rows, columns) of bool; padding thinner than the window, or than half of it along the
    image's edge, is taken for the scan.
    """
    above = _box_max((hu > MIN_CT_HU).float())
    return _box_max(1 - above) > 0


def cut_off_chance(shown_hu: torch.Tensor, deviation_hu: torch.Tensor) -> torch.Tensor:
    """How likely Gaussian noise of a standard deviation takes a voxel below the scale's end."""
    return _normal_below((MIN_CT_HU - shown_hu) / deviation_hu.clamp(min=_NO_NOISE_HU))


def cut_off_mean(shown_hu: torch.Tensor, deviation_hu: torch.Tensor) -> torch.Tensor:
    """What Gaussian noise adds to the mean where it is cut off at the scale's end, HU.

    σ·(φ(t) + t·Φ(t)), with t the end's distance in units of σ.

    Parameters
    ----------
    shown_hu : what is seen without noise; below the end, where all is lifted, the end itself.
    deviation_hu : σ of the noise before it is cut off, of the same shape.
    """
    deviation_hu = deviation_hu.clamp(min=_NO_NOISE_HU)
    distance = -(shown_hu - MIN_CT_HU).abs() / deviation_hu
    density = torch.exp(-(distance**2) / 2) / math.sqrt(2 * math.pi)
    return deviation_hu * (density + distance * _normal_below(distance)).clamp(min=0)


def _box_max(images: torch.Tensor) -> torch.Tensor:
    reach = _WINDOW // 2
    images = F.max_pool2d(images, (_WINDOW, 1), 1, (reach, 0))
    return F.max_pool2d(images, (1, _WINDOW), 1, (0, reach))


def _normal_below(distance: torch.Tensor) -> torch.Tensor:
    """Φ, by a function that every device has."""
    return (1 + torch.erf(distance / math.sqrt(2))) / 2


def box_mean(images: torch.Tensor) -> torch.Tensor:
    """The mean around each voxel of its slice, (N, rows, columns)."""
    window = min(_WINDOW, *(size - 1 + size % 2 for size in images.shape[-2:]))
    for _ in range(2):  # along the rows, then turned along the columns: memory is read in order
        for _ in range(2):
            images = F.avg_pool1d(images, window, 1, window // 2, count_include_pad=False)
        images = images.mT.contiguous()
    return images
