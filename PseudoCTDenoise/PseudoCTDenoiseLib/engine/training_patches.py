"""Where a training patch is cut, and how it is turned."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch.nn import functional as F

from .errors import BadInputError
from .hounsfield import TISSUE_HU, normalise


@dataclass(frozen=True)
class Augmentation:
    """Random flips and quarter turns, and a random zoom of both images together."""

    flips: bool = True
    rotations: bool = True
    rescale: tuple[float, float] | None = None


def patch_corner(
    image, size: int, rng: np.random.Generator, tissue: float = normalise(TISSUE_HU)
) -> tuple[int, int]:
    """Top row and left column of a random patch that shows the body, if a few tries find one.

    Most of a slice is air, and a patch of air teaches nothing.

    Parameters
    ----------
    image : (rows, columns), array or tensor, in the units of ``tissue``.

    Raises
    ------
    BadInputError
        If the image is smaller than the patch.
    """
    rows, columns = image.shape
    if rows < size or columns < size:
        raise BadInputError(f"Slices of {rows}×{columns} are smaller than a patch of {size}.")
    for _ in range(8):
        top, left = int(rng.integers(rows - size + 1)), int(rng.integers(columns - size + 1))
        # Every fourth pixel is enough to tell body from air.
        if (image[top : top + size : 4, left : left + size : 4] > tissue).sum() > 0.02 * size**2:
            break
    return top, left


def augment(
    images: torch.Tensor, rng: np.random.Generator, augmentation: Augmentation
) -> torch.Tensor:
    """The same random flip, quarter turn and zoom on (images, size, size)."""
    size = images.shape[-1]
    if augmentation.rescale:
        zoom = math.exp(rng.uniform(*np.log(augmentation.rescale)))
        wanted = max(2, round(size * zoom))
        images = F.interpolate(
            images[None], size=(wanted, wanted), mode="bilinear", align_corners=False
        )[0]
        if wanted < size:
            images = F.pad(images[None], (0, size - wanted) * 2, mode="replicate")[0]
        top = rng.integers(max(1, images.shape[-1] - size + 1))
        images = images[:, top : top + size, top : top + size]
    if augmentation.flips and rng.random() < 0.5:
        images = images.flip(-1)
    if augmentation.flips and rng.random() < 0.5:
        images = images.flip(-2)
    if augmentation.rotations:
        images = images.rot90(int(rng.integers(4)), (-2, -1))
    return images
