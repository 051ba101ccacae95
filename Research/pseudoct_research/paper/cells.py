"""Cells of the table, one per row and patient, computed once and stored as CSV.

Each cell holds hashes of its settings, of the patient's images and of the weights. If one of them
has changed, the cell is stale and is computed again.
"""

from __future__ import annotations

import csv
import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
from PseudoCTDenoiseLib.errors import BadInputError
from PseudoCTDenoiseLib.markdown_table import Column

from ..evaluation.comparison import CtPair, Method, mean_and_deviation, score
from ..results.results_table import write_csv
from ..training.settings_comparison import enabled_settings
from .pretrained import noise_model_settings, start_settings
from .table1 import FAST_MODELS, PRINTED_LDCT, TableRow, denoise_row
from .trained_networks import Networks, fast_noise_models

METRICS = ("psnr_4096", "psnr_400", "ssim_4096", "ssim_400", "rmse_hu", "hu_bias")
HASHES = ("settings", "data", "weights")
KEYS = ("network", "row", "patient", "slices", *METRICS, "seconds", *HASHES)
COLUMNS = (
    Column("row", "Row"),
    Column("psnr_4096", "PSNR-4096 (dB)"),
    Column("gain", "Gain (dB)"),
    Column("psnr_400", "PSNR-400 (dB)"),
    Column("ssim_4096", "SSIM"),
    Column("rmse_hu", "RMSE (HU)", decimals=1),
    Column("printed_psnr", "Paper: PSNR (dB)"),
    Column("printed_gain", "Paper: gain (dB)", signed=True),
    Column("printed_ssim", "Paper: SSIM", decimals=4),
)


def cell_hash(row: TableRow, network: str, description: dict) -> str:
    """Return a hash of all settings of a cell: data, pre-training, tuning, noise.

    Settings that are None do not enter: a setting that a later version adds keeps old cells fresh.
    """
    of_fast = None
    if row.noise == FAST_MODELS:
        of_fast = [manifest.sha256 for manifest in fast_noise_models()]
    settings = {
        "data": description,
        "start": asdict(start_settings(network, row.start)) if row.start else None,
        "lesson": row.start,
        "tuning": row.settings.as_dict() if row.start or row.noise else None,
        "noise": row.noise,
        "noise models": asdict(noise_model_settings()) if row.needs_noise_models else None,
        "noise models of fast": of_fast,
    }
    text = json.dumps(enabled_settings(settings), sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def read_cells(path: Path | str) -> list[dict]:
    """Read the cells of a CSV file; an empty list if the file does not exist.

    Raises
    ------
    BadInputError
        If the file is not a table of cells.
    """
    path = Path(path)
    if not path.exists():
        return []
    try:
        with path.open(newline="", encoding="utf-8") as file:
            reader = csv.DictReader(file)
            rows = list(reader)
            if missing := set(KEYS) - set(reader.fieldnames or ()):
                raise ValueError(f"no column {min(missing)}")
        return [
            {
                **{key: row[key] for key in ("network", "row", "patient", *HASHES)},
                "slices": int(row["slices"]),
                **{key: float(row[key]) for key in (*METRICS, "seconds")},
            }
            for row in rows
        ]
    except (OSError, ValueError, KeyError, TypeError, csv.Error) as error:
        raise BadInputError(
            f"{path} is not a table of cells. Give another file with --csv."
        ) from error


def write_cells(path: Path | str, cells: Sequence[dict], rows: Sequence[TableRow]) -> None:
    """Write the cells in the order of the rows."""
    order = {row.name: place for place, row in enumerate(rows)}
    last = len(order)
    cells = sorted(cells, key=lambda cell: (cell["network"], order.get(cell["row"], last)))
    write_csv(path, cells)


def data_digest(pair: CtPair) -> str:
    """Return a hash of a patient's images."""
    digest = hashlib.sha256(np.ascontiguousarray(pair.ldct))
    digest.update(np.ascontiguousarray(pair.ndct))
    return digest.hexdigest()[:12]


def is_cell(cell: dict, network: str, row: TableRow, patient: str) -> bool:
    """Return True if the cell is of this network, row and patient, with any settings."""
    return (cell["network"], cell["row"], cell["patient"]) == (network, row.name, patient)


def measure_cell(
    row: TableRow,
    pair: CtPair,
    network: str,
    networks: Networks,
    hashes: dict[str, str],
    device: str = "auto",
) -> dict:
    """Compute one cell; ``hashes`` holds a value for each of :data:`HASHES`."""
    placed = replace(row, settings=replace(row.settings, device=device))
    scores = score(Method(row.name, lambda hu, pixel_mm: denoise_row(placed, hu, networks)), pair)
    return {
        "network": network,
        "row": row.name,
        "patient": pair.patient,
        "slices": len(pair.ndct),
        **{key: round(scores[key], 5) for key in (*METRICS, "seconds")},
        **hashes,
    }


def fresh_cells(
    cells: Sequence[dict], network: str, rows: Sequence[TableRow], description: dict
) -> list[dict]:
    """Return a network's cells with the current settings on the data of the description."""
    hashes = {row.name: cell_hash(row, network, description) for row in rows}
    return [
        cell
        for cell in cells
        if cell["network"] == network and cell["settings"] == hashes.get(cell["row"])
    ]


def table(cells: Sequence[dict], rows: Sequence[TableRow]) -> list[dict]:
    """Return a line for each row with cells: mean ± sample standard deviation over the patients.

    Gains are relative to the LDCT of the same patient, the paper's gains relative to its own LDCT.
    The name of a row with missing patients states their number.
    """
    ldct = {c["patient"]: c["psnr_4096"] for c in cells if c["row"] == "LDCT"}
    lines = []
    for row in rows:
        of_row = [c for c in cells if c["row"] == row.name]
        if not of_row:
            continue
        line = {"row": row.name, "patients": len(of_row)}
        if len(of_row) < len(ldct):
            line["row"] += f" ({len(of_row)} of {len(ldct)} patients)"
        for key, decimals in (("psnr_4096", 2), ("psnr_400", 2), ("ssim_4096", 4)):
            line[key] = mean_and_deviation([c[key] for c in of_row], decimals)
        line["rmse_hu"] = float(np.mean([c["rmse_hu"] for c in of_row]))
        gains = [c["psnr_4096"] - ldct[c["patient"]] for c in of_row if c["patient"] in ldct]
        if row.start or row.noise:
            line["gain_mean"] = float(np.mean(gains)) if gains else float("nan")
            line["gain"] = mean_and_deviation(gains, 2, sign="+") if gains else None
        if row.printed:
            line["printed_psnr"], line["printed_ssim"] = row.printed
            if row.printed != PRINTED_LDCT:
                line["printed_gain"] = row.printed.psnr - PRINTED_LDCT.psnr
        lines.append(line)
    return lines
