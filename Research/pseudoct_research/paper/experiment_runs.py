"""Arguments and computation that the paper's table and its ablations share."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from PseudoCTDenoiseLib.denoising.device import choose_device
from PseudoCTDenoiseLib.errors import BadInputError

from ..evaluation.comparison import CtPair
from ..time_limit import add_time_limit
from .cells import (
    HASHES,
    cell_hash,
    data_digest,
    is_cell,
    measure_cell,
    read_cells,
    write_cells,
)
from .experiment_data import ExperimentData, simulated_data
from .pretrained import CHANNELS, pretrain, runs, subject_models, subjects
from .table1 import TableRow, needed_models
from .trained_networks import load_networks, weights_digest, write_histogram

SLICES = 4


def add_experiment_arguments(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--network", choices=CHANNELS, default="red-cnn-32", help="default: red-cnn-32"
    )
    group.add_argument("--row", action="append", help="compute only this row (default: all)")
    group.add_argument(
        "--patient", action="append", help="compute only this patient (default: all)"
    )
    group.add_argument(
        "--remake",
        action="store_true",
        help="compute the cells of --row or --patient again",
    )
    group.add_argument(
        "--slices",
        type=int,
        help=f"maximum number of test slices per scan (default: {SLICES}; with --pairs all)",
    )
    add_time_limit(group)
    group.add_argument(
        "--work",
        type=Path,
        default=Path("local/table1"),
        help="folder for networks and simulated scans (default: local/table1)",
    )


def choose_rows(arguments: argparse.Namespace, rows: Sequence[TableRow]) -> list[TableRow]:
    """Return the requested rows and the LDCT row, relative to which gains are computed.

    Raises
    ------
    BadInputError
        If a row does not exist, the number of slices is below 1, or ``--remake`` names neither row
        nor patient: a resumed run would then start over each time.
    """
    if arguments.remake and not (arguments.row or arguments.patient):
        raise BadInputError("--remake needs a selection. Add --row NAME or --patient NAME.")
    if arguments.slices is not None and arguments.slices < 1:
        raise BadInputError(f"--slices must be at least 1, not {arguments.slices}.")
    unknown = set(arguments.row or ()) - {row.name for row in rows}
    if unknown:
        known = "; ".join(row.name for row in rows)
        raise BadInputError(f"Row '{min(unknown)}' does not exist. Rows: {known}.")
    ldct = rows[0].name
    return [row for row in rows if not arguments.row or row.name in (ldct, *arguments.row)]


def read_simulated(arguments: argparse.Namespace) -> ExperimentData:
    """Simulate the scans of a ``--split`` of ``--index`` at low dose, with a progress bar."""
    from tqdm import tqdm

    with tqdm(unit="scan", desc="Scans", disable=None) as bar:
        return simulated_data(
            arguments.index,
            arguments.split,
            arguments.slices or SLICES,
            arguments.work / "pairs",
            bar.update,
        )


def make_cells(
    arguments: argparse.Namespace,
    rows: Sequence[TableRow],
    order: Sequence[TableRow],
    data: ExperimentData,
) -> bool:
    """Compute the cells of ``rows`` that ``--csv`` lacks, that are stale, or that are requested.

    Missing networks are trained first. The file is written after each cell, in the row order of
    ``order``. Return False if ``--minutes`` ended before the last cell.
    """
    end = time.monotonic() + 60 * arguments.minutes
    network = arguments.network
    measured = {pair.patient: pair for pair in data.measured}
    if unknown := set(arguments.patient or ()) - measured.keys():
        raise BadInputError(
            f"There is no test patient '{min(unknown)}'. Patients: {', '.join(measured)}."
        )
    pairs = [measured[patient] for patient in dict.fromkeys(arguments.patient or measured)]
    images = {pair.patient: data_digest(pair) for pair in pairs}
    cells = read_cells(arguments.csv)

    def hashes(row: TableRow, pair: CtPair) -> dict[str, str | None]:
        models = needed_models(row, network, subjects(data))
        return {
            "settings": cell_hash(row, network, data.description),
            "data": images[pair.patient],
            "weights": weights_digest(models, arguments.work),
        }

    def is_kept(row: TableRow, pair: CtPair) -> bool:
        old = [cell for cell in cells if is_cell(cell, network, row, pair.patient)]
        return any({key: cell[key] for key in HASHES} == hashes(row, pair) for cell in old)

    requested = arguments.row or [row.name for row in rows]
    wanted = [
        (row, pair)
        for row in rows
        for pair in pairs
        if (arguments.remake and row.name in requested) or not is_kept(row, pair)
    ]
    if not wanted:
        return True
    starts = list(dict.fromkeys(row.start for row, _ in wanted if row.start))
    with_models = any(row.needs_noise_models for row, _ in wanted)
    write_histogram(data, arguments.work)
    if not _trained(arguments, data, starts, with_models, end):
        return False
    noise_models = subject_models(data) if with_models else []
    networks = load_networks(arguments.work, network, starts, noise_models)
    for number, (row, pair) in enumerate(wanted, start=1):
        if time.monotonic() > end:
            left = len(wanted) - number + 1
            print(f"{left} cells are missing. Run the same command to resume.", file=sys.stderr)
            return False
        new = measure_cell(row, pair, network, networks, hashes(row, pair), arguments.device)
        # Another run may have written cells in the meantime.
        cells = read_cells(arguments.csv)
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
    return True


def _trained(
    arguments: argparse.Namespace,
    data: ExperimentData,
    starts: Sequence[str],
    with_models: bool,
    end: float,
) -> bool:
    """Train the networks that are missing; return False if the time ended before."""
    from tqdm import tqdm

    device = choose_device(arguments.device)
    for name, source in runs(arguments.network, data, starts, with_models):
        with tqdm(desc=name, unit="step", disable=None) as bar:

            def show(step: int, steps: int, row: dict | None, bar=bar) -> None:
                bar.total = steps
                bar.update(step - bar.n)
                if row:
                    words = "  ".join(f"{key} {value:.4g}" for key, value in row.items())
                    bar.write(words, file=sys.stderr)

            left = (end - time.monotonic()) / 60
            done = pretrain(
                name, source, arguments.network, data, arguments.work, device.name, left, show
            )
        if not done:
            print(
                f"Training of '{name}' is unfinished. Run the same command to resume.",
                file=sys.stderr,
            )
            return False
    return True
