"""What a network's pass over a slice takes when it is done another way."""

from __future__ import annotations

import copy
from collections.abc import Callable

import torch
from PseudoCTDenoiseLib.denoising.inference import apply_network
from torch import nn

from .stopwatch import shortest_seconds

AS_IT_IS = "channels last, a slice at a time"


def time_variants(network: nn.Module, slices: torch.Tensor, runs: int = 5) -> dict[str, float]:
    """Seconds a slice, the shortest of several runs, in float32 if nothing else is said.

    Parameters
    ----------
    network : left as it is.
    slices : (4, rows, columns), normalised, on the CPU.
    """
    last = copy.deepcopy(network).eval().to(memory_format=torch.channels_last)
    first = copy.deepcopy(network).eval().to(memory_format=torch.contiguous_format)
    one = slices[:1]

    def together(count: int) -> Callable[[], torch.Tensor]:
        batch = slices[:count, None].contiguous(memory_format=torch.channels_last)
        return lambda: last(batch)

    def on_one_thread() -> None:
        threads = torch.get_num_threads()
        torch.set_num_threads(1)
        try:
            apply_network(last, one)
        finally:
            torch.set_num_threads(threads)

    ways: dict[str, tuple[Callable[[], object], int]] = {
        AS_IT_IS: (lambda: apply_network(last, one), 1),
        "channels first": (lambda: apply_network(first, one), 1),
        "two slices at once": (together(2), 2),
        "four slices at once": (together(4), 4),
        "on one thread": (on_one_thread, 1),
        "bfloat16": (lambda: apply_network(last, one, precision=torch.bfloat16), 1),
        "three orientations": (lambda: apply_network(last, one, orientations=3), 1),
        "half a slice, its middle rows": (lambda: apply_network(last, _middle(one)), 1),
    }
    with torch.inference_mode():
        return {
            name: shortest_seconds(work, slices.device, runs) / count
            for name, (work, count) in ways.items()
        }


def _middle(slices: torch.Tensor) -> torch.Tensor:
    rows = slices.shape[-2]
    return slices[:, rows // 4 : rows // 4 + rows // 2]
