"""Warnings about the input of a command."""

from __future__ import annotations

import sys

from ..ct.io.volume_files import CtVolume


def print_warnings(volume: CtVolume) -> None:
    """Print what may spoil the result, one line each, on standard error."""
    for text in volume.warnings:
        print(f"Warning: {text}", file=sys.stderr)
