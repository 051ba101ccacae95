"""Compare methods on given pairs of LDCT and NDCT and print the table."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np
from PseudoCTDenoiseLib.cli.output_guard import Output, add_overwrite_argument, check_outputs
from PseudoCTDenoiseLib.cli.scan_arguments import add_slice_axis_argument
from PseudoCTDenoiseLib.cli.setting_arguments import add_device_argument, add_model_arguments
from PseudoCTDenoiseLib.cli.side_outputs import SideOutputs
from PseudoCTDenoiseLib.ct.io.volume_files import check_same_grid
from PseudoCTDenoiseLib.ct.pixel_spacing import pixel_shape_warning
from PseudoCTDenoiseLib.denoising.job import DenoisingJob
from PseudoCTDenoiseLib.denoising.settings import DenoisingSettings
from PseudoCTDenoiseLib.errors import BadInputError
from PseudoCTDenoiseLib.markdown_table import markdown
from PseudoCTDenoiseLib.models.store import load_denoiser, model_files
from PseudoCTDenoiseLib.output_paths import check_writable
from PseudoCTDenoiseLib.printed_words import print_warnings

from ..datasets.series_choices import NO_CHOICE, read_scans
from ..results.results_table import check_no_partial_csv, growing_csv
from .comparison import COLUMNS, CtPair, compare, filter_methods, network_methods, summary

CSV_FIELDS = ("method", "patient", "psnr_4096")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--pair",
        type=Path,
        nargs=2,
        action="append",
        required=True,
        metavar=("LDCT", "NDCT"),
        help="two scans on the same grid; repeat for more patients",
    )
    parser.add_argument(
        "--series",
        nargs=2,
        action="append",
        default=[],
        metavar=("LDCT", "NDCT"),
        help="numbers or UIDs of the DICOM series of a pair, '-' for a scan without a choice; "
        "repeat in the order of the pairs",
    )
    add_slice_axis_argument(parser)
    add_comparison_arguments(parser)


def add_comparison_arguments(parser: argparse.ArgumentParser) -> None:
    add_model_arguments(parser)
    add_device_argument(parser)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--csv", type=Path, help="file for the scores of every scan")
    add_overwrite_argument(parser)


def check_comparison_arguments(
    arguments: argparse.Namespace, inputs: Iterable[Path], page: Path | None = None
) -> None:
    """Check models, device and outputs before hours of computation.

    Parameters
    ----------
    inputs : files and folders of the scans.
    page : Markdown page that is updated.

    Raises
    ------
    BadInputError
        If a model is missing, the device does not work, or an output cannot be written or must be
        kept.
    """
    if arguments.csv:
        check_writable(arguments.csv)
        check_no_partial_csv(arguments.csv)
    outputs = [Output(arguments.csv, CSV_FIELDS)] if arguments.csv else []
    outputs += [Output(page, is_own=True)] if page else []
    models = model_files(arguments.models)
    check_outputs(outputs, [*inputs, *models], overwrite=arguments.overwrite)
    denoiser, _ = load_denoiser(arguments.model, arguments.models)
    DenoisingJob(np.zeros((1, 16, 16), np.int16), denoiser, [], _settings(arguments))


def run(arguments: argparse.Namespace) -> int:
    check_comparison_arguments(arguments, [path for pair in arguments.pair for path in pair])
    series = arguments.series or [(NO_CHOICE, NO_CHOICE)] * len(arguments.pair)
    if len(series) != len(arguments.pair):
        raise BadInputError(
            f"--series is given {len(series)} times and --pair {len(arguments.pair)} times: give "
            "one for each pair."
        )
    pairs = []
    for (low, normal), choices in zip(arguments.pair, series, strict=True):
        ldct, ndct = read_scans(
            (low, normal),
            choices,
            slice_axis=arguments.slice_axis,
            allow_uneven=True,  # slices are compared one by one
        )
        check_same_grid(ldct, ndct)
        # Path and series identify a patient: files of several patients may share a name.
        name = str(low) if choices[0] == NO_CHOICE else f"{low} {choices[0]}"
        print_warnings(filter(None, [pixel_shape_warning(ldct.pixel_size, name)]))
        pairs.append(CtPair(name, ldct.hu, ndct.hu, ldct.pixel_mm))
    scores, side_outputs = [], SideOutputs()
    with growing_csv(arguments.csv, side_outputs.writing) as add:
        for new in compare_all(arguments, pairs, "pairs"):
            scores.append(new)
            add([new])
        print(markdown(summary(scores), COLUMNS))
    return side_outputs.exit_code


def compare_all(
    arguments: argparse.Namespace, pairs: Sequence[CtPair], name: str
) -> Iterator[dict]:
    """Yield the scores of every method on the pairs; show a progress bar labelled ``name``."""
    from tqdm import tqdm

    denoiser, manifest = load_denoiser(arguments.model, arguments.models)
    print(f"{name}: searching the filters' best settings", file=sys.stderr)
    methods = filter_methods(pairs) + network_methods(denoiser, manifest.name, _settings(arguments))
    total = (len(methods) + 1) * len(pairs)
    yield from tqdm(compare(methods, pairs), name, total, unit="scan", disable=None)


def _settings(arguments: argparse.Namespace) -> DenoisingSettings:
    return DenoisingSettings(device=arguments.device, seed=arguments.seed, precision="float32")
