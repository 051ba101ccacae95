"""Ellipses of known contrast in training patches: what a lesion's edge looks like, at any contrast.

Anatomy alone shows a network few round things of 5 to 40 HU, and the noise hides most of them: it
learns to blur what hardly stands out. An insert stands in the target without noise of its own.
"""

from __future__ import annotations

import math

import numpy as np
import torch

from ..simulation.kernel_change import change_kernel
from ..simulation.reconstruction_kernels import ReconstructionKernel

MOST_INSERTS = 4
DIAMETER_MM = (2.0, 30.0)
"""Of the longer axis, evenly in the logarithm."""
AXIS_RATIO = (0.5, 1.0)
CONTRAST_HU = (3.0, 500.0)
"""Brighter or darker than the surroundings, evenly in the logarithm."""

NO_BLUR = ReconstructionKernel("none", f0_per_cm=math.inf, order=1.0)


def draw_inserts(
    size: int, pixel_mm: float, kernel: ReconstructionKernel, rng: np.random.Generator
) -> torch.Tensor:
    """One to four ellipses at random places, HU to add to a square image, (size, size).

    Parameters
    ----------
    kernel : the one that the image is seen with, which blurs the ellipses too.
    """
    image = torch.zeros(size, size)
    for _ in range(int(rng.integers(1, MOST_INSERTS + 1))):
        long = math.exp(rng.uniform(*np.log(DIAMETER_MM))) / pixel_mm / 2
        hu = math.exp(rng.uniform(*np.log(CONTRAST_HU))) * rng.choice([-1, 1])
        centre = rng.uniform(0, size, 2)
        image += hu * ellipse(
            size, centre, (long, long * rng.uniform(*AXIS_RATIO)), rng.uniform(0, math.pi)
        )
    return change_kernel(image, pixel_mm, NO_BLUR, kernel)


def ellipse(
    size: int, centre: tuple[float, float], half_axes: tuple[float, float], angle: float
) -> torch.Tensor:
    """Each pixel's share that an ellipse covers, (size, size).

    Exact to 3 % of the whole from half-axes of 2 and 3 pixels on; that of the smallest that are
    drawn comes out up to a third too large.

    Parameters
    ----------
    centre, half_axes : in pixels; pixel (0, 0) reaches from 0 to 1 on both axes.
    angle : of the first axis to the rows, radians.
    """
    place = torch.arange(size) + 0.5
    down, along = place[:, None] - centre[0], place[None] - centre[1]
    first = (math.cos(angle) * down + math.sin(angle) * along) / half_axes[0]
    second = (math.cos(angle) * along - math.sin(angle) * down) / half_axes[1]
    radius = torch.hypot(first, second).clamp(min=1e-6)
    # (radius - 1) over the length of its gradient is the distance to the edge in pixels.
    slope = torch.hypot(first / half_axes[0], second / half_axes[1]) / radius
    return (0.5 - (radius - 1) / slope).clamp(0, 1)
