"""Losses between normalised images, in HU or HU²."""

from __future__ import annotations

import torch
from torch.nn import functional as F

from ..ct.hounsfield import RANGE_HU

_LOSSES = {
    "mse": lambda output, target: F.mse_loss(output, target) * RANGE_HU**2,
    "l1": lambda output, target: F.l1_loss(output, target) * RANGE_HU,
}
"""Functions by the names in :data:`.settings.LOSSES`."""


def image_loss(kind: str, output: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """Return the mean absolute error in HU (``l1``) or the mean squared error in HU² (``mse``)."""
    return _LOSSES[kind](output, target)
