"""Denoise the CT series that a router puts into a folder; write derived series to another folder.

The folders and file names are those of mercure: SERIES#IMAGE.dcm and task.json in MERCURE_IN_DIR,
results in MERCURE_OUT_DIR. Research use only; not for primary diagnosis.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from ..errors import BadInputError, printable
from ..exit_codes import FAULT
from ..node.routed_folder import DenoisingFailedError, denoise_routed
from ..output_paths import check_writable
from ..printed_words import ERROR
from ..temporary_files import in_temporary_folder
from .supervised import child_program

VARIABLES = {"input": "MERCURE_IN_DIR", "output": "MERCURE_OUT_DIR"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    for name, variable in VARIABLES.items():
        parser.add_argument(
            name,
            nargs="?",
            type=Path,
            help=f"{name} folder (default: the environment variable {variable})",
        )
    parser.add_argument(
        "--time-limit",
        type=float,
        default=60,
        metavar="MINUTES",
        help="time limit for each series in minutes (default: 60)",
    )


def run(arguments: argparse.Namespace) -> int | None:
    """Denoise the series of the input folder."""
    source, output = _folder(arguments, "input"), _folder(arguments, "output")
    if not arguments.time_limit > 0:
        raise BadInputError("--time-limit must be more than 0 minutes.")
    if source.samefile(output):
        raise BadInputError(
            f"{output} is the input folder: choose another output folder, so that results are not "
            "taken for input."
        )
    check_writable(output / "result.dcm")
    try:
        number = in_temporary_folder(
            output,
            lambda work: denoise_routed(
                child_program(), source, output, work, arguments.time_limit * 60
            ),
        )
    except DenoisingFailedError as error:
        print(f"{ERROR}{printable(str(error))}", file=sys.stderr)
        return FAULT
    print(f"{number} derived series in {printable(str(output))} (research use only).")
    return None


def _folder(arguments: argparse.Namespace, name: str) -> Path:
    """Return a folder from the arguments or from the environment."""
    path = getattr(arguments, name) or os.environ.get(VARIABLES[name])
    if not path:
        raise BadInputError(f"Give the {name} folder, or set {VARIABLES[name]}.")
    path = Path(path)
    if not path.is_dir():
        raise BadInputError(f"The {name} folder {path} does not exist.")
    return path
