"""The means of lung, fat, soft tissue and bone, kept where the scan has them.

Noise has no mean, so over enough tissue of one density what a denoiser removes must have none
either. What it has nevertheless is measured on some slices and given back everywhere.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch

from ..ct.hounsfield import to_hu
from .clipping import box_mean, cut_off_share

DENSITIES_HU = (-1000.0, -850.0, -500.0, -100.0, 50.0, 300.0)
"""Where the offset is fitted, a line between two of them; at the first one it is zero."""
LARGEST_OFFSET_HU = 3.0
_FEW_VOXELS = 3000.0
_MOST_CUT_OFF = 0.005
"""Share of the voxels around, up to which the scan's mean is believed: offsets are of a tenth of
a HU."""


@dataclass(frozen=True)
class DensityAnchor:
    """Offsets in HU, one for each of :data:`DENSITIES_HU`, that :meth:`apply` adds."""

    offsets: torch.Tensor

    def apply(self, hu: torch.Tensor) -> torch.Tensor:
        """Denoised slices, (N, rows, columns) HU, with the offset of the density around."""
        upper, share = _between(box_mean(hu))
        offsets = self.offsets.to(hu)
        return hu + torch.lerp(offsets[upper - 1], offsets[upper], share)


def density_anchor(
    slices: torch.Tensor, denoise: Callable[[torch.Tensor], torch.Tensor]
) -> DensityAnchor:
    """Measure what a denoiser adds to the mean of each density.

    Parameters
    ----------
    slices : LDCT, (N, rows, columns), normalised.
    denoise : maps one slice, (1, rows, columns), to the denoised one. A single orientation is
        enough: the others have the same mean.

    Notes
    -----
    Left out is where the scan ends at −1024 HU: noise that is cut off on one side has a mean.
    """
    count = len(DENSITIES_HU)
    matrix = torch.eye(count, dtype=torch.float64) * _FEW_VOXELS
    removed = torch.zeros(count, dtype=torch.float64)
    for one in slices.split(1):
        scan, clean = to_hu(one), to_hu(denoise(one))
        whole = cut_off_share(scan) < _MOST_CUT_OFF
        shares = _shares(box_mean(clean))[:, whole].cpu().double()  # no GPU of Apple has float64
        matrix += shares @ shares.T
        removed += shares @ (scan - clean)[whole].cpu().double()
    offsets = torch.zeros(count, dtype=torch.float64)
    offsets[1:] = torch.linalg.solve(matrix[1:, 1:], removed[1:])
    return DensityAnchor(offsets.clamp(-LARGEST_OFFSET_HU, LARGEST_OFFSET_HU).float())


def _shares(density: torch.Tensor) -> torch.Tensor:
    """How near each value is to each of the densities: (densities, …), the sum of each is one."""
    upper, share = _between(density)
    shares = density.new_zeros(len(DENSITIES_HU), *density.shape)
    shares.scatter_(0, upper[None], share[None])
    return shares.scatter_(0, upper[None] - 1, 1 - share[None])


def _between(density: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Number of the density above each value, and its share of the way there from the one below."""
    nodes = density.new_tensor(DENSITIES_HU)
    density = density.clamp(nodes[0], nodes[-1])
    upper = torch.bucketize(density, nodes[1:-1]) + 1
    below = nodes[upper - 1]
    return upper, (density - below) / (nodes[upper] - below)
