"""Compare methods on the scans of a split at simulated low dose."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from PseudoCTDenoiseLib.cli.side_outputs import SideOutputs
from PseudoCTDenoiseLib.errors import BadInputError
from PseudoCTDenoiseLib.markdown_table import markdown
from PseudoCTDenoiseLib.number_text import with_minus_sign
from PseudoCTDenoiseLib.output_paths import check_writable
from PseudoCTDenoiseLib.simulation.reconstruction_kernels import KERNELS

from ..datasets.ct_dataset import index_files, read_index
from ..results.results_table import check_block, growing_csv, read_csv, replace_block
from ..results.row_groups import grouped
from ..training.training_pairs import LEAST_SLICES
from .compare_command import add_comparison_arguments, check_comparison_arguments, compare_all
from .comparison import (
    COLUMNS,
    LDCT,
    METRICS,
    ORIENTATIONS,
    TUNED,
    simulated_pair,
    summary,
    tuning_gains,
)

TEXTS = ("split", "kernel", "method", "patient")
"""Columns of the CSV file that are texts; the others are numbers."""
NUMBERS = ("dose", "slices", *METRICS)
"""Columns of the CSV file that the tables need."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--index",
        type=Path,
        help="CSV that lists the scans; without it, only print the scores of --csv",
    )
    parser.add_argument("--split", default="val", help="default: val")
    parser.add_argument("--dose", type=float, default=0.25, help="dose fraction (default: 0.25)")
    parser.add_argument("--kernel", choices=KERNELS, action="append", help="default: all kernels")
    parser.add_argument(
        "--page", type=Path, help="Markdown page whose blocks 'RESULTS KERNEL' are replaced"
    )
    add_comparison_arguments(parser)


def run(arguments: argparse.Namespace) -> int:
    if arguments.index is None:
        return _print(arguments)
    check_comparison_arguments(arguments, index_files(arguments.index), arguments.page)
    if not 0 < arguments.dose < 1:
        raise BadInputError(
            f"--dose {arguments.dose:g} is out of range: choose a value above 0 and below 1."
        )
    kernels = arguments.kernel or list(KERNELS)
    _check_page(arguments.page, kernels)
    scans = read_index(arguments.index, arguments.split)
    side_outputs = SideOutputs()
    with growing_csv(arguments.csv, side_outputs.writing) as add:
        for kernel in kernels:
            pairs = [
                simulated_pair(scan, arguments.dose, KERNELS[kernel], seed)
                for seed, scan in enumerate(scans, start=1000 * arguments.seed)
            ]
            about = {"split": arguments.split, "kernel": kernel, "dose": arguments.dose}
            scores = []
            for new in compare_all(arguments, pairs, f"{kernel} kernel"):
                scores.append(about | new)
                add(scores[-1:])
            _show(arguments, kernel, scores, side_outputs)
    return side_outputs.exit_code


def _print(arguments: argparse.Namespace) -> int:
    """Print the tables of the scores in a CSV file."""
    if arguments.csv is None:
        raise BadInputError("Give --index to compute scores, or --csv to print those of a file.")
    scores = read_scores(arguments.csv)
    kernels = dict.fromkeys(score["kernel"] for score in scores)
    _check_page(arguments.page, kernels)
    side_outputs = SideOutputs()
    for about, of_kernel in grouped(scores, ("kernel",)):
        _show(arguments, about["kernel"], of_kernel, side_outputs)
    return side_outputs.exit_code


def _check_page(page: Path | None, kernels: Sequence[str]) -> None:
    if page:
        check_writable(page)
        for kernel in kernels:
            check_block(page, f"RESULTS {kernel}")


def _show(
    arguments: argparse.Namespace, kernel: str, scores: Sequence[dict], side_outputs: SideOutputs
) -> None:
    text = results_text(scores)
    print(text)
    if arguments.page:
        with side_outputs.writing(arguments.page):
            replace_block(arguments.page, f"RESULTS {kernel}", text)


def read_scores(path: Path) -> list[dict]:
    """Read the scores of every scan from a CSV file of the command.

    Raises
    ------
    BadInputError
        If the file cannot be read, is not such a file, or lacks scores.
    """
    rows = read_csv(path)
    try:
        scores = [
            {key: float(value) for key, value in row.items() if key not in TEXTS}
            | {key: float(row[key]) for key in NUMBERS}
            | {key: row[key] for key in TEXTS}
            for row in rows
        ]
    except (KeyError, TypeError, ValueError) as error:
        raise BadInputError(
            f"{path} does not hold the scores of 'pseudoct evaluate'. Give another file with --csv."
        ) from error
    if not scores:
        raise BadInputError(f"{path} holds no scores. Give another file with --csv.")
    for about, of_kernel in grouped(scores, ("kernel",)):
        if not _is_complete(of_kernel):
            raise BadInputError(
                f"{path} lacks scores of the {about['kernel']} kernel: every method needs one for "
                "each scan. Run 'pseudoct evaluate' with --index to the end."
            )
    return scores


def _is_complete(scores: Sequence[dict]) -> bool:
    """Return True if the methods have the same scans, and those of the gains are among them."""
    patients = {
        about["method"]: [score["patient"] for score in of_method]
        for about, of_method in grouped(scores, ("method",))
    }
    ends = (LDCT, ORIENTATIONS, TUNED)
    return all(any(name.endswith(end) for name in patients) for end in ends) and all(
        scans == patients[LDCT] for scans in patients.values()
    )


def results_text(scores: Sequence[dict]) -> str:
    """Return the table of the scores of one kernel, its conditions, and the gain of the tuning."""
    ldct = [score for score in scores if score["method"] == LDCT]
    slices = sum(int(score["slices"]) for score in ldct)
    rows, about = summary(scores), scores[0]
    return (
        f"**{about['kernel'].capitalize()} kernel**, {100 * about['dose']:g} % dose, split "
        f"`{about['split']}`: {rows[0]['patients']} patients, {slices} slices.\n\n"
        f"{markdown(rows, COLUMNS)}\n{_gain_of_tuning(scores, rows)}"
    )


def _gain_of_tuning(scores: Sequence[dict], rows: Sequence[dict]) -> str:
    """Describe the gain of the tuning by scan, because a few slices can carry the mean."""
    averaged, tuned = (
        next(row["gain_mean"] for row in rows if row["method"].endswith(end))
        for end in (ORIENTATIONS, TUNED)
    )
    parts = [f"{_signed(tuned - averaged)} on average over the patients"]
    gains = tuning_gains(scores)
    for score, gain in gains:
        if score["slices"] >= LEAST_SLICES:
            parts.append(f"{_signed(gain)} on {score['patient']}")
    few = [gain for score, gain in gains if score["slices"] < LEAST_SLICES]
    if few:
        limits = f"{_signed(min(few))} to {_signed(max(few))}"
        parts.append(f"{limits} on scans of fewer than {LEAST_SLICES} slices")
    return f"Gain of the tuning over eight orientations, in dB: {', '.join(parts)}.\n"


def _signed(decibels: float) -> str:
    return with_minus_sign(f"{decibels:+.2f}")
