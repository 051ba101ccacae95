"""Ellipses of known contrast in training patches: what a lesion's edge looks like, at any contrast.

Anatomy alone shows a network few round things of 5 to 40 HU, and the noise hides most of them: it
learns to blur what hardly stands out. An insert stands in the target without noise of its own.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from PseudoCTDenoiseLib.simulation.kernel_change import change_kernel
from PseudoCTDenoiseLib.simulation.reconstruction_kernels import (
    ReconstructionKernel,
    StackedKernels,
)

MOST_INSERTS = 4
DIAMETER_MM = (2.0, 30.0)
"""Of the longer axis, evenly in the logarithm."""
AXIS_RATIO = (0.5, 1.0)
CONTRAST_HU = (3.0, 500.0)
"""Brighter or darker than the surroundings, evenly in the logarithm."""

NO_BLUR = ReconstructionKernel("none", f0_per_cm=math.inf, order=1.0)


def draw_inserts(
    size: int,
    pixel_mm: torch.Tensor,
    kernels: StackedKernels,
    rng: np.random.Generator,
    share: float = 1.0,
) -> torch.Tensor:
    """One to four ellipses at random places in each of a stack of square images.

    Parameters
    ----------
    pixel_mm : (count, 1, 1).
    kernels : those that the images are seen with, which blur the ellipses too.
    share : of the images, by chance; the others get none.

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
    return change_kernel(sharp, pixel_mm, NO_BLUR, kernels)


def ellipse(
    size: int,
    centre: tuple[torch.Tensor, torch.Tensor],
    half_axes: tuple[torch.Tensor, torch.Tensor],
    angle: torch.Tensor,
) -> torch.Tensor:
    """Each pixel's share that an ellipse covers, (..., size, size).

    Exact to 3 % of the whole from half-axes of 2 and 3 pixels on; that of the smallest that are
    drawn comes out up to a third too large.

    Parameters
    ----------
    centre, half_axes : in pixels, (..., 1, 1); pixel (0, 0) reaches from 0 to 1 on both axes.
    angle : of the first axis to the rows, radians.
    """
    place = torch.arange(size) + 0.5
    down, along = place[:, None] - centre[0], place - centre[1]
    first = (angle.cos() * down + angle.sin() * along) / half_axes[0]
    second = (angle.cos() * along - angle.sin() * down) / half_axes[1]
    radius = torch.hypot(first, second).clamp(min=1e-6)
    # (radius - 1) over the length of its gradient is the distance to the edge in pixels.
    slope = torch.hypot(first / half_axes[0], second / half_axes[1]) / radius
    return (0.5 - (radius - 1) / slope).clamp(0, 1)
