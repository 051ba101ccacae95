"""Bias correction: keep the scan's means of lung, fat, soft tissue and bone.

Noise is zero-mean, so any shift of a tissue's mean by a denoiser is bias. The bias is measured on
slices used for tuning, as a function of the local CT number, and subtracted from all slices.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import torch

from ..ct.hounsfield import to_hu
from .clipping import clipped_fraction
from .tensor_box_mean import double_box_mean

NODES_HU = (-1000.0, -850.0, -500.0, -100.0, 50.0, 300.0)
"""CT numbers at the nodes of the piecewise linear offset. The offset is zero at the first node."""
MAXIMUM_OFFSET_HU = 3.0
_RIDGE_VOXELS = 3000.0
"""Weight of the ridge penalty, which keeps the offset at a node with few voxels near zero."""
_MAXIMUM_CLIPPED_FRACTION = 0.005
"""Local fraction of clipped voxels above which a voxel is excluded. The limit is low because
offsets are near 0.1 HU."""


@dataclass(frozen=True)
class DensityBiasCorrection:
    """Offsets in HU, one for each of :data:`NODES_HU`, that :meth:`apply` adds."""

    offsets: torch.Tensor

    def apply(self, hu: torch.Tensor) -> torch.Tensor:
        """Return denoised slices, (N, rows, columns) HU, plus the offset at the local CT number."""
        upper, position = _interval(double_box_mean(hu))
        offsets = self.offsets.to(hu)
        return hu + torch.lerp(offsets[upper - 1], offsets[upper], position)


def measure_density_bias(
    pairs: Iterable[tuple[torch.Tensor, torch.Tensor]],
) -> DensityBiasCorrection:
    """Measure the bias of a denoiser as a function of the local CT number.

    Parameters
    ----------
    pairs : LDCT and denoised slices, (N, rows, columns) each, normalised. A single orientation is
        enough: the others have the same mean.

    Notes
    -----
    Positions where the scan is clipped at −1024 HU are excluded: clipped noise is not zero-mean.
    """
    count = len(NODES_HU)
    matrix = torch.eye(count, dtype=torch.float64) * _RIDGE_VOXELS
    removed = torch.zeros(count, dtype=torch.float64)
    for ldct, denoised in pairs:
        scan, clean = to_hu(ldct), to_hu(denoised)
        valid = clipped_fraction(scan) < _MAXIMUM_CLIPPED_FRACTION
        weights = _weights(double_box_mean(clean))[:, valid]
        weights = weights.cpu().double()  # Apple's GPUs lack float64
        matrix += weights @ weights.T
        removed += weights @ (scan - clean)[valid].cpu().double()
    offsets = torch.zeros(count, dtype=torch.float64)
    offsets[1:] = torch.linalg.solve(matrix[1:, 1:], removed[1:])
    return DensityBiasCorrection(offsets.clamp(-MAXIMUM_OFFSET_HU, MAXIMUM_OFFSET_HU).float())


def _weights(ct_number: torch.Tensor) -> torch.Tensor:
    """Return the linear interpolation weights of each value: (nodes, …), summing to one."""
    upper, position = _interval(ct_number)
    weights = ct_number.new_zeros(len(NODES_HU), *ct_number.shape)
    weights.scatter_(0, upper[None], position[None])
    return weights.scatter_(0, upper[None] - 1, 1 - position[None])


def _interval(ct_number: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the index of the node above each value, and the position in the interval, 0 to 1."""
    nodes = ct_number.new_tensor(NODES_HU)
    ct_number = ct_number.clamp(nodes[0], nodes[-1])
    upper = torch.bucketize(ct_number, nodes[1:-1]) + 1
    below = nodes[upper - 1]
    return upper, (ct_number - below) / (nodes[upper] - below)
