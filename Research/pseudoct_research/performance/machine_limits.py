"""Peak speed of a machine: matrix products, and bytes to and from its memory."""

from __future__ import annotations

import torch

from .stopwatch import shortest_seconds

_SIDE = 1536
_MEGABYTES = 256
_RUNS = 5


def matrix_gflops(device: torch.device) -> float:
    """Measure a large float32 matrix product in 10⁹ floating-point operations per second."""
    matrix = torch.ones(_SIDE, _SIDE, device=device)
    return 2 * _SIDE**3 / shortest_seconds(lambda: matrix @ matrix, device, _RUNS) / 1e9


def memory_gb_per_second(device: torch.device) -> float:
    """Measure the copy of a large array in 10⁹ bytes read and written per second."""
    source = torch.ones(_MEGABYTES * 2**20 // 4, device=device)
    target = torch.empty_like(source)
    seconds = shortest_seconds(lambda: target.copy_(source), device, _RUNS)
    return 2 * source.nbytes / seconds / 1e9
