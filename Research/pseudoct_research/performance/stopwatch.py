"""Shortest duration of repeated runs."""

from __future__ import annotations

import time
from collections.abc import Callable

import torch


def shortest_seconds(work: Callable[[], object], device: torch.device, runs: int) -> float:
    """Return the shortest duration of ``runs`` runs, after one warm-up run."""
    seconds = []
    for _ in range(1 + runs):
        _wait(device)
        started = time.perf_counter()
        work()
        _wait(device)
        seconds.append(time.perf_counter() - started)
    return min(seconds[1:])


def _wait(device: torch.device) -> None:
    """Wait until the GPU has finished all queued work."""
    if device.type != "cpu":
        getattr(torch, device.type).synchronize()
