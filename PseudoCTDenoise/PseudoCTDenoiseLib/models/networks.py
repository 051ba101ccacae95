"""The networks: RED-CNN, the denoiser of the paper, and a U-Net for noise models and `fast`.

Every network maps normalised slices (N, 1, rows, columns) to normalised slices of the same
shape; see :mod:`..ct.hounsfield`. A noise model maps to a noise map, in the same units without
the offset.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence

import torch
from torch import nn
from torch.nn import functional as F

from ..ct.hounsfield import RANGE_HU, normalise
from ..errors import BadInputError

WATER = normalise(0.0)
CONTRAST = RANGE_HU / 128
"""Scale inside the networks: units of 128 HU, which brings the noise to unit scale."""

MAX_WEIGHTS = 50_000_000
"""Largest network of a manifest, 200 MB in float32; the networks of the paper have 1.85 M."""
MAX_CHANNELS, MAX_PARAMETERS = 4096, 16


def in_full_precision(layer: nn.Module, x: torch.Tensor) -> torch.Tensor:
    """Return the output of the first layer, computed in float32 whatever the other layers use.

    Rounding the image itself to 8 bits (4 HU in lung) would add an error that resembles noise.
    """
    kind = x.device.type
    # The device "meta", on which operations are counted, does not support autocast.
    if not (torch.amp.is_autocast_available(kind) and torch.is_autocast_enabled(kind)):
        return layer(x)
    with torch.autocast(kind, enabled=False):
        return layer(x).to(torch.get_autocast_dtype(kind))


class RedCnn(nn.Module):
    """Residual encoder-decoder CNN (Chen et al., IEEE TMI 2017, doi:10.1109/TMI.2017.2715284).

    Five 5×5 convolutions and five 5×5 transposed convolutions without padding, and three
    shortcuts; 1.85 M weights at 96 channels. Slices smaller than the receptive field of the encoder
    are extended by replication. Water is zero in the input of the first layer and in the output of
    the last.
    """

    LAYERS = 5

    def __init__(self, channels: int = 96):
        super().__init__()
        widths = [1] + [channels] * self.LAYERS
        self.encoder = nn.ModuleList(
            nn.Conv2d(a, b, kernel_size=5) for a, b in zip(widths, widths[1:], strict=False)
        )
        self.decoder = nn.ModuleList(
            nn.ConvTranspose2d(b, a, kernel_size=5)
            for a, b in reversed(list(zip(widths, widths[1:], strict=False)))
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        rows, columns = x.shape[-2:]
        margin = 4 * self.LAYERS
        missing = [max(0, margin + 1 - size) for size in (columns, rows)]
        x = F.pad(x, (0, missing[0], 0, missing[1]), mode="replicate")

        shortcuts = []
        y = (x - WATER) * CONTRAST
        for index, layer in enumerate(self.encoder):
            if index in (2, 4):
                shortcuts.append(y)
            y = F.relu(layer(y) if index else in_full_precision(layer, y))
        for index, layer in enumerate(self.decoder[:-1]):
            y = layer(y)
            if index in (0, 2):
                y = y + shortcuts.pop()
            y = F.relu(y)
        y = F.relu(x + self.decoder[-1](y) / CONTRAST)
        return y[..., :rows, :columns]


class UNet(nn.Module):
    """U-Net (Ronneberger et al., MICCAI 2015) that predicts the noise.

    Parameters
    ----------
    widths : number of channels at each level, finest first; each level halves the resolution.
    unshuffle : factor by which the slice is split into ``unshuffle``² images of lower resolution
        (Shi et al., CVPR 2016, arXiv:1609.05158), which reduces the cost by ``unshuffle``².
    residual : True returns x − noise (a denoiser), False the noise alone (a noise model).

    Shortcuts are added and not concatenated, which halves the operations of the decoder.
    """

    def __init__(
        self,
        widths: Sequence[int] = (16, 48, 96),
        unshuffle: int = 2,
        residual: bool = True,
    ):
        super().__init__()
        if len(widths) < 2:
            raise ValueError("widths needs at least two levels")
        self.unshuffle = unshuffle
        self.residual = residual
        self.stride = unshuffle * 2 ** (len(widths) - 1)
        steps = list(zip(widths, widths[1:], strict=False))
        self.head = nn.Conv2d(unshuffle**2, widths[0], 3, padding=1)
        self.down = nn.ModuleList(_ConvPair(width) for width in widths[:-1])
        self.shrink = nn.ModuleList(nn.Conv2d(a, b, kernel_size=2, stride=2) for a, b in steps)
        self.bottom = _ConvPair(widths[-1])
        self.grow = nn.ModuleList(nn.Conv2d(b, a * 4, kernel_size=1) for a, b in steps)
        self.up = nn.ModuleList(_ConvPair(width) for width in widths[:-1])
        self.tail = nn.Conv2d(widths[0], unshuffle**2, 3, padding=1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.finish(x, self.features(x))

    def features(self, x: torch.Tensor) -> torch.Tensor:
        """Return the input of the last layers, which networks with the same trunk share."""
        rows, columns = x.shape[-2:]
        missing = [-size % self.stride for size in (columns, rows)]
        y = F.pad((x - WATER) * CONTRAST, (0, missing[0], 0, missing[1]), mode="replicate")

        y = F.pixel_unshuffle(y, self.unshuffle)
        y = in_full_precision(self.head, y)
        finer = []
        for convolutions, shrink in zip(self.down, self.shrink, strict=True):
            y = convolutions(y)
            finer.append(y)
            y = shrink(y)
        y = self.bottom(y)
        coarse_to_fine = list(zip(self.grow, self.up, strict=True))[::-1]
        for grow, convolutions in coarse_to_fine[:-1]:
            y = convolutions(F.pixel_shuffle(grow(y), 2) + finer.pop())
        return F.pixel_shuffle(self.grow[0](y), 2) + finer.pop()

    def finish(self, x: torch.Tensor, features: torch.Tensor) -> torch.Tensor:
        """Return the output for slices x from their :meth:`features`."""
        rows, columns = x.shape[-2:]
        y = self.tail(self.up[0](features))
        noise = F.pixel_shuffle(y, self.unshuffle)[..., :rows, :columns] / CONTRAST
        return x - noise if self.residual else noise

    def last_layers(self) -> set[str]:
        """Return the names of the weights that :meth:`finish` uses."""
        return {name for name in self.state_dict() if name.startswith(("up.0.", "tail."))}


def have_one_trunk(networks: Sequence[nn.Module]) -> bool:
    """Return True if the networks are U-Nets that differ in their last layers only.

    The trunk then needs to run once for all of them.
    """
    first, *others = networks
    if not isinstance(first, UNet):
        return False
    trunk = {k: v for k, v in first.state_dict().items() if k not in first.last_layers()}
    return all(isinstance(other, UNet) and _contains(other.state_dict(), trunk) for other in others)


def _contains(weights: dict[str, torch.Tensor], part: dict[str, torch.Tensor]) -> bool:
    return all(
        key in weights and weights[key].shape == value.shape and torch.equal(weights[key], value)
        for key, value in part.items()
    )


class _ConvPair(nn.Module):
    """Two 3×3 convolutions with a shortcut, which eases the training of a deep network."""

    def __init__(self, width: int):
        super().__init__()
        self.first = nn.Conv2d(width, width, 3, padding=1)
        self.second = nn.Conv2d(width, width, 3, padding=1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + self.second(F.relu(self.first(F.relu(x)), inplace=True))


ARCHITECTURES: dict[str, type[nn.Module]] = {"RedCnn": RedCnn, "UNet": UNet}


def trainable_copy(network: nn.Module) -> nn.Module:
    """Return a copy in training mode whose gradients reach all layers."""
    return copy.deepcopy(network).train().requires_grad_(True)


def build_network(architecture: str, parameters: dict) -> nn.Module:
    """Return the network of a manifest, with newly initialised weights.

    Raises
    ------
    BadInputError
        If the architecture or one of its parameters is unknown or has a wrong value, or the network
        has more than ``MAX_WEIGHTS`` weights.
    """
    if not isinstance(parameters, dict) or not _are_small(parameters):
        raise BadInputError(
            f"Wrong parameters for {architecture}: correct the manifest. Use at most "
            f"{MAX_PARAMETERS} integers from 1 to {MAX_CHANNELS}."
        )
    try:
        with torch.device("meta"):  # takes no memory
            weights = sum(p.numel() for p in ARCHITECTURES[architecture](**parameters).parameters())
        if weights > MAX_WEIGHTS:
            raise ValueError(f"{weights:,} weights, at most {MAX_WEIGHTS:,} are possible")
        return ARCHITECTURES[architecture](**parameters)
    except Exception as error:  # the type that torch raises depends on the parameter
        reason = str(error).split("\n")[0][:200]
        raise BadInputError(
            f"Wrong parameters for {architecture} ({reason}): correct the manifest."
        ) from error


def _are_small(parameters: dict) -> bool:
    """Return True if the parameters are few integers or switches that ask for no large network."""
    values = [
        item
        for value in parameters.values()
        for item in (value if isinstance(value, list | tuple) else [value])
    ]
    return len(values) <= MAX_PARAMETERS and all(
        isinstance(value, bool) or (isinstance(value, int) and 1 <= value <= MAX_CHANNELS)
        for value in values
    )
