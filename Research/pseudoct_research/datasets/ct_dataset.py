"""Scans of a data set, listed in an index with patient and split."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PseudoCTDenoiseLib.ct.io.volume_files import CtVolume, read_volume
from PseudoCTDenoiseLib.ct.pixel_spacing import square_pixel_mm
from PseudoCTDenoiseLib.errors import BadInputError


@dataclass(frozen=True)
class CtScan:
    """Slices of one patient, scanner and kernel: (slices, rows, columns) int16 HU."""

    patient: str
    hu: np.ndarray
    pixel_mm: float
    licence: str = ""
    source: str = ""


def read_index(index: Path | str, split: str, patients: list[str] | None = None) -> list[CtScan]:
    """Read the scans of one split.

    Parameters
    ----------
    index : CSV with the columns ``file`` (relative to the index), ``patient``, ``split`` and, for
        the model cards, ``licence`` and ``source``. ``series`` and ``slice_axis`` may choose the
        DICOM series and the slice axis, see :func:`.read_volume`. If ``split`` begins with "see",
        the file is a stack of unrelated slices, and a CSV of the same name lists ``index``,
        ``patient``, ``split`` and ``pixel_mm`` of each slice. Each slice becomes a scan.
    patients : read only these patients, if given.

    Raises
    ------
    BadInputError
        If the index or one of its files cannot be read, a patient is in two of the splits
        ``train``, ``val`` and ``test``, a stack lacks a slice that is listed, a scan does not have
        square pixels, or nothing matches.
    """
    index = Path(index)
    _check_splits(index)
    scans = []
    for row in _rows(index, {"file", "patient", "split"}):
        path = index.parent / row["file"]
        credit = {"licence": row.get("licence", ""), "source": row.get("source", "")}
        if row["split"].startswith("see"):
            scans += _stacked_scans(path, row, split, patients, credit)
        elif _wanted(row, split, patients):
            volume = _read(path, row)
            pixel_mm = square_pixel_mm(volume.pixel_size, str(path))
            scans.append(CtScan(row["patient"], volume.hu, pixel_mm, **credit))
    if not scans:
        raise BadInputError(
            f"{index} lists no scan of split '{split}' for these patients. Correct the index."
        )
    return scans


def index_splits(index: Path | str) -> list[str]:
    """Return the splits of the scans that an index lists, for :func:`read_index`.

    Raises
    ------
    BadInputError
        If the index or the table of a stack of unrelated slices cannot be read.
    """
    return list(dict.fromkeys(row["split"] for row in _all_rows(Path(index))))


def index_files(index: Path | str) -> list[Path]:
    """Return the files that :func:`read_index` may read: the index, its scans and their tables.

    Only the index is returned if it does not exist.
    """
    index = Path(index)
    files = [index]
    if not index.is_file():
        return files
    for row in _rows(index, {"file", "patient", "split"}):
        files.append(index.parent / row["file"])
        if row["split"].startswith("see"):
            files.append(_slice_table(files[-1]))
    return files


def scan_credits(scans: Sequence[CtScan]) -> list[dict]:
    """Return patient, source and licence of the scans without repeats, for a model's manifest."""
    rows = {(s.patient, s.source, s.licence) for s in scans}
    return [
        {"patient": patient, "source": source, "licence": licence}
        for patient, source, licence in sorted(rows)
    ]


def _all_rows(index: Path) -> Iterator[dict[str, str]]:
    """Yield the rows of an index, and those of the tables of its stacks in their place."""
    for row in _rows(index, {"file", "patient", "split"}):
        if row["split"].startswith("see"):
            yield from _rows(_slice_table(index.parent / row["file"]), {"patient", "split"})
        else:
            yield row


def _check_splits(index: Path) -> None:
    """Reject an index with a patient in two of the splits to learn, choose and measure on."""
    splits: dict[str, set[str]] = {}
    for row in _all_rows(index):
        splits.setdefault(row["patient"], set()).add(row["split"])
    for patient, of_patient in splits.items():
        several = [split for split in ("train", "val", "test") if split in of_patient]
        if len(several) > 1:
            raise BadInputError(
                f"{index} has the patient {patient} in the splits {' and '.join(several)}. Results "
                "on a patient that a network learned from, or that a choice was made on, are too "
                "good. Choose one split."
            )


def _read(path: Path, row: dict[str, str]) -> CtVolume:
    return read_volume(
        path, series=row.get("series") or None, slice_axis=row.get("slice_axis") or "auto"
    )


def _stacked_scans(
    path: Path, scan: dict[str, str], split: str, patients: list[str] | None, credit: dict[str, str]
) -> list[CtScan]:
    table = _slice_table(path)
    rows = _rows(table, {"index", "patient", "split", "pixel_mm"})
    rows = [row for row in rows if _wanted(row, split, patients)]
    if not rows:
        return []
    hu = _read(path, scan).hu
    scans = []
    for row in rows:
        try:
            number, pixel_mm = int(row["index"]), float(row["pixel_mm"])
        except ValueError as error:
            raise BadInputError(
                f"{table} has the index '{row['index']}' and pixel_mm '{row['pixel_mm']}', which "
                "are not both numbers. Correct them."
            ) from error
        if not 0 <= number < len(hu):
            raise BadInputError(
                f"{table} lists slice {number}, but {path.name} has {len(hu)}. Correct the table."
            )
        scans.append(CtScan(row["patient"], hu[number : number + 1], pixel_mm, **credit))
    return scans


def _slice_table(path: Path) -> Path:
    return path.with_name(path.name.split(".")[0] + ".csv")


def _wanted(row: dict, split: str, patients: list[str] | None) -> bool:
    return row["split"] == split and (not patients or row["patient"] in patients)


def _rows(path: Path, needed: set[str]) -> list[dict[str, str]]:
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            rows = list(csv.DictReader(file, restval=""))
    except OSError as error:
        raise BadInputError(
            f"Cannot read the index {path}: {error.strerror}. Check the path."
        ) from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise BadInputError(f"{path} is not a CSV file in UTF-8. Save it as one.") from error
    missing = needed - set(rows[0] if rows else ())
    if missing:
        raise BadInputError(f"{path} lacks the columns {', '.join(sorted(missing))}. Add them.")
    return rows
