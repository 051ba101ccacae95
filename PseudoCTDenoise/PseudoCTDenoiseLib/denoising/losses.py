"""Losses between normalised images, in HU so that a person can read them."""

from __future__ import annotations

import torch
from torch.nn import functional as F

from ..ct.hounsfield import RANGE_HU
from ..errors import BadInputError

LOSSES = ("l1", "mse")


def image_loss(kind: str, output: torch.Tensor, wanted: torch.Tensor) -> torch.Tensor:
    """Mean absolute error in HU (``l1``) or mean squared error in HU² (``mse``)."""
    if kind not in LOSSES:
        raise BadInputError(f"Unknown loss '{kind}': choose {' or '.join(LOSSES)}.")
    if kind == "l1":
        return F.l1_loss(output, wanted) * RANGE_HU
    return F.mse_loss(output, wanted) * RANGE_HU**2
