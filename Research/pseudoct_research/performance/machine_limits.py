"""What a machine could do at best: multiplications, and bytes to and from its memory."""

from __future__ import annotations

import torch

from .stopwatch import shortest_seconds

_SIDE = 1536
_MEGABYTES = 256


def matrix_gflops(device: torch.device, runs: int = 5) -> float:
    """Floating-point operations a second of a large float32 matrix product, in 10⁹."""
    one = torch.ones(_SIDE, _SIDE, device=device)
    return 2 * _SIDE**3 / shortest_seconds(lambda: one @ one, device, runs) / 1e9


def memory_gb_per_second(device: torch.device, runs: int = 5) -> float:
    """Bytes read and written a second while a large array is copied, in 10⁹."""
    source = torch.ones(_MEGABYTES * 2**20 // 4, device=device)
    target = torch.empty_like(source)
    seconds = shortest_seconds(lambda: target.copy_(source), device, runs)
    return 2 * source.nbytes / seconds / 1e9
