"""Where a scan ends at −1024 HU: noise that is cut off on one side has a mean."""

from __future__ import annotations

import torch
from torch.nn import functional as F

from .hounsfield import MIN_CT_HU

_WINDOW = 15
"""Pixels of a mean that is taken twice: alone, a voxel shows its own noise."""


def cut_off_share(hu: torch.Tensor) -> torch.Tensor:
    """How many of the voxels around each lie at the scale's end, 0 to 1, (N, rows, columns)."""
    return box_mean((hu <= MIN_CT_HU).float())


def box_mean(images: torch.Tensor) -> torch.Tensor:
    """The mean around each voxel of its slice, (N, rows, columns)."""
    window = min(_WINDOW, *(size - 1 + size % 2 for size in images.shape[-2:]))
    for _ in range(2):  # along the rows, then turned along the columns: memory is read in order
        for _ in range(2):
            images = F.avg_pool1d(images, window, 1, window // 2, count_include_pad=False)
        images = images.mT.contiguous()
    return images
