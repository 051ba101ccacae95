"""Draw figures 2 and 3 of the paper with the networks of `pseudoct table1`, and their training."""

from __future__ import annotations

import argparse
from pathlib import Path

from PseudoCTDenoiseLib.cli.output_guard import add_overwrite_argument, check_outputs
from PseudoCTDenoiseLib.ct.io.volume_files import check_same_grid
from PseudoCTDenoiseLib.ct.pixel_spacing import square_pixel_mm
from PseudoCTDenoiseLib.markdown_table import Column, markdown
from PseudoCTDenoiseLib.models.store import load_model, model_files
from PseudoCTDenoiseLib.output_paths import check_writable, make_folder

from ..datasets.series_choices import read_scans
from ..evaluation.comparison import CtPair
from ..training.supervision import N2C, N2N_GAUSSIAN, N2V
from .experiment_runs import SLICES
from .figures import (
    figure_2,
    figure_3,
    noise_spectra,
    pseudo_ldct_panels,
    shown_slices,
    spectra_figure,
    start_panels,
    training_picture,
)
from .pretrained import CHANNELS, start_name
from .trained_networks import load_networks, validation_curves

COLUMNS = (
    Column("image", "Noise of"),
    Column("sigma_hu", "σ (HU)", decimals=1),
    Column("f_av_per_cm", "f_av (1/cm)"),
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("folder", type=Path, help="folder for the figures")
    parser.add_argument(
        "--pair",
        type=Path,
        nargs=2,
        required=True,
        metavar=("LDCT", "NDCT"),
        help="two scans on the same grid, for example from `pseudoct phantom`",
    )
    parser.add_argument(
        "--series",
        nargs=2,
        default=(),
        metavar=("LDCT", "NDCT"),
        help="numbers or UIDs of the DICOM series of the pair, '-' for a scan without a choice",
    )
    parser.add_argument("--network", choices=CHANNELS, default="red-cnn-32")
    parser.add_argument(
        "--work",
        type=Path,
        default=Path("local/table1"),
        help="--work folder of `pseudoct table1`",
    )
    add_overwrite_argument(parser)


def run(arguments: argparse.Namespace) -> None:
    folder = arguments.folder
    make_folder(folder)
    names = ("figure2.png", "figure2_nps.png", "figure3.png", "training.png")
    for name in names:
        check_writable(folder / name)
    inputs = [
        *arguments.pair,
        *model_files(arguments.work / "models"),
        *arguments.work.glob("*.checkpoint.csv"),
    ]
    check_outputs([folder / name for name in names], inputs, overwrite=arguments.overwrite)
    ldct, ndct = read_scans(arguments.pair, arguments.series)
    check_same_grid(ldct, ndct)
    pixel_mm = square_pixel_mm(ldct.pixel_size, ldct.name)
    _, manifest = load_model(start_name(arguments.network, N2C), arguments.work / "models")
    starts = (N2C, N2N_GAUSSIAN, N2V)
    networks = load_networks(arguments.work, arguments.network, starts, manifest.noise_models)
    pair, index = shown_slices(CtPair(ldct.name, ldct.hu, ndct.hu), SLICES)

    panels = pseudo_ldct_panels(pair, index, networks)
    curves, metrics = noise_spectra(panels, pixel_mm)
    figure_2(folder / names[0], panels, pixel_mm)
    spectra_figure(folder / names[1], curves)
    print(markdown(metrics, COLUMNS))
    figure_3(folder / names[2], start_panels(pair, index, networks), pixel_mm)
    models = [start_name(arguments.network, start) for start in starts] + manifest.noise_models
    if curves := validation_curves(models, arguments.work):
        training_picture(folder / names[3], curves)
    else:  # the experiment had no validation scans
        names = names[:3]
    print(f"Wrote {', '.join(names)} to {folder}.")
