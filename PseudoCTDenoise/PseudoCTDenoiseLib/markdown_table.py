"""Markdown tables of results."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .number_text import with_minus_sign

Row = Mapping[str, Any]


@dataclass(frozen=True)
class Column:
    """A column of a Markdown table: key of the rows, heading with unit, number of decimals.

    ``signed`` writes a plus sign before positive numbers, for example for gains and biases.
    """

    key: str
    heading: str
    decimals: int = 2
    signed: bool = False


def markdown(rows: Sequence[Row], columns: Sequence[Column]) -> str:
    """Return the rows as a GitHub Markdown table.

    Columns of numbers are aligned to the right. A dash stands for a missing value.
    """
    numeric = [any(_is_number(row.get(c.key)) for row in rows) for c in columns]
    lines = [
        _line(_escape(c.heading) for c in columns),
        _line("---:" if right else "---" for right in numeric),
        *(_line(_cell(row.get(c.key), c) for c in columns) for row in rows),
    ]
    return "\n".join(lines) + "\n"


def _line(cells: Iterable[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def _cell(value: Any, column: Column) -> str:
    if value is None or value == "" or (isinstance(value, float) and math.isnan(value)):
        return "–"
    if isinstance(value, float):
        return with_minus_sign(f"{value:{'+' if column.signed else ''}.{column.decimals}f}")
    return _escape(str(value))


def _escape(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)
