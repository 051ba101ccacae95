"""The paper's table 1: trains what is missing, computes the cells that are missing, prints it."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ..engine.compute_device import choose_device
from ..engine.errors import BadInputError
from ..engine.evaluation.results_table import check_block, markdown, replace_block
from ..engine.files.challenge_pairs import TRAINING_PATIENTS
from ..engine.files.volume_files import check_place
from ..engine.model_store import load_model
from ..engine.noise_sources import HistogramNoise
from ..engine.paper.cells import (
    COLUMNS,
    cell_hash,
    is_cell,
    measure_cell,
    read_cells,
    table,
    write_cells,
)
from ..engine.paper.experiment_data import (
    ExperimentData,
    measured_data,
    simulated_data,
    simulated_description,
)
from ..engine.paper.pretrained import (
    ALL_SUBJECTS,
    CHANNELS,
    N2N_DRAWS,
    noise_model_name,
    pretrain,
    runs,
    start_name,
    subjects,
)
from ..engine.paper.table1 import N2C_ROWS, ROWS, Networks, TableRow

SLICES = 4


def add_arguments(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group(
        "the paper's table", "with --index or --pairs it makes what is missing, else it prints"
    )
    group.add_argument("--table1", action="store_true", help="make or print the paper's table 1")
    group.add_argument(
        "--pairs",
        type=Path,
        help="folder of PATIENT/full_3mm and PATIENT/quarter_3mm, as in the AAPM challenge",
    )
    group.add_argument(
        "--training-patient",
        action="append",
        help=f"of --pairs, to train on (default: {', '.join(TRAINING_PATIENTS)})",
    )
    group.add_argument(
        "--network", choices=CHANNELS, default="red-cnn-32", help="default: red-cnn-32"
    )
    group.add_argument("--row", action="append", help="only this row (default: all)")
    group.add_argument("--patient", action="append", help="only this patient (default: all)")
    group.add_argument("--n2c-only", action="store_true", help="only the rows that start from N2C")
    group.add_argument("--remake", action="store_true", help="compute cells that are there, too")
    group.add_argument(
        "--slices", type=int, default=SLICES, help=f"most slices of a scan (default: {SLICES})"
    )
    group.add_argument(
        "--minutes",
        type=float,
        default=float("inf"),
        help="start nothing new after so many minutes; the same command goes on from there",
    )
    group.add_argument(
        "--work",
        type=Path,
        default=Path("local/table1"),
        help="folder for networks and simulated scans",
    )


def run(arguments: argparse.Namespace) -> None:
    chosen = _rows(arguments)
    if arguments.slices < 1:
        raise BadInputError(f"--slices must be at least 1, not {arguments.slices}.")
    if arguments.index and arguments.pairs:
        raise BadInputError("Give either --index or --pairs.")
    page = arguments.page
    if page:
        check_place(page)
        check_block(page, f"TABLE1 {arguments.network}")
    check_place(arguments.csv)
    cells = read_cells(arguments.csv)
    description = simulated_description(arguments.split or "test", arguments.slices)
    if arguments.index or arguments.pairs:
        data = _data(arguments)
        description = data.description
        cells = _make(arguments, chosen, data, cells)
    text = _text(cells, arguments.network, description)
    print(text)
    if page:
        replace_block(page, f"TABLE1 {arguments.network}", text)


def _rows(arguments: argparse.Namespace) -> list[TableRow]:
    rows = list(N2C_ROWS if arguments.n2c_only else ROWS)
    if arguments.pairs:
        rows = [row for row in rows if row.start != N2N_DRAWS]
    if arguments.row:
        unknown = set(arguments.row) - {row.name for row in rows}
        if unknown:
            known = "; ".join(row.name for row in rows)
            raise BadInputError(f"There is no row '{min(unknown)}'. Rows: {known}.")
        rows = [row for row in rows if row.name in arguments.row]
    return rows


def _data(arguments: argparse.Namespace) -> ExperimentData:
    from tqdm import tqdm

    with tqdm(unit="scan", desc="Scans", disable=None) as bar:
        if arguments.pairs:
            training = arguments.training_patient or TRAINING_PATIENTS
            return measured_data(arguments.pairs, training, arguments.slices, bar.update)
        return simulated_data(
            arguments.index,
            arguments.split or "test",
            arguments.slices,
            arguments.work / "pairs",
            bar.update,
        )


def _make(
    arguments: argparse.Namespace, rows: Sequence[TableRow], data: ExperimentData, cells: list[dict]
) -> list[dict]:
    """The cells with those that were missing, stale or to be remade; kept after each."""
    end = time.monotonic() + 60 * arguments.minutes
    network = arguments.network
    pairs = [p for p in data.measured if not arguments.patient or p.patient in arguments.patient]
    if not pairs:
        known = ", ".join(pair.patient for pair in data.measured)
        raise BadInputError(f"There is no such patient to measure on. Patients: {known}.")
    wanted = [
        (row, pair)
        for row in rows
        for pair in pairs
        if arguments.remake or not _fresh(cells, row, pair.patient, network, data.description)
    ]
    starts = list(dict.fromkeys(row.start for row, _ in wanted if row.start))
    with_noise = any(row.noise for row, _ in wanted)
    if not _trained(arguments, data, starts, with_noise, end):
        return cells
    networks = _networks(arguments.work / "models", network, data, starts, with_noise)
    for number, (row, pair) in enumerate(wanted, start=1):
        if time.monotonic() > end:
            print(f"{len(wanted) - number + 1} cells are left: run it again.", file=sys.stderr)
            break
        new = measure_cell(row, pair, network, networks, data)
        old = [cell for cell in cells if is_cell(cell, network, row, pair.patient)]
        before = f", before: {old[0]['psnr_4096']:.2f} dB" if old else ""
        print(
            f"{number}/{len(wanted)}  {row.name}, {pair.patient}: {new['psnr_4096']:.2f} dB"
            f"{before}  ({new['seconds'] * new['slices']:.0f} s)",
            file=sys.stderr,
            flush=True,
        )
        cells = [cell for cell in cells if cell not in old] + [new]
        write_cells(arguments.csv, cells)
    return cells


def _fresh(
    cells: Sequence[dict], row: TableRow, patient: str, network: str, description: dict
) -> bool:
    made_by = cell_hash(row, network, description)
    return any(
        is_cell(cell, network, row, patient) and cell["settings"] == made_by for cell in cells
    )


def _trained(
    arguments: argparse.Namespace,
    data: ExperimentData,
    starts: Sequence[str],
    with_noise: bool,
    end: float,
) -> bool:
    """Train what is not yet trained; False where the time was over before."""
    from tqdm import tqdm

    device = choose_device(arguments.device)
    for name, lesson in runs(arguments.network, data, starts, with_noise):
        with tqdm(desc=name, unit="step", disable=None) as bar:

            def show(step: int, steps: int, row: dict | None, bar=bar) -> None:
                bar.total = steps
                bar.update(step - bar.n)
                if row:
                    bar.write("  ".join(f"{key} {value:.4g}" for key, value in row.items()))

            minutes = (end - time.monotonic()) / 60
            done = pretrain(
                name, lesson, arguments.network, data, arguments.work, device.name, minutes, show
            )
        if not done:
            print(f"'{name}' is not trained to the end: run it again.", file=sys.stderr)
            return False
    return True


def _networks(
    folder: Path, network: str, data: ExperimentData, starts: Sequence[str], with_noise: bool
) -> Networks:
    def load(name: str):
        return load_model(name, folder)[0]

    known = {start: load(start_name(network, start)) for start in starts}
    if not with_noise:
        return Networks(known)
    ldct, ndct = (
        np.concatenate([getattr(pair, dose).ravel() for pair in data.training])
        for dose in ("ldct", "ndct")
    )
    return Networks(
        known,
        [load(noise_model_name(subject)) for subject in subjects(data)],
        load(noise_model_name(ALL_SUBJECTS)),
        HistogramNoise(ldct, ndct),
    )


def _text(cells: Sequence[dict], network: str, description: dict) -> str:
    lines = table(cells, network)
    if not lines:
        return f"No cell of '{network}' is there yet: give --index or --pairs."
    mine = [cell for cell in cells if cell["network"] == network]
    slices = sum(cell["slices"] for cell in mine if cell["row"] == ROWS[0].name)
    hashes = {row.name: cell_hash(row, network, description) for row in ROWS}
    stale = sum(cell["settings"] != hashes.get(cell["row"]) for cell in mine)
    note = f" {stale} cells were made by other settings than today's." if stale else ""
    patients = max(line["patients"] for line in lines)
    return (
        f"**Table 1 with `{network}`**: {patients} patients, {slices} slices.{note}\n\n"
        + markdown(lines, COLUMNS)
    )
