"""Timing of several methods on the same scans, for several numbers of slices."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np

Work = Callable[[np.ndarray], np.ndarray]
"""Function from HU of a scan, (slices, rows, columns), to HU of the same shape."""


class FirstRun(NamedTuple):
    """First run of a method, on one slice: seconds, and the resulting HU."""

    seconds: float
    hu: np.ndarray


def run_first(
    methods: Mapping[str, Work],
    scan: np.ndarray,
    clock: Callable[[], float] = time.perf_counter,
) -> Iterator[tuple[str, FirstRun]]:
    """Run every method once on the first slice of a scan, which includes loading and warm-up.

    ``scan`` is (slices, rows, columns) HU. Yields the name and the run of each method.
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
    scan : (slices, rows, columns) HU; larger scans repeat its slices.
    sizes : numbers of slices in ascending order.
    first : first run of every method, from :func:`run_first`.
    runs : number of runs of each method at each size. The methods take turns, so that a busy
        machine affects all of them alike.
    limit_seconds : a method is skipped at a size where one run is expected to take longer. On
        one slice its first run is used instead.

    Yields
    ------
    dict
        ``method``, ``slices``, ``seconds`` (a list, one value per run) and ``median_seconds``.
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
    """Extrapolate the seconds at a size from the latest two sizes, or repeat the only one."""
    (before, first), (latest, last) = known[-2:] if len(known) > 1 else (known[0], known[0])
    slope = max(0.0, (last - first) / (latest - before)) if latest > before else 0.0
    return last + slope * (size - latest)
