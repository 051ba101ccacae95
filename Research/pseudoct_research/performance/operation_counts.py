"""Cost of a network's forward pass, counted instead of timed."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from PseudoCTDenoiseLib.denoising.inference import apply_network
from torch import nn
from torch.utils.flop_counter import FlopCounterMode


@dataclass(frozen=True)
class OperationCounts:
    """Counts of one forward pass.

    Attributes
    ----------
    operations : floating-point operations; a multiplication with its addition counts as two.
    bytes : size of the layers' inputs, weights and outputs in float32, which is the memory
        traffic without caches.
    calls : number of layer calls. Layers are modules: functions between them (additions,
        activations) are not counted.
    """

    operations: int
    bytes: int
    calls: int


def count_operations(
    network: nn.Module, rows: int, columns: int, orientations: int = 1
) -> OperationCounts:
    """Count a forward pass on one slice of rows × columns."""
    moved, calls = 0, 0

    def count(layer: nn.Module, inputs: tuple, output: torch.Tensor) -> None:
        nonlocal moved, calls
        tensors = [*inputs, output, *layer.parameters()]
        moved += sum(4 * tensor.numel() for tensor in tensors)
        calls += 1

    layers = [layer for layer in network.modules() if not list(layer.children())]
    hooks = [layer.register_forward_hook(count) for layer in layers]
    try:
        with FlopCounterMode(display=False) as counter:
            apply_network(network, torch.zeros(1, rows, columns), orientations=orientations)
    finally:
        for hook in hooks:
            hook.remove()
    return OperationCounts(counter.get_total_flops(), moved, calls)
