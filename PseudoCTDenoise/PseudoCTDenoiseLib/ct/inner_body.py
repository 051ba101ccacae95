"""Mask of the body interior, where noise can be measured."""

from __future__ import annotations

import torch
from torch.nn import functional as F

from .hounsfield import TISSUE_HU

_WINDOW = 9
_MIN_SHARE = 0.01


def inner_body(hu: torch.Tensor) -> torch.Tensor:
    """Return a mask, True inside the body and away from its edge.

    Air is clipped at −1024 HU, so noise there is not zero-mean. The mask is True everywhere if the
    slices have :func:`no body <has_body>`.

    Parameters
    ----------
    hu : (N, rows, columns), HU; the mask has the same shape.
    """
    inside = _inside(hu)
    return inside if _is_body(inside) else torch.ones_like(inside)


def has_body(hu: torch.Tensor) -> bool:
    """Return False if less than 1 % of the voxels are inside a body."""
    return _is_body(_inside(hu))


def _inside(hu: torch.Tensor) -> torch.Tensor:
    body = (hu > TISSUE_HU).float()[:, None]
    return F.avg_pool2d(body, _WINDOW, 1, _WINDOW // 2)[:, 0] > 0.99


def _is_body(inside: torch.Tensor) -> bool:
    return bool(inside.float().mean() > _MIN_SHARE)
