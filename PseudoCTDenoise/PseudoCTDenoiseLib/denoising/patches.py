"""Position and augmentation of training patches."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch.nn import functional as F

from ..ct.hounsfield import TISSUE_HU, normalise
from ..errors import BadInputError

ANYWHERE_SHARE = 0.3
"""Fraction of the patches that come from anywhere. The others show the body."""


@dataclass(frozen=True)
class Augmentation:
    """Random flips and rotations by 90°, and a random zoom of both images together."""

    flips: bool = True
    rotations: bool = True
    rescale: tuple[float, float] | None = None


def check_fits(image, size: int) -> None:
    """Raise BadInputError if an image, (rows, columns), is smaller than a patch."""
    rows, columns = image.shape
    if rows < size or columns < size:
        raise BadInputError(
            f"Slices of {rows}×{columns} pixels are smaller than a patch of {size}×{size} pixels: "
            "use larger slices."
        )


def patch_corner(
    image, size: int, rng: np.random.Generator, tissue: float = normalise(TISSUE_HU)
) -> tuple[int, int]:
    """Return top row and left column of a random patch, which usually shows the body.

    Most of a slice is air, so several positions are tried. Three of ten patches come from anywhere,
    because air is noisy too.

    Parameters
    ----------
    image : (rows, columns), array or tensor, in the units of ``tissue``.

    Raises
    ------
    BadInputError
        If the image is smaller than the patch.
    """
    check_fits(image, size)
    rows, columns = image.shape
    tries = 1 if rng.random() < ANYWHERE_SHARE else 8
    for _ in range(tries):
        top, left = int(rng.integers(rows - size + 1)), int(rng.integers(columns - size + 1))
        # Every fourth pixel is enough to test if a third of the patch is body.
        if (image[top : top + size : 4, left : left + size : 4] > tissue).sum() > 0.02 * size**2:
            break
    return top, left


def augment(
    images: torch.Tensor, rng: np.random.Generator, augmentation: Augmentation
) -> torch.Tensor:
    """Apply the same random flip, rotation by 90° and zoom to (images, size, size)."""
    if augmentation.rescale:
        images = _zoom(images, rng, augmentation.rescale)
    if augmentation.flips and rng.random() < 0.5:
        images = images.flip(-1)
    if augmentation.flips and rng.random() < 0.5:
        images = images.flip(-2)
    if augmentation.rotations:
        images = images.rot90(int(rng.integers(4)), (-2, -1))
    return images


def _zoom(
    images: torch.Tensor, rng: np.random.Generator, rescale: tuple[float, float]
) -> torch.Tensor:
    """Zoom the images by a random factor, and crop or mirror them to their original size."""
    size = images.shape[-1]
    zoomed = max(2, round(size * math.exp(rng.uniform(*np.log(rescale)))))
    images = F.interpolate(
        images[None], size=(zoomed, zoomed), mode="bilinear", align_corners=False
    )[0]
    cells = torch.arange(size, device=images.device)
    mirrored = torch.minimum(cells % (2 * zoomed), 2 * zoomed - 1 - cells % (2 * zoomed))
    room = max(0, zoomed - size)
    rows, columns = (mirrored + int(rng.integers(room + 1)) for _ in range(2))
    return images[:, rows][:, :, columns]
