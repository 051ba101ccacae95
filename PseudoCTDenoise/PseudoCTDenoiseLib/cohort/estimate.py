"""Time, storage and first bottleneck of a large cohort, from the measured table of a small one."""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import fmean, median
from typing import NamedTuple

from ..errors import BadInputError
from ..exit_codes import SUCCESSES
from ..markdown_table import Column, markdown
from .table import RESTORE

STORAGE_BYTES_PER_SECOND = 1.25e9
"""Assumed throughput of the storage that all workers share: a link of 10 Gbit/s."""
SPEED_UPS = (1, 10, 100)
"""Speeds of the networks relative to the measured device."""


class ScanCost(NamedTuple):
    """Cost of a scan, on average.

    Attributes
    ----------
    files_seconds : reading, planning, writing and report in the worker.
    compute_seconds : noise estimation, fine-tuning and inference in the worker.
    driver_seconds : time in which the driver can do nothing else; the median, since the driver
        also waits for the disk and for other programs.
    """

    scans: int
    slices: float
    files_seconds: float
    compute_seconds: float
    driver_seconds: float
    read_bytes: float
    written_bytes: float
    devices: str


def scan_cost(rows: Sequence[dict[str, str]]) -> ScanCost:
    """Return the mean cost of the denoised scans in a cohort's table.

    Raises
    ------
    BadInputError
        If the table has no denoised scan, or a cell that is not a number.
    """
    done = [row for row in rows if _number(row, "exit", empty="") in SUCCESSES and row["slices"]]
    if not done:
        raise BadInputError("The cohort has no denoised scan to measure: denoise some scans first.")

    def column(name: str) -> float:
        return fmean(_number(row, name) for row in done)

    return ScanCost(
        scans=len(done),
        slices=column("slices"),
        files_seconds=fmean(_seconds(row) * (1 - _compute_share(row)) for row in done),
        compute_seconds=fmean(_seconds(row) * _compute_share(row) for row in done),
        driver_seconds=median(_number(row, "driver_seconds") for row in done),
        read_bytes=column("read_bytes"),
        written_bytes=column("written_bytes"),
        devices=", ".join(sorted({row["device"] for row in done})),
    )


def _seconds(row: dict[str, str]) -> float:
    """Return the time of a scan in its worker without that of other programs on its processor."""
    seconds = _number(row, "seconds", empty="")
    on_cpu = row["device"].startswith("CPU")
    return min(seconds, _number(row, "cpu_seconds")) if on_cpu else seconds


def _compute_share(row: dict[str, str]) -> float:
    return _number(row, "compute_seconds") / (_number(row, "seconds", empty="") or 1)


def _number(row: dict[str, str], column: str, empty: str = "0") -> float:
    """Return a number of a table; an empty cell counts as ``empty``."""
    try:
        number = float(row[column] or empty)
    except ValueError:
        number = -1.0
    if not 0 <= number < math.inf:
        raise BadInputError(
            f"The table of the cohort has '{row[column]}' under {column} of the scan "
            f"'{row['name']}', which is not a number with a decimal point: {RESTORE}."
        )
    return number


def estimate_text(rows: Sequence[dict[str, str]], scans: int, workers: int) -> str:
    """Return Markdown: the measured cost, and time and bottleneck of ``scans`` on ``workers``."""
    cost = scan_cost(rows)
    moved = cost.read_bytes + cost.written_bytes
    measured = (
        f"Measured on {cost.scans} scans with {cost.slices:.0f} slices on average, one worker with "
        f"{cost.devices}. A scan takes {cost.compute_seconds:.1f} s for the networks, "
        f"{cost.files_seconds:.1f} s for reading, planning, writing and report, and "
        f"{1000 * cost.driver_seconds:.1f} ms of the driver. It reads "
        f"{cost.read_bytes / 1e6:.1f} MB and writes {cost.written_bytes / 1e6:.1f} MB.\n\n"
        f"{scans:,} scans read {scans * cost.read_bytes / 1e12:.2f} TB and write "
        f"{scans * cost.written_bytes / 1e12:.2f} TB. On {workers} workers:\n\n"
    )
    lines = []
    for speed_up in SPEED_UPS:
        worker = cost.files_seconds + cost.compute_seconds / speed_up
        limits = {
            _slower_part(cost, speed_up): workers / worker,
            "storage": STORAGE_BYTES_PER_SECOND / moved if moved else math.inf,
            "driver": 1 / cost.driver_seconds if cost.driver_seconds else math.inf,
        }
        bottleneck = min(limits, key=limits.__getitem__)
        rate = limits[bottleneck]
        saturating = min((limits[name], name) for name in ("storage", "driver"))
        lines.append(
            {
                "speed": f"{speed_up}×",
                "hours": scans / rate / 3600,
                "rate": rate,
                "throughput": rate * moved / 1e6,
                "bottleneck": bottleneck,
                "next": f"{saturating[1]}, from {saturating[0] * worker:,.0f} workers",
            }
        )
    columns = [
        Column("speed", "Speed of the networks"),
        Column("hours", "Hours", 1),
        Column("rate", "Scans/s", 1),
        Column("throughput", "Storage (MB/s)", 0),
        Column("bottleneck", "First bottleneck"),
        Column("next", "Next bottleneck"),
    ]
    return measured + markdown(lines, columns)


def _slower_part(cost: ScanCost, speed_up: float) -> str:
    """Return the part of a scan in the worker that takes longer."""
    if cost.compute_seconds / speed_up > cost.files_seconds:
        return "networks"
    return "reading, planning and writing in the workers"
