"""Noise maps of a scan and their ensemble (arXiv 2104.02326, section 2.2).

A noise map is the estimate of Z = X − NDCT that a noise model predicts from the LDCT X. It is
normalised without the offset: multiplied by 4096 it is in HU.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn

from .inference import apply_network


def predict_noise_maps(
    noise_models: Sequence[nn.Module],
    slices: torch.Tensor,
    precision: torch.dtype = torch.float32,
) -> torch.Tensor:
    """Return Z_m = N_m(X): (M, N, rows, columns) for (N, rows, columns) normalised slices."""
    return torch.stack(
        [apply_network(model, slices, precision=precision) for model in noise_models]
    )


def ensemble(maps: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """Return a noise map. Each pixel comes from one of the M maps, chosen at random.

    Parameters
    ----------
    maps : (M, ..., rows, columns).

    Returns
    -------
    (..., rows, columns).
    """
    choice = torch.randint(len(maps), maps.shape[1:], generator=generator, device=maps.device)
    return maps.gather(0, choice[None])[0]


def apply_sign(noise: torch.Tensor, sign: str, generator: torch.Generator) -> torch.Tensor:
    """Return (count, ...) patches of noise ``as-is``, or each with a ``random`` sign."""
    if sign == "as-is":
        return noise
    shape = (len(noise),) + (1,) * (noise.ndim - 1)
    draw = torch.randint(2, shape, generator=generator, device=noise.device)
    return noise * (2 * draw - 1)
