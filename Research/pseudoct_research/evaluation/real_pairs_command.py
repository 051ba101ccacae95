"""Evaluate the default method on real slices at full and quarter dose, and print the tables."""

from __future__ import annotations

import argparse
from pathlib import Path

from PseudoCTDenoiseLib.cli.model_arguments import add_model_arguments
from PseudoCTDenoiseLib.ct.io.volume_files import check_writable
from PseudoCTDenoiseLib.markdown_table import Column, markdown
from PseudoCTDenoiseLib.models.store import load_models

from ..datasets.real_pairs import ADDRESS, read_real_pairs
from ..results.results_table import check_block, read_csv, replace_block, write_csv
from .real_pairs_study import LAGS, group_means, measure_gains, measure_noise

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


def run(arguments: argparse.Namespace) -> None:
    from tqdm import tqdm

    gains_csv, noise_csv = (arguments.csv / f"real-pairs-{name}.csv" for name in ("gains", "noise"))
    for file in (gains_csv, noise_csv):
        check_writable(file)
    if arguments.page:
        check_block(arguments.page, "REAL gains")
        check_block(arguments.page, "REAL noise")
    if arguments.checkout:
        (denoiser, _), _ = load_models(arguments.model, arguments.models)
        groups = read_real_pairs(arguments.checkout)
        gains, noise = [], []
        for pairs in tqdm(groups, "Groups", unit="group", disable=None):
            gains += measure_gains(pairs, denoiser)
            noise += measure_noise(pairs, denoiser)
        write_csv(gains_csv, gains)
        write_csv(noise_csv, noise)
    texts = {
        "REAL gains": markdown(group_means(read_csv(gains_csv)), GAIN_COLUMNS),
        "REAL noise": markdown(
            [
                row | {key: float(row[key]) for key in ("sigma_hu", *LAGS)}
                for row in read_csv(noise_csv)
            ],
            NOISE_COLUMNS,
        ),
    }
    for block, text in texts.items():
        print(f"{text}\n")
        if arguments.page:
            replace_block(arguments.page, block, text)
