"""1,000 damaged files of every kind, each read within limits of time and memory."""

from __future__ import annotations

import shutil
import tempfile
from collections import Counter
from pathlib import Path
from random import Random

from limited_reader import FAULTS, READ, REFUSED, LimitedReader, Outcome
from mutated_files import SEEDS, damage
from PseudoCTDenoiseLib.markdown_table import Column, Row

FILES = 1000
"""Number of damaged files, shared equally among the kinds."""
COLUMNS = (
    Column("kind", "Kind of file"),
    Column("files", "Damaged files"),
    Column("read", "Read"),
    Column("refused", "Refused"),
    *(Column(fault, fault.capitalize()) for fault in FAULTS),
    Column("seconds", "Slowest (s)"),
)


def run() -> list[Row]:
    """Return a row for each kind of file, and one for all of them."""
    share, more = divmod(FILES, len(SEEDS))
    with tempfile.TemporaryDirectory() as folder, LimitedReader(models=True) as reader:
        rows = [
            _row(kind, share + (number < more), Path(folder) / str(number), reader)
            for number, kind in enumerate(SEEDS)
        ]
    total = {
        key: sum(row[key] for row in rows) for key in rows[0] if key not in ("kind", "seconds")
    }
    return [*rows, {"kind": "All", **total, "seconds": max(row["seconds"] for row in rows)}]


def _row(kind: str, count: int, folder: Path, reader: LimitedReader) -> Row:
    whole = folder / "whole"
    whole.mkdir(parents=True)
    path = SEEDS[kind](whole)
    outcomes, slowest = Counter(), 0.0
    for number in range(count):
        copy = shutil.copytree(whole, folder / "copy")
        damage(kind, copy / path.name, Random(f"{kind} {number}"))
        outcome: Outcome = reader.read(copy / path.name)
        outcomes[outcome.kind] += 1
        slowest = max(slowest, outcome.seconds)
        if outcome.kind in FAULTS:
            print(f"  {kind}, number {number}: {outcome.kind}, {outcome.text}", flush=True)
        shutil.rmtree(copy)
    counts = {name: outcomes[name] for name in (READ, REFUSED, *FAULTS)}
    faults = sum(outcomes[fault] for fault in FAULTS)
    return {"kind": kind, "files": count, **counts, "faults": faults, "seconds": slowest}
