"""Rows of a table that have the same values of some columns."""

from __future__ import annotations

from collections.abc import Iterator, Sequence


def grouped(rows: Sequence[dict], keys: Sequence[str]) -> Iterator[tuple[dict, list[dict]]]:
    """Yield each combination of values of ``keys``, in the order of the rows, and its rows."""
    for values in dict.fromkeys(tuple(row[key] for key in keys) for row in rows):
        group = [row for row in rows if tuple(row[key] for key in keys) == values]
        yield dict(zip(keys, values, strict=True)), group
