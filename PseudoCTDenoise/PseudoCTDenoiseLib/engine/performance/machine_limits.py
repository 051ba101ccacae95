"""What a machine could do at best: multiplications, and bytes to and from its memory."""

from __future__ import annotations

import time

import torch

_SIDE = 1536
_MEGABYTES = 256


def matrix_gflops(device: torch.device, runs: int = 5) -> float:
    """Floating-point operations a second of a large float32 matrix product, in 10⁹."""
    one = torch.ones(_SIDE, _SIDE, device=device)
    return 2 * _SIDE**3 / _fastest(lambda: one @ one, device, runs) / 1e9


def memory_gb_per_second(device: torch.device, runs: int = 5) -> float:
    """Bytes read and written a second while a large array is copied, in 10⁹."""
    source = torch.ones(_MEGABYTES * 2**20 // 4, device=device)
    target = torch.empty_like(source)
    seconds = _fastest(lambda: target.copy_(source), device, runs)
    return 2 * source.nbytes / seconds / 1e9


def _fastest(work, device: torch.device, runs: int) -> float:
    seconds = []
    for _ in range(1 + runs):  # the first prepares
        _wait(device)
        started = time.perf_counter()
        work()
        _wait(device)
        seconds.append(time.perf_counter() - started)
    return min(seconds[1:])


def _wait(device: torch.device) -> None:
    """Until a GPU has done what it was given."""
    if device.type != "cpu":
        getattr(torch, device.type).synchronize()
