"""Benchmark part `operations`: operations and bytes of a forward pass on one slice."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict

from PseudoCTDenoiseLib.markdown_table import Column, markdown
from PseudoCTDenoiseLib.models.store import load_denoiser

from .bench_setup import BenchSetup
from .operation_counts import count_operations


def measure(setup: BenchSetup) -> Iterator[dict]:
    """Yield the counts of each network and the seconds they take at the machine's limits."""
    networks = {}
    for name in ("fast", "paper"):
        rows = setup.arguments.rows
        counts = count_operations(load_denoiser(name)[0], rows, rows)
        networks[name] = asdict(counts) | {
            "seconds_at_matrix_peak": counts.operations / setup.machine["matrix_gflops"] / 1e9,
            "seconds_without_caches": counts.bytes / setup.machine["memory_gb_per_s"] / 1e9,
        }
    yield {"machine": setup.machine, "networks": networks}


def table(values: dict) -> str:
    """Return the Markdown table of the counts, one network per row."""
    machine = values["machine"]
    lines = [
        {
            "network": name,
            "gflop": counts["operations"] / 1e9,
            "gb": counts["bytes"] / 1e9,
            "calls": counts["calls"],
            "matrix": 1000 * counts["seconds_at_matrix_peak"],
            "memory": 1000 * counts["seconds_without_caches"],
        }
        for name, counts in values["networks"].items()
    ]
    columns = (
        Column("network", "Forward pass on one slice"),
        Column("gflop", "GFLOP", decimals=1),
        Column("calls", "Convolutions", decimals=0),
        Column("matrix", f"ms at {machine['matrix_gflops']:.0f} GFLOP/s", decimals=0),
        Column("gb", "Memory traffic (GB)"),
        Column("memory", f"ms at {machine['memory_gb_per_s']:.0f} GB/s", decimals=0),
    )
    return markdown(lines, columns)
