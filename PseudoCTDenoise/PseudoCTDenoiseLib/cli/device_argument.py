"""Command-line argument that chooses the device."""

from __future__ import annotations

import argparse


def add_device_argument(parser: argparse.ArgumentParser, default: str | None = "auto") -> None:
    """Add ``--device``. With the default None, a settings file can choose the device."""
    parser.add_argument(
        "--device",
        default=default,
        help="device to compute on: auto, cpu, cuda, cuda:INDEX or mps (default: auto)",
    )
