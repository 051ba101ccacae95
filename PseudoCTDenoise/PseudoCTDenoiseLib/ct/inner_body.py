"""Where a scan's noise can be measured: inside of the body."""

from __future__ import annotations

import torch
from torch.nn import functional as F

from .hounsfield import TISSUE_HU

_WINDOW = 9
_LEAST_SHARE = 0.01


def inner_body(hu: torch.Tensor) -> torch.Tensor:
    """True inside of the body, away from its rim; everywhere if hardly any body is seen.

    In the air images end at −1024 HU, and noise is no longer noise.

    Parameters
    ----------
    hu : (N, rows, columns), HU.
    """
    body = (hu > TISSUE_HU).float()[:, None]
    inside = F.avg_pool2d(body, _WINDOW, 1, _WINDOW // 2)[:, 0] > 0.99
    return inside if inside.float().mean() > _LEAST_SHARE else torch.ones_like(inside)
