"""Noise maps of a scan and their ensemble (arXiv 2104.02326, section 2.2).

A noise map is Z = X − NDCT as a noise model predicts it from the LDCT X, normalised without the
offset: multiplied by 4096 it is in HU.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn
from torch.nn import functional as F

from .inference import apply_network

REGION_PIXELS = 8
"""Standard deviation, in pixels, of the fields whose largest picks a region's noise model."""


def predict_noise_maps(
    noise_models: Sequence[nn.Module],
    slices: torch.Tensor,
    precision: torch.dtype = torch.float32,
) -> torch.Tensor:
    """Z_m = N_m(X): (M, N, rows, columns) for (N, rows, columns) normalised slices."""
    return torch.stack([apply_network(m, slices, precision=precision) for m in noise_models])


def ensemble(maps: torch.Tensor, mode: str, generator: torch.Generator) -> torch.Tensor:
    """One noise map of which every part comes from one of M maps, drawn at random.

    Parameters
    ----------
    maps : (M, ..., rows, columns).
    mode : ``pixel`` draws for each pixel alone (the paper), which whitens the noise; ``region``
        takes, everywhere, the map whose smoothed random field is the largest, which keeps its
        texture.

    Returns
    -------
    (..., rows, columns).
    """
    if mode == "pixel":
        choice = torch.randint(len(maps), maps.shape[1:], generator=generator, device=maps.device)
    else:
        fields = torch.randn(maps.shape, generator=generator, device=maps.device)
        choice = _smooth(fields).argmax(dim=0)
    return maps.gather(0, choice[None])[0]


def _smooth(fields: torch.Tensor) -> torch.Tensor:
    """Gaussian filter of the last two axes."""
    reach = 3 * REGION_PIXELS
    position = torch.arange(-reach, reach + 1, device=fields.device)
    weights = torch.exp(-(position**2) / (2 * REGION_PIXELS**2))
    images = fields.reshape(-1, 1, *fields.shape[-2:])
    images = F.conv2d(images, weights[None, None, None], padding=(0, reach))
    images = F.conv2d(images, weights[None, None, :, None], padding=(reach, 0))
    return images.reshape(fields.shape)


def apply_sign(noise: torch.Tensor, sign: str, generator: torch.Generator) -> torch.Tensor:
    """The noise as it is, mirrored, or each of (count, ...) patches with a sign of its own."""
    if sign == "as-is":
        return noise
    if sign == "mirrored":
        return -noise
    shape = (len(noise),) + (1,) * (noise.ndim - 1)
    draw = torch.randint(2, shape, generator=generator, device=noise.device)
    return noise * (2 * draw - 1)
