"""Time of a network's forward pass on one slice in different implementations."""

from __future__ import annotations

import copy
from collections.abc import Callable

import torch
from PseudoCTDenoiseLib.denoising.inference import apply_network
from torch import nn

from .stopwatch import shortest_seconds

DEFAULT_VARIANT = "channels last, one slice per pass"


def time_variants(network: nn.Module, slices: torch.Tensor, runs: int = 5) -> dict[str, float]:
    """Return the seconds per slice of each variant, the shortest of several runs.

    Every variant but "bfloat16" runs in float32.

    Parameters
    ----------
    network : is not changed.
    slices : (4, rows, columns), normalised, on the CPU.
    """
    last = copy.deepcopy(network).eval().to(memory_format=torch.channels_last)
    first = copy.deepcopy(network).eval().to(memory_format=torch.contiguous_format)
    single = slices[:1]

    def together(count: int) -> Callable[[], torch.Tensor]:
        batch = slices[:count, None].contiguous(memory_format=torch.channels_last)
        return lambda: last(batch)

    def on_one_thread() -> None:
        threads = torch.get_num_threads()
        torch.set_num_threads(1)
        try:
            apply_network(last, single)
        finally:
            torch.set_num_threads(threads)

    variants: dict[str, tuple[Callable[[], object], int]] = {
        DEFAULT_VARIANT: (lambda: apply_network(last, single), 1),
        "channels first": (lambda: apply_network(first, single), 1),
        "two slices per pass": (together(2), 2),
        "four slices per pass": (together(4), 4),
        "on one thread": (on_one_thread, 1),
        "bfloat16": (lambda: apply_network(last, single, precision=torch.bfloat16), 1),
        "three orientations": (lambda: apply_network(last, single, orientations=3), 1),
        "the middle half of the rows": (lambda: apply_network(last, _middle(single)), 1),
    }
    with torch.inference_mode():
        return {
            name: shortest_seconds(work, slices.device, runs) / count
            for name, (work, count) in variants.items()
        }


def _middle(slices: torch.Tensor) -> torch.Tensor:
    rows = slices.shape[-2]
    return slices[:, rows // 4 : rows // 4 + rows // 2]
