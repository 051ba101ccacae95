"""CSV table of a cohort: one row for each scan."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from ..errors import BadInputError

FILE = "cohort.csv"
RESTORE = "run the cohort again with the same settings, which restores its table"
COLUMNS = (
    *("name", "exit", "words", "outlier", "traffic_light"),
    *("noise_before_hu", "noise_after_hu", "noise_reduction_percent", "mean_absolute_change_hu"),
    *("slices", "seconds", "cpu_seconds", "compute_seconds", "driver_seconds"),
    *("read_bytes", "written_bytes", "peak_memory_mib", "device", "worker"),
    *("study_uid", "series_uid", "frame_of_reference_uid", "input"),
)
MEASURED = (
    *("exit", "slices", "seconds", "cpu_seconds", "compute_seconds", "driver_seconds"),
    *("read_bytes", "written_bytes"),
)
"""Columns with the numbers of an estimate."""
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def table_text(outcomes: Iterable[dict], outliers: dict[str, list[str]]) -> str:
    """Return the CSV of a cohort. A missing value is an empty cell.

    Parameters
    ----------
    outliers : reasons by the name of the scan, see :func:`.find_outliers`.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for outcome in outcomes:
        row = outcome | {"outlier": "; ".join(outliers.get(outcome["name"], ()))}
        writer.writerow([_cell(row.get(column)) for column in COLUMNS])
    return text.getvalue()


def read_table(path: Path) -> list[dict[str, str]]:
    """Return the rows of a cohort's CSV, also of one that a spreadsheet saved, without empty ones.

    Raises
    ------
    BadInputError
        If the file is missing, or lacks a column that an estimate needs.
    """
    try:
        with open(path, newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file, restval="")
            rows, columns = [row for row in reader if any(row.values())], reader.fieldnames or ()
    except OSError as error:
        raise BadInputError(f"Cannot read {path}: run the cohort first.") from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise BadInputError(f"{path} is not a CSV file in UTF-8: {RESTORE}.") from error
    missing = [name for name in ("name", "device", *MEASURED) if name not in columns]
    if missing:
        raise BadInputError(
            f"{path} lacks the columns {', '.join(missing)}, or commas do not separate its "
            f"columns: {RESTORE}."
        )
    return rows


def _cell(value: Any) -> Any:
    """Return a value that no spreadsheet takes for a formula."""
    if isinstance(value, str) and value.startswith(_FORMULA):
        return f"'{value}"
    return f"{value:.6g}" if isinstance(value, float) else value
