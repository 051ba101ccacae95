"""Losses between normalised images, in HU or HU²."""

from __future__ import annotations

import torch
from torch.nn import functional as F

from ..ct.hounsfield import RANGE_HU
from ..errors import BadInputError

LOSSES = ("l1", "mse")


def image_loss(kind: str, output: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """Return the mean absolute error in HU (``l1``) or the mean squared error in HU² (``mse``)."""
    if kind not in LOSSES:
        raise BadInputError(f"Unknown loss '{kind}': choose {' or '.join(LOSSES)}.")
    if kind == "l1":
        return F.l1_loss(output, target) * RANGE_HU
    return F.mse_loss(output, target) * RANGE_HU**2
