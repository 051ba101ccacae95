"""Methods timed side by side on the same scans, from one slice to many."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np

Work = Callable[[np.ndarray], np.ndarray]
"""HU of a scan, (slices, rows, columns), to HU of the same shape."""


class FirstRun(NamedTuple):
    """A method's first run, on one slice: seconds, and the HU that it gave."""

    seconds: float
    hu: np.ndarray


def run_first(
    methods: Mapping[str, Work],
    scan: np.ndarray,
    clock: Callable[[], float] = time.perf_counter,
) -> Iterator[tuple[str, FirstRun]]:
    """Run every method once on the first slice of a scan: the first time loads and prepares.

    ``scan`` is (slices, rows, columns) HU. Yields each method's name and its run.
    """
    for name, work in methods.items():
        started = clock()
        hu = work(scan[:1])
        yield name, FirstRun(clock() - started, hu)


def compare_speed(
    methods: Mapping[str, Work],
    scan: np.ndarray,
    sizes: Sequence[int],
    first: Mapping[str, FirstRun],
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
    first : of every method, from :func:`run_first`.
    runs : of each method at a size, in turn, so that a busy moment meets them all.
    limit_seconds : a method is left out at a size where one run is expected to take longer. On
        one slice its first run then stands for it.

    Yields
    ------
    dict
        ``method``, ``slices``, ``seconds`` of every run, and their ``median_seconds``.
    """
    known = {name: [(1, first[name].seconds)] for name in methods}
    for size in sizes:
        hu = np.resize(scan, (size, *scan.shape[1:]))
        quick = [name for name in methods if _expected(known[name], size) <= limit_seconds]
        seconds: dict[str, list[float]] = {name: [] for name in quick}
        if size == 1:
            seconds |= {name: [first[name].seconds] for name in methods if name not in quick}
        for _ in range(runs):
            for name in quick:
                started = clock()
                methods[name](hu)
                seconds[name].append(clock() - started)
        for name, taken in seconds.items():
            median = float(np.median(taken))
            known[name].append((size, median))
            yield {"method": name, "slices": size, "seconds": taken, "median_seconds": median}


def _expected(known: list[tuple[int, float]], size: int) -> float:
    """Seconds at a size, on the line through the latest two; as many as at the only one."""
    (before, first), (latest, last) = known[-2:] if len(known) > 1 else (known[0], known[0])
    slope = max(0.0, (last - first) / (latest - before)) if latest > before else 0.0
    return last + slope * (size - latest)
