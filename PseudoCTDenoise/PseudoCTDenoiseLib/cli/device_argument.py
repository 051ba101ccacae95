"""Command-line argument that chooses the device."""

from __future__ import annotations

import argparse

DEVICES = "auto, cpu, cuda, cuda:INDEX or mps"


def add_device_argument(
    parser: argparse.ArgumentParser, default: str | None = "auto", devices: str = DEVICES
) -> None:
    """Add ``--device``. With the default None, a settings file can choose the device."""
    parser.add_argument(
        "--device",
        default=default,
        help=f"device to compute on: {devices} (default: auto)",
    )
