"""Arguments and work that the paper's table and its ablations share."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from ..engine.compute_device import choose_device
from ..engine.errors import BadInputError
from ..engine.paper.cells import cell_hash, is_cell, measure_cell, write_cells
from ..engine.paper.experiment_data import ExperimentData, simulated_data
from ..engine.paper.pretrained import CHANNELS, pretrain, runs
from ..engine.paper.table1 import TableRow
from ..engine.paper.trained_networks import load_networks, write_histogram

SLICES = 4


def add_experiment_arguments(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--network", choices=CHANNELS, default="red-cnn-32", help="default: red-cnn-32"
    )
    group.add_argument("--row", action="append", help="only this row (default: all)")
    group.add_argument("--patient", action="append", help="only this patient (default: all)")
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
        help="folder for networks and simulated scans (default: local/table1)",
    )


def choose_rows(arguments: argparse.Namespace, rows: Sequence[TableRow]) -> list[TableRow]:
    """The rows that are asked for.

    Raises
    ------
    BadInputError
        If there is no row of such a name, or the number of slices makes no sense.
    """
    if arguments.slices < 1:
        raise BadInputError(f"--slices must be at least 1, not {arguments.slices}.")
    unknown = set(arguments.row or ()) - {row.name for row in rows}
    if unknown:
        known = "; ".join(row.name for row in rows)
        raise BadInputError(f"There is no row '{min(unknown)}'. Rows: {known}.")
    return [row for row in rows if not arguments.row or row.name in arguments.row]


def read_simulated(arguments: argparse.Namespace, split: str) -> ExperimentData:
    """The scans of ``--index`` at simulated low dose, with a progress bar."""
    from tqdm import tqdm

    with tqdm(unit="scan", desc="Scans", disable=None) as bar:
        return simulated_data(
            arguments.index, split, arguments.slices, arguments.work / "pairs", bar.update
        )


def make_cells(
    arguments: argparse.Namespace,
    rows: Sequence[TableRow],
    order: Sequence[TableRow],
    data: ExperimentData,
    cells: list[dict],
) -> tuple[list[dict], bool]:
    """The cells with those of ``rows`` that were missing, stale or to be remade; and if all are.

    Networks that are missing are trained first. After each cell the file ``--csv`` is written,
    by the order of the rows in ``order``. False where ``--minutes`` were over before the end.
    """
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
    if with_noise:
        arguments.work.mkdir(parents=True, exist_ok=True)
        write_histogram(data, arguments.work)
    if not _trained(arguments, data, starts, with_noise, end):
        return cells, False
    networks = load_networks(arguments.work, network, starts, with_noise)
    for number, (row, pair) in enumerate(wanted, start=1):
        if time.monotonic() > end:
            print(f"{len(wanted) - number + 1} cells are left: run it again.", file=sys.stderr)
            return cells, False
        new = measure_cell(row, pair, network, networks, data, arguments.device)
        old = [cell for cell in cells if is_cell(cell, network, row, pair.patient)]
        before = f", before: {old[0]['psnr_4096']:.2f} dB" if old else ""
        print(
            f"{number}/{len(wanted)}  {row.name}, {pair.patient}: {new['psnr_4096']:.2f} dB"
            f"{before}  ({new['seconds'] * new['slices']:.0f} s)",
            file=sys.stderr,
            flush=True,
        )
        cells = [cell for cell in cells if cell not in old] + [new]
        write_cells(arguments.csv, cells, order)
    return cells, True


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
                    words = "  ".join(f"{key} {value:.4g}" for key, value in row.items())
                    bar.write(words, file=sys.stderr)

            minutes = (end - time.monotonic()) / 60
            done = pretrain(
                name, lesson, arguments.network, data, arguments.work, device.name, minutes, show
            )
        if not done:
            print(f"'{name}' is not trained to the end: run it again.", file=sys.stderr)
            return False
    return True
