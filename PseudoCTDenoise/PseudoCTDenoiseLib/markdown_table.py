"""Rows of results as a Markdown table."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Row = Mapping[str, Any]


@dataclass(frozen=True)
class Column:
    """A column of a Markdown table: the rows' key, the heading with its unit, the decimals.

    ``signed`` writes a plus before positive numbers, as gains and biases want it.
    """

    key: str
    heading: str
    decimals: int = 2
    signed: bool = False


def markdown(rows: Sequence[Row], columns: Sequence[Column]) -> str:
    """The rows as a GitHub Markdown table, numbers to the right; a dash where there is none."""
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
        return f"{value:{'+' if column.signed else ''}.{column.decimals}f}".replace("-", "−")
    return _escape(str(value))


def _escape(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)
