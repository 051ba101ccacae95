"""Noise maps of a scan and their ensemble (arXiv 2104.02326, section 2.2).

A noise map is the estimate of Z = X − NDCT that a noise model predicts from the LDCT X. It is
normalised without the offset: multiplied by 4096 it is in HU.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import nn

from ..ct.hounsfield import RANGE_HU
from ..models.networks import UNet, have_one_trunk
from .inference import apply_network

REMOVED_NOISE = 0.76
"""Fraction of the noise's standard deviation that the shipped noise models find. They are trained
to find 75 %, see :func:`.target_noise_fraction`. With 76 %, noise maps and pseudo-LDCT of the
validation scans together have the level of the scans' noise."""


def predict_noise_maps(
    noise_models: Sequence[nn.Module],
    slices: torch.Tensor,
    precision: torch.dtype = torch.float32,
) -> torch.Tensor:
    """Return Z_m = N_m(X): (M, N, rows, columns) for (N, rows, columns) normalised slices."""
    first, *others = noise_models
    if others and have_one_trunk(noise_models):
        output, maps = apply_with_noise_maps(first, others, slices, precision=precision)
        return torch.cat([output[None], maps])
    return torch.stack(
        [apply_network(model, slices, precision=precision) for model in noise_models]
    )


def apply_with_noise_maps(
    network: UNet,
    noise_models: Sequence[UNet],
    slices: torch.Tensor,
    *,
    orientations: int = 1,
    precision: torch.dtype = torch.float32,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the output of a network, and the maps of noise models that share its trunk.

    The maps come from the slices as they are, whatever the number of ``orientations``; the cost is
    that of the noise models' last layers. For the other parameters see :func:`.apply_network`.

    Returns
    -------
    output, (N, rows, columns), and maps, (M, N, rows, columns), normalised.
    """
    maps = []

    def upright(image: torch.Tensor) -> torch.Tensor:
        features = network.features(image)
        maps.append(torch.stack([model.finish(image, features)[:, 0] for model in noise_models]))
        return network.finish(image, features)

    output = apply_network(
        network, slices, orientations=orientations, precision=precision, upright=upright
    )
    return output, torch.cat(maps, dim=1).float()


def whole_noise_hu(maps: torch.Tensor) -> torch.Tensor:
    """Return the whole noise of the scan in HU, for normalised maps (M, N, rows, columns).

    Noise models find the part of the noise that a denoiser should remove. In each slice, all maps
    are brought to their mean level, and then to that of the whole noise.
    """
    # vector_norm is ten times as fast as std.
    deviations = maps - maps.mean(dim=(-2, -1), keepdim=True)
    levels = torch.linalg.vector_norm(deviations, dim=(-2, -1), keepdim=True)
    levels = levels / math.sqrt(maps[0, 0].numel())
    common = levels.mean(dim=0) / levels.clamp(min=torch.finfo(levels.dtype).tiny)
    return maps * common * (RANGE_HU / REMOVED_NOISE)


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
