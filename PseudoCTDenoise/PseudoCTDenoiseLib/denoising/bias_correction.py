"""Bias correction: keep the scan's means of lung, fat, soft tissue and bone.

Noise is zero-mean, so any shift of a tissue's mean by a denoiser is bias. The bias is measured on
some slices, as a function of density, and subtracted from all slices.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch

from ..ct.hounsfield import to_hu
from .clipping import box_mean, clipped_fraction

DENSITIES_HU = (-1000.0, -850.0, -500.0, -100.0, 50.0, 300.0)
"""Nodes of the piecewise linear offset. The offset is zero at the first node."""
MAXIMUM_OFFSET_HU = 3.0
_RIDGE_VOXELS = 3000.0
"""Weight of the ridge penalty, which keeps the offset of a density with few voxels near zero."""
_MAXIMUM_CLIPPED_FRACTION = 0.005
"""Fraction of clipped voxels above which a place is left out: offsets are near 0.1 HU."""


@dataclass(frozen=True)
class DensityBiasCorrection:
    """Offsets in HU, one for each of :data:`DENSITIES_HU`, that :meth:`apply` adds."""

    offsets: torch.Tensor

    def apply(self, hu: torch.Tensor) -> torch.Tensor:
        """Return denoised slices, (N, rows, columns) HU, plus the offset of the local density."""
        upper, share = _interval(box_mean(hu))
        offsets = self.offsets.to(hu)
        return hu + torch.lerp(offsets[upper - 1], offsets[upper], share)


def measure_density_bias(
    slices: torch.Tensor, denoise: Callable[[torch.Tensor], torch.Tensor]
) -> DensityBiasCorrection:
    """Measure how a denoiser shifts the mean of each density.

    Parameters
    ----------
    slices : LDCT, (N, rows, columns), normalised.
    denoise : maps one slice, (1, rows, columns), to the denoised one. A single orientation is
        enough: the others have the same mean.

    Notes
    -----
    Places where the scan is clipped at −1024 HU are left out: clipped noise is not zero-mean.
    """
    count = len(DENSITIES_HU)
    matrix = torch.eye(count, dtype=torch.float64) * _RIDGE_VOXELS
    removed = torch.zeros(count, dtype=torch.float64)
    for image in slices.split(1):
        scan, clean = to_hu(image), to_hu(denoise(image))
        valid = clipped_fraction(scan) < _MAXIMUM_CLIPPED_FRACTION
        weights = _weights(box_mean(clean))[:, valid].cpu().double()  # Apple's GPUs lack float64
        matrix += weights @ weights.T
        removed += weights @ (scan - clean)[valid].cpu().double()
    offsets = torch.zeros(count, dtype=torch.float64)
    offsets[1:] = torch.linalg.solve(matrix[1:, 1:], removed[1:])
    return DensityBiasCorrection(offsets.clamp(-MAXIMUM_OFFSET_HU, MAXIMUM_OFFSET_HU).float())


def _weights(density: torch.Tensor) -> torch.Tensor:
    """Return the linear interpolation weights of each value: (densities, …), summing to one."""
    upper, share = _interval(density)
    weights = density.new_zeros(len(DENSITIES_HU), *density.shape)
    weights.scatter_(0, upper[None], share[None])
    return weights.scatter_(0, upper[None] - 1, 1 - share[None])


def _interval(density: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the index of the node above each value, and the value's position in the interval."""
    nodes = density.new_tensor(DENSITIES_HU)
    density = density.clamp(nodes[0], nodes[-1])
    upper = torch.bucketize(density, nodes[1:-1]) + 1
    below = nodes[upper - 1]
    return upper, (density - below) / (nodes[upper] - below)
