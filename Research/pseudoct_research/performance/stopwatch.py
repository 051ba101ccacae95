"""How long something takes when nothing is in its way."""

from __future__ import annotations

import time
from collections.abc import Callable

import torch


def shortest_seconds(work: Callable[[], object], device: torch.device, runs: int) -> float:
    """Of several runs, after one that prepares."""
    seconds = []
    for _ in range(1 + runs):
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
