"""Where a scan ends at −1024 HU: noise that is cut off on one side has a mean."""

from __future__ import annotations

import math

import torch
from torch.nn import functional as F

from .hounsfield import MIN_CT_HU

_WINDOW = 15
"""Pixels of a mean that is taken twice: alone, a voxel shows its own noise."""


def cut_off_share(hu: torch.Tensor) -> torch.Tensor:
    """How many of the voxels around each lie at the scale's end, 0 to 1, (N, rows, columns)."""
    return box_mean((hu <= MIN_CT_HU).float())


def cut_off_mean(shown_hu: torch.Tensor, deviation_hu: torch.Tensor) -> torch.Tensor:
    """What noise adds to the mean where it is cut off at the scale's end, HU.

    σ·(φ(t) + t·Φ(t)) for Gaussian noise, with t the end's distance in units of σ.

    Parameters
    ----------
    shown_hu : what is seen without noise; no less than the scale's end.
    deviation_hu : σ of the noise before it is cut off, of the same shape.
    """
    deviation_hu = deviation_hu.clamp(min=1e-6)
    distance = (MIN_CT_HU - shown_hu).clamp(max=0) / deviation_hu
    density = torch.exp(-(distance**2) / 2) / math.sqrt(2 * math.pi)
    below = (1 + torch.erf(distance / math.sqrt(2))) / 2
    return deviation_hu * (density + distance * below).clamp(min=0)


def box_mean(images: torch.Tensor) -> torch.Tensor:
    """The mean around each voxel of its slice, (N, rows, columns)."""
    window = min(_WINDOW, *(size - 1 + size % 2 for size in images.shape[-2:]))
    for _ in range(2):  # along the rows, then turned along the columns: memory is read in order
        for _ in range(2):
            images = F.avg_pool1d(images, window, 1, window // 2, count_include_pad=False)
        images = images.mT.contiguous()
    return images
