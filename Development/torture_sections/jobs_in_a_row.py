"""Many jobs in one process."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
from PseudoCTDenoiseLib.denoising.settings import DenoisingSettings
from PseudoCTDenoiseLib.markdown_table import Row
from PseudoCTDenoiseLib.worker.denoising_process import DenoisingProcess
from PseudoCTDenoiseLib.worker.runner import SubprocessRunner
from PseudoCTDenoiseLib.worker.worker_process import JobState

from .workplace import COLUMNS, environment, left, row, scan, workplace

__all__ = ["COLUMNS", "run"]
RUNS = 100
"""Number of jobs."""


def run(count: int = RUNS) -> list[Row]:
    """Run jobs in one process; memory, open files and threads must not grow."""

    settings = DenoisingSettings(steps=2, device="cpu", orientations=1)
    problems, usage, first = [], [], None
    with workplace() as place:
        for number in range(count):
            job = DenoisingProcess(
                SubprocessRunner(),
                scan(),
                settings,
                temporary_folder=place / "temporary",
                environment=environment(place),
            )
            job.start()
            if job.wait() is not JobState.COMPLETED:
                problems.append(f"job {number + 1}: {job.failure}")
                continue
            first = job.result.denoised if first is None else first
            if not np.array_equal(job.result.denoised, first):
                problems.append(f"job {number + 1} gave another result")
            del job
            problems += left(place)
            usage.append(_usage())
    rows = [row("jobs with the same scan and settings", count, problems)]
    for index, (what, slack) in enumerate({"MiB": 20, "open files": 2, "threads": 2}.items()):
        # The first jobs load libraries and fill pools.
        early, late = (max(part[index] for part in each) for each in _halves(usage))
        grown = [f"grew from {early} to {late} {what}"] if late > early + slack else []
        rows.append(row(f"{what} of the host: {early} at first, {late} at the end", count, grown))
    return rows


def _halves(values: list) -> tuple[list, list]:
    middle = (len(values) + 1) // 2
    return values[:middle], values[middle:] or values[:middle]


def _usage() -> tuple[int, int, int]:
    """Return resident memory in MiB, open files and threads of this process."""
    status = Path("/proc/self/status").read_text("utf-8")
    values = dict(line.split(":", 1) for line in status.splitlines())
    memory = int(values["VmRSS"].split()[0]) // 1024
    return memory, len(os.listdir("/proc/self/fd")), int(values["Threads"])
