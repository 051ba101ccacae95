"""Inference on slices: in one orientation, or averaged over flips and rotations by 90°."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import nn

ORIENTATIONS = {
    1: [(0, False)],
    3: [(0, False), (1, True), (2, False)],
    8: [(turns, flipped) for turns in range(4) for flipped in (False, True)],
}
"""Number of rotations by 90°, and True if a flip follows them. Three orientations gain about three
quarters of what eight gain over one."""


def apply_network(
    network: nn.Module,
    slices: torch.Tensor,
    *,
    orientations: int = 1,
    precision: torch.dtype = torch.float32,
    upright: Callable[[torch.Tensor], torch.Tensor] | None = None,
) -> torch.Tensor:
    """Return the output of a network, without gradients.

    Parameters
    ----------
    slices : (N, rows, columns), normalised, on the network's device; (N, images, rows, columns) for
        a network with several images of a slice.
    orientations : 1, or 8 to average over the square's symmetries, or 3 of them.
    precision : number format of the layers after the first (autocast); the result is float32.
    upright : called instead of the network, which it replaces, for the slices that are not turned.

    Returns
    -------
    (N, rows, columns), normalised.
    """
    kind = slices.device.type
    with (
        torch.inference_mode(),
        torch.autocast(kind, precision, enabled=precision != torch.float32),
    ):
        views = slices[:, None] if slices.ndim == 4 else slices[:, None, None]
        outputs = [_apply(network, image, orientations, upright or network) for image in views]
    # Joined outside of inference mode, so that the result may be trained on.
    return torch.cat(outputs)


def _apply(
    network: nn.Module,
    image: torch.Tensor,
    orientations: int,
    upright: Callable[[torch.Tensor], torch.Tensor],
) -> torch.Tensor:
    total = torch.zeros_like(image[:, 0], dtype=torch.float32)
    for turns, flipped in ORIENTATIONS[orientations]:
        view = image.rot90(turns, (-2, -1))
        view = view.flip(-1) if flipped else view
        layers = network if turns or flipped else upright
        output = layers(view.contiguous())[:, 0].float()
        output = output.flip(-1) if flipped else output
        total += output.rot90(-turns, (-2, -1))
    return total / orientations
