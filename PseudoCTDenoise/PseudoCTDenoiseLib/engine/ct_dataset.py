"""Scans with patient and split, from an index that names them."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from .errors import BadInputError
from .volume_files import read_volume


@dataclass(frozen=True)
class CtScan:
    """Slices of one patient, scanner and kernel: (slices, rows, columns) int16 HU."""

    patient: str
    hu: np.ndarray
    pixel_mm: float
    licence: str = ""
    source: str = ""


def read_index(index: Path | str, split: str, patients: list[str] | None = None) -> list[CtScan]:
    """The scans of one split.

    Parameters
    ----------
    index : CSV with the columns ``file`` (relative to the index), ``patient``, ``split`` and, for
        the model cards, ``licence`` and ``source``. Where ``split`` begins with "see", the file is
        a stack of unrelated slices with a CSV of its own beside it: ``index``, ``patient``,
        ``split`` and ``pixel_mm`` of each slice. Each becomes a scan of one slice.
    patients : only these, if given.

    Raises
    ------
    BadInputError
        If the index or one of its files cannot be read, or nothing matches.
    """
    index = Path(index)
    scans = []
    for row in _rows(index, {"file", "patient", "split"}):
        path = index.parent / row["file"]
        credit = {"licence": row.get("licence", ""), "source": row.get("source", "")}
        if row["split"].startswith("see"):
            slices = _rows(path.with_name(path.name.split(".")[0] + ".csv"), {"index", "pixel_mm"})
            if any(_wanted(one, split, patients) for one in slices):
                hu = read_volume(path).hu
            for one in slices:
                if _wanted(one, split, patients):
                    number = int(one["index"])
                    scans.append(
                        CtScan(
                            one["patient"],
                            hu[number : number + 1],
                            float(one["pixel_mm"]),
                            **credit,
                        )
                    )
        elif _wanted(row, split, patients):
            volume = read_volume(path)
            scans.append(CtScan(row["patient"], volume.hu, volume.pixel_size[0], **credit))
    if not scans:
        raise BadInputError(f"{index} lists no scan of split '{split}' for these patients.")
    return scans


def _wanted(row: dict, split: str, patients: list[str] | None) -> bool:
    return row["split"] == split and (not patients or row["patient"] in patients)


def _rows(path: Path, needed: set[str]) -> list[dict[str, str]]:
    try:
        with path.open(newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
    except OSError as error:
        raise BadInputError(f"Cannot read the index {path}: {error.strerror}.") from error
    missing = needed - set(rows[0] if rows else ())
    if missing:
        raise BadInputError(f"{path} lacks the columns {', '.join(sorted(missing))}.")
    return rows
