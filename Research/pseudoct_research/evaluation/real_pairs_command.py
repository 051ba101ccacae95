"""Evaluate the default method on slices of the AAPM challenge, and print the tables."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from PseudoCTDenoiseLib.cli.output_guard import Output, add_overwrite_argument, check_outputs
from PseudoCTDenoiseLib.cli.setting_arguments import add_model_arguments
from PseudoCTDenoiseLib.cli.side_outputs import SideOutputs
from PseudoCTDenoiseLib.markdown_table import Column, markdown
from PseudoCTDenoiseLib.models.store import load_denoiser, model_files
from PseudoCTDenoiseLib.output_paths import check_writable
from torch import nn

from ..datasets.real_pairs import ADDRESS, RealPairs, read_real_pairs
from ..results.results_table import check_block, read_csv, replace_block, write_csv
from ..results.row_groups import grouped
from .method_study import RISK_COLUMNS, risk_accuracy
from .real_pairs_study import LAGS, group_means, measure_gains, measure_noise, measure_risk

GAIN_COLUMNS = (
    Column("kernel", "Kernel"),
    Column("patient", "Patient"),
    Column("slices", "Slices", decimals=0),
    Column("untuned", "8 orientations, not tuned (dB)", signed=True),
    Column("tuned", "Method (dB)", signed=True),
    Column("more", "Gain of the tuning (dB)", decimals=3, signed=True),
    Column("worst", "Worst slice (dB)", decimals=3, signed=True),
    Column("direction_ldct", "Direction, LDCT"),
    Column("direction_untuned", "Direction, not tuned"),
    Column("direction_tuned", "Direction, method"),
)
NOISE_COLUMNS = (
    Column("kernel", "Kernel"),
    Column("patient", "Patient"),
    Column("noise", "Noise"),
    Column("sigma_hu", "σ (HU)", decimals=1),
    *(
        Column(f"{axis}{lag}", f"{name} by {lag} px")
        for axis, name, lags in (("x", "Right", (1, 2, 3)), ("y", "Down", (1, 2)))
        for lag in lags
    ),
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "checkout", type=Path, nargs="?", help=f"checkout of {ADDRESS}; without it, only print"
    )
    add_model_arguments(parser)
    parser.add_argument("--csv", type=Path, default=Path("Docs/results"), help="folder of CSVs")
    parser.add_argument("--page", type=Path, help="Markdown page whose blocks are replaced")
    add_overwrite_argument(parser)


def run(arguments: argparse.Namespace) -> int:
    from tqdm import tqdm

    files = {name: arguments.csv / f"real-pairs-{name}.csv" for name in MEASUREMENTS}
    for name, file in files.items():
        check_writable(file)
        if arguments.page:
            check_block(arguments.page, f"REAL {name}")
    outputs = [Output(file, MEASUREMENTS[name].fields) for name, file in files.items()]
    outputs += [Output(arguments.page, is_own=True)] if arguments.page else []
    inputs = [arguments.checkout, *model_files(arguments.models)]
    check_outputs(outputs, inputs, overwrite=arguments.overwrite)
    if arguments.checkout:
        denoiser, _ = load_denoiser(arguments.model, arguments.models)
        groups = read_real_pairs(arguments.checkout)
        rows = {name: [] for name in MEASUREMENTS}
        for pairs in tqdm(groups, "Groups", unit="group", disable=None):
            for name, measurement in MEASUREMENTS.items():
                rows[name] += measurement.measure(pairs, denoiser)
        for name, file in files.items():
            write_csv(file, rows[name])
    side_outputs = SideOutputs()
    for name, file in files.items():
        text = MEASUREMENTS[name].table(read_csv(file))
        print(f"{text}\n")
        if arguments.page:
            with side_outputs.writing(arguments.page):
                replace_block(arguments.page, f"REAL {name}", text)
    return side_outputs.exit_code


def _gains_table(rows: list[dict]) -> str:
    return markdown(group_means(rows), GAIN_COLUMNS)


def _noise_table(rows: list[dict]) -> str:
    numbers = ("sigma_hu", *LAGS)
    return markdown(
        [row | {key: float(row[key]) for key in numbers} for row in rows], NOISE_COLUMNS
    )


def _risk_table(rows: list[dict]) -> str:
    lines = [about | risk_accuracy(curve) for about, curve in grouped(rows, ("kernel", "patient"))]
    return markdown(lines, (*GAIN_COLUMNS[:2], *RISK_COLUMNS))


class Measurement(NamedTuple):
    """Measurement of a group, the table of all its rows, and columns of its CSV file."""

    measure: Callable[[RealPairs, nn.Module], list[dict]]
    table: Callable[[list[dict]], str]
    fields: tuple[str, ...]


MEASUREMENTS = {
    "gains": Measurement(measure_gains, _gains_table, ("untuned", "tuned")),
    "noise": Measurement(measure_noise, _noise_table, ("noise", "sigma_hu")),
    "risk": Measurement(measure_risk, _risk_table, ("risk_hu2", "share")),
}
