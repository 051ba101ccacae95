"""Table 1 of the paper: train missing networks, compute missing cells, and print the table."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from PseudoCTDenoiseLib.cli.output_guard import Output, add_overwrite_argument, check_outputs
from PseudoCTDenoiseLib.cli.setting_arguments import add_device_argument
from PseudoCTDenoiseLib.cli.side_outputs import SideOutputs
from PseudoCTDenoiseLib.errors import BadInputError
from PseudoCTDenoiseLib.exit_codes import UNFINISHED
from PseudoCTDenoiseLib.markdown_table import markdown
from PseudoCTDenoiseLib.output_paths import check_writable

from ..datasets.challenge_pairs import TRAINING_PATIENTS
from ..datasets.ct_dataset import index_files
from ..results.results_table import check_block, replace_block
from .cells import COLUMNS, KEYS, fresh_cells, read_cells, table
from .experiment_data import ExperimentData, measured_data, simulated_description
from .experiment_runs import (
    SLICES,
    add_experiment_arguments,
    choose_rows,
    make_cells,
    read_simulated,
)
from .pretrained import N2N_DRAWS
from .table1 import N2C_ROWS, ROWS

TABLE1_CSV = Path("Docs/results/table1.csv")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    data = parser.add_argument_group(
        "test scans", "their missing cells are computed; without scans, the table is only printed"
    ).add_mutually_exclusive_group()
    data.add_argument("--index", type=Path, help="CSV that lists the scans")
    data.add_argument(
        "--pairs",
        type=Path,
        help="folder of PATIENT/full_3mm and PATIENT/quarter_3mm, as in the AAPM challenge",
    )
    parser.add_argument(
        "--training-patient",
        action="append",
        help=f"training patient of --pairs (default: {', '.join(TRAINING_PATIENTS)})",
    )
    parser.add_argument("--split", default="test", help="split of --index (default: test)")
    add_device_argument(parser)
    parser.add_argument("--csv", type=Path, default=TABLE1_CSV, help=f"default: {TABLE1_CSV}")
    parser.add_argument(
        "--page", type=Path, help="Markdown page whose block 'TABLE1 NETWORK' is replaced"
    )
    selection = parser.add_argument_group("selection of the cells")
    selection.add_argument(
        "--n2c-only", action="store_true", help="only the rows with the N2C pre-trained denoiser"
    )
    add_experiment_arguments(selection)
    add_overwrite_argument(parser)


def run(arguments: argparse.Namespace) -> int:
    rows = N2C_ROWS if arguments.n2c_only else ROWS
    if arguments.pairs:  # a measured patient has a single low-dose scan
        draws = {row.name for row in rows if row.start == N2N_DRAWS}
        if draws & set(arguments.row or ()):
            raise BadInputError(
                "N2N of two dose draws needs two low-dose scans of a patient, and measured pairs "
                "have one. Use --index instead of --pairs."
            )
        rows = tuple(row for row in rows if row.name not in draws)
    rows = choose_rows(arguments, rows)
    page = arguments.page
    if page:
        check_writable(page)
        check_block(page, f"TABLE1 {arguments.network}")
    check_writable(arguments.csv)
    outputs = [Output(arguments.csv, KEYS), *([Output(page, is_own=True)] if page else [])]
    inputs = index_files(arguments.index) if arguments.index else [arguments.pairs]
    check_outputs(outputs, inputs, overwrite=arguments.overwrite)
    read_cells(arguments.csv)  # fails before hours of computation
    description = simulated_description(arguments.split, arguments.slices or SLICES)
    whole = True
    if arguments.index or arguments.pairs:
        data = _measured(arguments) if arguments.pairs else read_simulated(arguments)
        description = data.description
        whole = make_cells(arguments, rows, ROWS, data)
    text = table_text(read_cells(arguments.csv), arguments.network, description)
    print(text)
    side_outputs = SideOutputs()
    if page:
        with side_outputs.writing(page):
            replace_block(page, f"TABLE1 {arguments.network}", text)
    return side_outputs.exit_code if whole else UNFINISHED


def _measured(arguments: argparse.Namespace) -> ExperimentData:
    from tqdm import tqdm

    training = arguments.training_patient or TRAINING_PATIENTS
    with tqdm(unit="patient", desc="Scans", disable=None) as bar:
        return measured_data(arguments.pairs, training, arguments.slices, bar.update)


def table_text(cells: Sequence[dict], network: str, description: dict) -> str:
    """Return the Markdown table of a network under a line with network, patients and slices."""
    fresh = fresh_cells(cells, network, ROWS, description)
    others = sum(cell["network"] == network for cell in cells) - len(fresh)
    note = f" {others} cells of other settings or data are not shown." if others else ""
    lines = table(fresh, ROWS)
    if not lines:
        return (
            f"The file has no cells of '{network}'. Give --index or --pairs to compute them.{note}"
        )
    slices = sum(cell["slices"] for cell in fresh if cell["row"] == ROWS[0].name)
    count = max(line["patients"] for line in lines)
    patients = f"{count} patient" + ("s" if count > 1 else "")
    return f"**Table 1 with `{network}`**: {patients}, {slices} slices.{note}\n\n" + markdown(
        lines, COLUMNS
    )
