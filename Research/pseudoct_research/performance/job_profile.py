"""Profile of one job: seconds to start, and time per torch operation."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import PseudoCTDenoiseLib
import torch

LIBRARY_PARENT = Path(PseudoCTDenoiseLib.__file__).resolve().parents[1]
_IMPORTS = "import PseudoCTDenoiseLib.cli.denoise"


def seconds_to_start() -> dict[str, float]:
    """Time the start of Python and, separately, the imports of a job."""

    def run(code: str) -> float:
        started = time.perf_counter()
        subprocess.run([sys.executable, "-c", code], cwd=LIBRARY_PARENT, check=True)
        return time.perf_counter() - started

    run(_IMPORTS)  # fills the file cache
    bare = run("pass")
    return {"process start": bare, "imports": max(0.0, run(_IMPORTS) - bare)}


def shares_of_operations(work: Callable[[], object], most: int = 8) -> dict[str, float]:
    """Return the share of CPU time of each torch operation in ``work``, by name.

    The ``most`` largest shares come first; "other" is the sum of the rest.
    """
    work()
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU]) as profiler:
        work()
    events = profiler.key_averages()
    total = sum(event.self_cpu_time_total for event in events) or 1
    shares = {event.key: event.self_cpu_time_total / total for event in events}
    largest = dict(sorted(shares.items(), key=lambda item: -item[1])[:most])
    return largest | {"other": 1 - sum(largest.values())}
