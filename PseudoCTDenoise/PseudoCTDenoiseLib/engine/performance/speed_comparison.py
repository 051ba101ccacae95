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
    runs : of each method at a size, in turn, so that a busy moment meets them all; one more
        before the first size, which is not counted.
    limit_seconds : a method that would take longer at a size, by what it took for the size
        before, is not run there.

    Yields
    ------
    dict
        ``method``, ``slices`` and ``seconds``, one of every run.
    """
    latest: dict[str, tuple[int, float]] = {}
    for size in sizes:
        hu = np.resize(scan, (size, *scan.shape[1:]))
        wanted = [
            name
            for name in methods
            if name not in latest or latest[name][1] * size / latest[name][0] <= limit_seconds
        ]
        for name in wanted:
            if name not in latest:
                methods[name](hu)  # the first run of all loads and prepares
        seconds: dict[str, list[float]] = {name: [] for name in wanted}
        for _ in range(runs):
            for name in wanted:
                started = clock()
                methods[name](hu)
                seconds[name].append(clock() - started)
        for name in wanted:
            latest[name] = size, float(np.median(seconds[name]))
            yield {"method": name, "slices": size, "seconds": seconds[name]}
