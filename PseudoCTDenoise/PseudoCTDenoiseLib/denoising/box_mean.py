"""Means and sums over square boxes of pixels, for tensors."""

from __future__ import annotations

import torch
from torch.nn import functional as F

from ..ct.box_mean import pixels_in_box, running_sums


def box_mean(images: torch.Tensor, side: int) -> torch.Tensor:
    """Return the mean around each pixel, over the part of the box that lies in the image.

    Parameters
    ----------
    images : (..., rows, columns).
    side : of the box, an odd number of pixels.
    """
    rows, columns = (
        torch.from_numpy(pixels_in_box(size, side // 2)).to(images) for size in images.shape[-2:]
    )
    return box_sum(images, side) / (rows[:, None] * columns)


def box_sum(images: torch.Tensor, side: int) -> torch.Tensor:
    """Return the sum around each pixel; see :func:`box_mean`."""
    sums = F.pad(images, (side // 2,) * 4)
    for axis in (-2, -1):
        sums = running_sums(sums.movedim(axis, 0), side).movedim(0, axis)
    return sums
