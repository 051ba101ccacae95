"""Mask of the body interior, where noise can be measured."""

from __future__ import annotations

import torch
from torch.nn import functional as F

from .hounsfield import TISSUE_HU

_WINDOW = 9
_MIN_SHARE = 0.01


def inner_body(hu: torch.Tensor) -> torch.Tensor:
    """Return a mask, True inside the body and away from its edge.

    Air is clipped at −1024 HU, so noise there is not zero-mean. The mask is True everywhere if less
    than 1 % of the voxels are inside the body.

    Parameters
    ----------
    hu : (N, rows, columns), HU; the mask has the same shape.
    """
    body = (hu > TISSUE_HU).float()[:, None]
    inside = F.avg_pool2d(body, _WINDOW, 1, _WINDOW // 2)[:, 0] > 0.99
    return inside if inside.float().mean() > _MIN_SHARE else torch.ones_like(inside)
