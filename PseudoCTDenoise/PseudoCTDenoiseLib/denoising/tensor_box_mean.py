"""Means and sums over square boxes of pixels, for tensors."""

from __future__ import annotations

import torch
from torch.nn import functional as F

from ..ct.box_mean import pixels_in_box, running_sums

WINDOW = 15
"""Side, in pixels, of the box of :func:`double_box_mean`."""


def tensor_box_mean(images: torch.Tensor, side: int) -> torch.Tensor:
    """Return the mean around each pixel, over the part of the box that lies in the image.

    Parameters
    ----------
    images : (..., rows, columns).
    side : of the box, an odd number of pixels.
    """
    rows, columns = (
        torch.from_numpy(pixels_in_box(size, side // 2)).to(images) for size in images.shape[-2:]
    )
    return tensor_box_sum(images, side) / (rows[:, None] * columns)


def tensor_box_sum(images: torch.Tensor, side: int) -> torch.Tensor:
    """Return the sum around each pixel; see :func:`tensor_box_mean`."""
    sums = F.pad(images, (side // 2,) * 4)
    for axis in (-2, -1):
        sums = running_sums(sums.movedim(axis, 0), side).movedim(0, axis)
    return sums


def double_box_mean(images: torch.Tensor) -> torch.Tensor:
    """Return the mean around each voxel of its slice, taken twice, (N, rows, columns).

    The box is so large that the mean does not follow the noise.
    """
    window = min(WINDOW, *(size - 1 + size % 2 for size in images.shape[-2:]))
    means = torch.empty_like(images)
    for image, mean in zip(images.split(1), means.split(1), strict=True):  # to save memory
        mean.copy_(tensor_box_mean(tensor_box_mean(image, window), window))
    return means
