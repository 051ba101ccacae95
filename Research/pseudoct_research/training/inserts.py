"""Elliptical inserts of known contrast in training patches, which teach edges of any contrast.

Anatomy contains few round structures of 5 to 40 HU, and the noise hides most of them: the network
learns to blur low contrast. Inserts are added to input and target alike and have no noise.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from PseudoCTDenoiseLib.simulation.reconstruction_kernels import ReconstructionKernel

from .kernel_stacks import StackedKernels, change_kernels

MOST_INSERTS = 4
DIAMETER_MM = (2.0, 30.0)
"""Range of the longer axis, drawn log-uniformly."""
AXIS_RATIO = (0.5, 1.0)
CONTRAST_HU = (3.0, 500.0)
"""Range of the contrast, positive or negative, drawn log-uniformly."""

NO_BLUR = ReconstructionKernel("none", f0_per_cm=math.inf, order=1.0)


def draw_inserts(
    size: int,
    pixel_mm: torch.Tensor,
    kernels: StackedKernels,
    rng: np.random.Generator,
    share: float = 1.0,
) -> torch.Tensor:
    """Draw one to four ellipses at random positions in each of a stack of square images.

    Parameters
    ----------
    size : side of the images in pixels.
    pixel_mm : side of a pixel in mm, (count, 1, 1).
    kernels : reconstruction kernels of the images, which blur the ellipses too.
    share : probability that an image gets ellipses.

    Returns
    -------
    (count, size, size), HU to add.
    """
    images = len(pixel_mm)
    number = rng.integers(1, MOST_INSERTS + 1, images) * (rng.random(images) < share)
    image = np.repeat(np.arange(images), number)
    count = len(image)
    drawn = [
        rng.uniform(0, size, count),
        rng.uniform(0, size, count),
        np.exp(rng.uniform(*np.log(DIAMETER_MM), count)) / 2,
        rng.uniform(*AXIS_RATIO, count),
        rng.uniform(0, math.pi, count),
        np.exp(rng.uniform(*np.log(CONTRAST_HU), count)) * rng.choice([-1, 1], count),
    ]
    numbers = torch.from_numpy(np.stack(drawn).astype(np.float32))
    down, along, long_mm, ratio, angle, hu = numbers[..., None, None]
    owner = torch.from_numpy(image)
    long = long_mm / pixel_mm[owner]
    ellipses = hu * ellipse(size, (down, along), (long, long * ratio), angle)
    sharp = torch.zeros(images, size, size).index_add(0, owner, ellipses)
    return change_kernels(sharp, pixel_mm, NO_BLUR, kernels)


def ellipse(
    size: int,
    centre: tuple[torch.Tensor, torch.Tensor],
    half_axes: tuple[torch.Tensor, torch.Tensor],
    angle: torch.Tensor,
) -> torch.Tensor:
    """Return the fraction of each pixel that an ellipse covers, (..., size, size).

    The area is exact to 3 % for half-axes of at least 2 and 3 pixels; the area of the smallest
    ellipses drawn is up to a third too large.

    Parameters
    ----------
    centre, half_axes : in pixels, (..., 1, 1); pixel (0, 0) extends from 0 to 1 on both axes.
    angle : angle in radians between the first axis and the rows.
    """
    place = torch.arange(size) + 0.5
    down, along = place[:, None] - centre[0], place - centre[1]
    first = (angle.cos() * down + angle.sin() * along) / half_axes[0]
    second = (angle.cos() * along - angle.sin() * down) / half_axes[1]
    radius = torch.hypot(first, second).clamp(min=1e-6)
    # (radius - 1) over the length of its gradient is the distance to the edge in pixels.
    slope = torch.hypot(first / half_axes[0], second / half_axes[1]) / radius
    return (0.5 - (radius - 1) / slope).clamp(0, 1)
