"""Warnings about the input of a command."""

from __future__ import annotations

import sys
from collections.abc import Iterable

from ..printed_words import WARNING


def print_warnings(warnings: Iterable[str]) -> None:
    """Print what may spoil the result, one line each, on standard error."""
    for text in warnings:
        print(f"{WARNING}{text}", file=sys.stderr)
