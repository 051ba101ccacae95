"""Command-line arguments that say how scans are read."""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

from ..ct.io.volume_files import CtVolume, read_volume
from ..ct.slice_distances import uneven_warning


def add_scan_arguments(parser: argparse.ArgumentParser) -> None:
    """Add ``--series``, ``--slice-axis`` and ``--allow-uneven`` of the input."""
    add_series_argument(parser, "--series", "the input")
    add_slice_axis_argument(parser)
    parser.add_argument(
        "--allow-uneven",
        action="store_true",
        help="process DICOM slices that are not evenly spaced; a volume file then states their "
        "median distance",
    )


def add_series_argument(parser: argparse.ArgumentParser, flag: str, scan: str) -> None:
    """Add a flag that chooses a DICOM series; ``scan`` names the scan in the help."""
    parser.add_argument(
        flag,
        metavar="SERIES",
        help=f"number or UID of the DICOM series of {scan}, or NUMBER.1, NUMBER.2 … if it holds "
        "several stacks; needed if the folder contains several",
    )


def add_slice_axis_argument(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--slice-axis",
        choices=("auto", "i", "j", "k"),
        default="auto",
        help="array axis along which axial slices are stacked (default: auto)",
    )


def read_scan(
    path: Path,
    arguments: argparse.Namespace,
    *,
    series: str | None,
    positions_kept: bool = False,
    keep_values: bool = False,
) -> CtVolume:
    """Read a scan as the arguments of :func:`add_scan_arguments` say.

    Parameters
    ----------
    positions_kept : the output states the position of each slice, so that unevenly spaced slices
        need no permission.
    keep_values : as for :func:`.read_volume`.

    Raises
    ------
    BadInputError
        As :func:`.read_volume`.
    """
    volume = read_volume(
        path,
        series=series,
        slice_axis=arguments.slice_axis,
        allow_uneven=positions_kept or arguments.allow_uneven,
        keep_values=keep_values,
    )
    if not volume.slice_offsets:
        return volume
    warning = uneven_warning(
        volume.slice_offsets, volume.slice_labels, positions_kept=positions_kept
    )
    return replace(volume, warnings=(*volume.warnings, warning))
