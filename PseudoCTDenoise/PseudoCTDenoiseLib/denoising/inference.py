"""Inference on slices: in one orientation, or averaged over flips and rotations by 90°."""

from __future__ import annotations

import torch
from torch import nn

ORIENTATIONS = {
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
) -> torch.Tensor:
    """Return the output of a network, without gradients.

    Parameters
    ----------
    slices : (N, rows, columns), normalised, on the network's device.
    orientations : 1, or 8 to average over the square's symmetries, or 3 of them.
    precision : number format of the layers after the first (autocast); the result is float32.

    Returns
    -------
    (N, rows, columns), normalised.
    """
    kind = slices.device.type
    with (
        torch.inference_mode(),
        torch.autocast(kind, precision, enabled=precision != torch.float32),
    ):
        outputs = [_apply(network, image, orientations) for image in slices[:, None, None]]
    # Joined outside of inference mode, so that the result may be trained on.
    return torch.cat(outputs)


def _apply(network: nn.Module, image: torch.Tensor, orientations: int) -> torch.Tensor:
    if orientations == 1:
        return network(image)[:, 0].float()
    total = torch.zeros_like(image[:, 0], dtype=torch.float32)
    for turns, flipped in ORIENTATIONS[orientations]:
        view = image.rot90(turns, (-2, -1))
        view = view.flip(-1) if flipped else view
        output = network(view.contiguous())[:, 0].float()
        output = output.flip(-1) if flipped else output
        total += output.rot90(-turns, (-2, -1))
    return total / orientations
