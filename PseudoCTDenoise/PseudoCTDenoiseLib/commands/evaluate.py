"""Print the table of methods on the scans of a split at simulated low dose."""

from __future__ import annotations

import argparse
from pathlib import Path

from ..engine.comparison import COLUMNS, simulated_pair, summary
from ..engine.ct_dataset import read_index
from ..engine.errors import BadInputError
from ..engine.reconstruction_kernels import KERNELS
from ..engine.results_table import check_block, markdown, replace_block, write_csv
from ..engine.volume_files import check_place
from .compare import add_comparison_arguments, check_comparison_arguments, compare_all


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--index", type=Path, required=True, help="CSV that lists the scans")
    parser.add_argument("--split", default="val", help="default: val")
    parser.add_argument("--dose", type=float, default=0.25, help="dose fraction (default: 0.25)")
    parser.add_argument(
        "--kernel", choices=KERNELS, action="append", help="default: each of them in turn"
    )
    parser.add_argument("--page", type=Path, help="Markdown page whose block RESULTS is replaced")
    add_comparison_arguments(parser)


def run(arguments: argparse.Namespace) -> None:
    check_comparison_arguments(arguments)
    if not 0 < arguments.dose < 1:
        raise BadInputError(f"--dose {arguments.dose:g} is not between 0 and 1.")
    if arguments.page:
        check_place(arguments.page)
        check_block(arguments.page, "RESULTS")
    scans = read_index(arguments.index, arguments.split)
    parts, scores = [], []
    for kernel in arguments.kernel or KERNELS:
        pairs = [simulated_pair(s, arguments.dose, KERNELS[kernel], arguments.seed) for s in scans]
        new = compare_all(arguments, pairs, f"{kernel} kernel")
        rows = summary(new)
        slices = sum(len(pair.ndct) for pair in pairs)
        parts.append(
            f"**{kernel.capitalize()} kernel**, {arguments.dose:.0%} of the dose, split "
            f"`{arguments.split}`: {rows[0]['patients']} patients, {slices} slices.\n\n"
            + markdown(rows, COLUMNS)
        )
        scores += [{"kernel": kernel, "dose": arguments.dose, **one} for one in new]
    text = "\n".join(parts)
    print(text)
    if arguments.csv:
        write_csv(arguments.csv, scores)
    if arguments.page:
        replace_block(arguments.page, "RESULTS", text)
