"""Words at the start of lines that `pseudoct` prints and that the panel's log shows."""

from __future__ import annotations

import sys
from collections.abc import Iterable

from .errors import printable

WARNING, ERROR, CHECK = "Warning: ", "pseudoct: ", "Check: "
"""Start of a line with a warning, with the error that ended a command, and with the traffic light
of the removed noise and its sentence."""


def print_warnings(warnings: Iterable[str]) -> None:
    """Print each warning on a line of standard error."""
    for text in warnings:
        print(f"{WARNING}{printable(text)}", file=sys.stderr)


def warnings_in(printed: str) -> list[str]:
    """Return the texts of the warnings."""
    return _texts(printed, WARNING)


def doubts_in(printed: str) -> list[str]:
    """Return the texts of the warnings, and that of a traffic light which is not green."""
    checks = [text for text in _texts(printed, CHECK) if not text.startswith("green")]
    return [*warnings_in(printed), *(f"{CHECK}{text}" for text in checks)]


def last_words(printed: str) -> str:
    """Return the text of the last line, the reason why a command failed; may be empty."""
    lines = _lines(printed)
    return lines[-1].removeprefix(ERROR) if lines else ""


def _texts(printed: str, start: str) -> list[str]:
    return [line.removeprefix(start) for line in _lines(printed) if line.startswith(start)]


def _lines(printed: str) -> list[str]:
    return [line.strip() for line in printed.splitlines() if line.strip()]
