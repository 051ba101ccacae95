"""Methods timed side by side on the same scans, from one slice to many."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np

Work = Callable[[np.ndarray], np.ndarray]
"""HU of a scan, (slices, rows, columns), to HU of the same shape."""


def compare_speed(
    methods: Mapping[str, Work],
    scan: np.ndarray,
    sizes: Sequence[int],
    *,
    runs: int = 3,
    limit_seconds: float = 120.0,
    clock: Callable[[], float] = time.perf_counter,
) -> Iterator[dict]:
    """Time every method on scans of every size.

    Parameters
    ----------
    scan : (slices, rows, columns) HU; its slices come again and again in larger scans.
    sizes : numbers of slices, the smallest first.
    runs : of each method at a size, in turn, so that a busy moment meets them all. One more of
        each comes before, on one slice, since the first loads and prepares.
    limit_seconds : a method is left out at a size where one run is expected to take longer.

    Yields
    ------
    dict
        ``method``, ``slices``, ``seconds`` of every run, and their ``median_seconds``.
    """

    def timed(name: str, hu: np.ndarray) -> float:
        started = clock()
        methods[name](hu)
        return clock() - started

    known = {name: [(1, timed(name, scan[:1]))] for name in methods}
    for size in sizes:
        hu = np.resize(scan, (size, *scan.shape[1:]))
        wanted = [name for name in methods if _expected(known[name], size) <= limit_seconds]
        seconds: dict[str, list[float]] = {name: [] for name in wanted}
        for _ in range(runs):
            for name in wanted:
                seconds[name].append(timed(name, hu))
        for name in wanted:
            median = float(np.median(seconds[name]))
            known[name].append((size, median))
            yield {
                "method": name,
                "slices": size,
                "seconds": seconds[name],
                "median_seconds": median,
            }


def _expected(known: list[tuple[int, float]], size: int) -> float:
    """Seconds at a size, on the line through the latest two; as many as at the only one."""
    (before, first), (latest, last) = known[-2:] if len(known) > 1 else (known[0], known[0])
    slope = max(0.0, (last - first) / (latest - before)) if latest > before else 0.0
    return last + slope * (size - latest)
