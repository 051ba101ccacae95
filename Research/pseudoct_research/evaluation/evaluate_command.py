"""Compare methods on the scans of a split at simulated low dose."""

from __future__ import annotations

import argparse
from pathlib import Path

from PseudoCTDenoiseLib.cli.side_outputs import SideOutputs
from PseudoCTDenoiseLib.errors import BadInputError
from PseudoCTDenoiseLib.markdown_table import markdown
from PseudoCTDenoiseLib.output_paths import check_writable
from PseudoCTDenoiseLib.simulation.reconstruction_kernels import KERNELS

from ..datasets.ct_dataset import index_files, read_index
from ..results.results_table import check_block, replace_block, write_csv
from .compare_command import add_comparison_arguments, check_comparison_arguments, compare_all
from .comparison import COLUMNS, simulated_pair, summary


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--index", type=Path, required=True, help="CSV that lists the scans")
    parser.add_argument("--split", default="val", help="default: val")
    parser.add_argument("--dose", type=float, default=0.25, help="dose fraction (default: 0.25)")
    parser.add_argument("--kernel", choices=KERNELS, action="append", help="default: all kernels")
    parser.add_argument(
        "--page", type=Path, help="Markdown page whose blocks 'RESULTS KERNEL' are replaced"
    )
    add_comparison_arguments(parser)


def run(arguments: argparse.Namespace) -> int:
    check_comparison_arguments(arguments, index_files(arguments.index), arguments.page)
    if not 0 < arguments.dose < 1:
        raise BadInputError(
            f"--dose {arguments.dose:g} is out of range: choose a value above 0 and below 1."
        )
    kernels = arguments.kernel or list(KERNELS)
    if arguments.page:
        check_writable(arguments.page)
        for kernel in kernels:
            check_block(arguments.page, f"RESULTS {kernel}")
    scans = read_index(arguments.index, arguments.split)
    scores, side_outputs = [], SideOutputs()
    for kernel in kernels:
        pairs = [
            simulated_pair(scan, arguments.dose, KERNELS[kernel], seed)
            for seed, scan in enumerate(scans, start=1000 * arguments.seed)
        ]
        new = compare_all(arguments, pairs, f"{kernel} kernel")
        rows = summary(new)
        slices = sum(len(pair.ndct) for pair in pairs)
        text = (
            f"**{kernel.capitalize()} kernel**, {100 * arguments.dose:g} % dose, split "
            f"`{arguments.split}`: {rows[0]['patients']} patients, {slices} slices.\n\n"
            + markdown(rows, COLUMNS)
        )
        print(text)
        if arguments.page:
            with side_outputs.writing(arguments.page):
                replace_block(arguments.page, f"RESULTS {kernel}", text)
        scores += [{"kernel": kernel, "dose": arguments.dose, **row} for row in new]
        if arguments.csv:
            with side_outputs.writing(arguments.csv):
                write_csv(arguments.csv, scores)
    return side_outputs.exit_code
