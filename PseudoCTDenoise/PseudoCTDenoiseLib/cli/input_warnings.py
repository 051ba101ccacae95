"""Warnings about the input of a command."""

from __future__ import annotations

import sys
from collections.abc import Iterable


def print_warnings(warnings: Iterable[str]) -> None:
    """Print what may spoil the result, one line each, on standard error."""
    for text in warnings:
        print(f"Warning: {text}", file=sys.stderr)
