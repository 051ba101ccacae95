"""Ablation of the default method by ingredient, denoiser, dose and step, on scans of an index."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from PseudoCTDenoiseLib.cli.output_guard import Output, add_overwrite_argument, check_outputs
from PseudoCTDenoiseLib.cli.setting_arguments import add_model_arguments
from PseudoCTDenoiseLib.cli.side_outputs import SideOutputs
from PseudoCTDenoiseLib.ct.comparison_figure import check_png_path
from PseudoCTDenoiseLib.errors import BadInputError
from PseudoCTDenoiseLib.models.store import model_files
from PseudoCTDenoiseLib.output_paths import check_writable

from ..datasets.ct_dataset import index_files, read_index
from ..results.results_table import (
    check_block,
    check_no_partial_csv,
    growing_csv,
    has_block,
    read_csv,
    replace_block,
)
from .removed_noise_tables import removed_noise_table, whole_scans_table
from .study_computation import (
    Rows,
    compute_banding,
    compute_clean,
    compute_doses,
    compute_ingredients,
    compute_narrow,
    compute_noise_maps,
    compute_paper_doses,
    compute_paper_loop,
    compute_removed_noise,
    compute_stopping,
    compute_strength,
    compute_tissues,
    compute_unseen,
    compute_whole_scans,
    csv_of_study,
    denoiser_and_noise_models,
    narrow_denoiser,
    stacks,
    unseen_scans,
)
from .study_tables import (
    banding_table,
    clean_table,
    conditions_table,
    ingredients_table,
    noise_maps_table,
    paper_doses_table,
    paper_loop_table,
    plot_stopping,
    stopping_table,
    strength_table,
    tissues_table,
    unseen_table,
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--study", choices=STUDIES, action="append", help="default: those of --page, or all"
    )
    parser.add_argument(
        "--index", type=Path, help="CSV that lists the scans; without it, only print"
    )
    parser.add_argument(
        "--slices", type=int, default=4, help="maximum slices per scan (default: 4)"
    )
    add_model_arguments(parser)
    parser.add_argument(
        "--narrow",
        type=Path,
        default=Path("local/models"),
        help="folder of the model of the preset 'narrow' of pretrain (default: local/models)",
    )
    parser.add_argument("--csv", type=Path, default=Path("Docs/results"), help="folder of CSVs")
    parser.add_argument("--page", type=Path, help="Markdown page whose blocks are replaced")
    parser.add_argument("--plots", type=Path, help="folder for the figures")
    add_overwrite_argument(parser)


def run(arguments: argparse.Namespace) -> int:
    studies = arguments.study or _studies_of(arguments.page)
    if arguments.slices < 1:
        raise BadInputError(f"--slices must be at least 1, not {arguments.slices}.")
    for name in studies:
        check_writable(csv_of_study(arguments, name))
        if arguments.index:
            check_no_partial_csv(csv_of_study(arguments, name))
        if arguments.page:
            check_block(arguments.page, _block(name))
    if arguments.plots:
        for name in ("stopping.png", "coronal.png"):
            check_png_path(arguments.plots / name)
    _check_outputs(arguments, studies)
    if arguments.index:
        _check_models_and_scans(arguments, studies)
    side_outputs = SideOutputs()
    for name in studies:
        if arguments.index:
            with growing_csv(csv_of_study(arguments, name)) as add:
                for rows in STUDIES[name].compute(arguments, name):
                    add(rows)
        rows = read_csv(csv_of_study(arguments, name))
        text = STUDIES[name].table(rows)
        print(f"{name}\n\n{text}")
        if arguments.page:
            with side_outputs.writing(arguments.page):
                replace_block(arguments.page, _block(name), text)
        if arguments.plots and rows and STUDIES[name].plot:
            with side_outputs.writing(arguments.plots):
                STUDIES[name].plot(arguments.plots, rows)
    return side_outputs.exit_code


def _studies_of(page: Path | None) -> list[str]:
    """Return the studies of a page, or all without a page."""
    studies = [name for name in STUDIES if page is None or has_block(page, _block(name))]
    if not studies:
        raise BadInputError(f"{page} has no block of a study. Choose one with --study.")
    return studies


def _block(name: str) -> str:
    return f"STUDY {name}"


def _check_outputs(arguments: argparse.Namespace, studies: Sequence[str]) -> None:
    outputs = [Output(csv_of_study(arguments, name), STUDIES[name].fields) for name in studies]
    if arguments.page:
        outputs.append(Output(arguments.page, is_own=True))
    if arguments.plots:
        outputs += [Output(arguments.plots / name) for name in ("stopping.png", "coronal.png")]
    inputs = [*model_files(arguments.models), *model_files(arguments.narrow)]
    inputs += index_files(arguments.index) if arguments.index else []
    check_outputs(outputs, inputs, overwrite=arguments.overwrite)


def _check_models_and_scans(arguments: argparse.Namespace, studies: Sequence[str]) -> None:
    """Load the models and the scans of all studies, to fail before hours of computation."""
    denoiser_and_noise_models(arguments)
    if {"narrow", "stopping"} & set(studies):
        narrow_denoiser(arguments)
    whole = {split for name in studies for split in STUDIES[name].whole}
    for split in whole.union(*(STUDIES[name].splits for name in studies)):
        scans = read_index(arguments.index, split)
        if split in whole:
            stacks(scans)
    if "unseen" in studies:
        unseen_scans(arguments)


class Study(NamedTuple):
    """Functions of a study: compute the rows of its CSV file, tabulate them, and plot them.

    ``fields`` are columns by which the CSV file is recognised. ``whole`` are the splits of which
    the study needs a stack of slices, and ``splits`` those of which it needs any scan.
    """

    compute: Callable[[argparse.Namespace, str], Rows]
    table: Callable[[list[dict]], str]
    fields: tuple[str, ...]
    plot: Callable[[Path, list[dict]], None] | None = None
    whole: tuple[str, ...] = ()
    splits: tuple[str, ...] = ()


VAL, TEST = ("val",), ("test",)

STUDIES = {
    "ingredients": Study(compute_ingredients, ingredients_table, ("variant", "gain"), whole=VAL),
    "doses": Study(compute_doses, conditions_table, ("variant", "gain"), splits=TEST),
    "unseen": Study(compute_unseen, unseen_table, ("patient", "filter")),
    "narrow": Study(compute_narrow, conditions_table, ("variant", "gain"), splits=TEST),
    "stopping": Study(
        compute_stopping, stopping_table, ("start", "risk_hu2"), plot_stopping, whole=VAL
    ),
    "clean": Study(compute_clean, clean_table, ("scan", "noise_found_hu"), whole=VAL),
    "banding": Study(compute_banding, banding_table, ("variant", "banding_hu"), whole=TEST),
    "noise-maps": Study(
        compute_noise_maps, noise_maps_table, ("map", "level_percent"), whole=VAL + TEST
    ),
    "paper-loop": Study(
        compute_paper_loop, paper_loop_table, ("method", "own_noise"), whole=TEST, splits=VAL
    ),
    "paper-doses": Study(compute_paper_doses, paper_doses_table, ("dose", "more"), splits=VAL),
    "strength": Study(
        compute_strength, strength_table, ("strength", "reduction_percent"), whole=VAL
    ),
    "tissues": Study(compute_tissues, tissues_table, ("tissue", "voxels"), splits=TEST),
    "removed-noise": Study(
        compute_removed_noise, removed_noise_table, ("result", "light"), splits=VAL
    ),
    "removed-noise-scans": Study(compute_whole_scans, whole_scans_table, ("preset", "light")),
}
