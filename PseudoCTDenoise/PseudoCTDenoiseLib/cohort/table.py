"""CSV table of a cohort: one row for each scan."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from ..errors import BadInputError

FILE = "cohort.csv"
COLUMNS = (
    *("name", "exit", "words", "outlier", "traffic_light"),
    *("noise_before_hu", "noise_after_hu", "noise_reduction_percent", "mean_absolute_change_hu"),
    *("slices", "seconds", "cpu_seconds", "compute_seconds", "driver_seconds"),
    *("read_bytes", "written_bytes", "peak_memory_mib", "device", "worker"),
    *("study_uid", "series_uid", "frame_of_reference_uid", "input"),
)
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
    """Return the rows of a cohort's CSV.

    Raises
    ------
    BadInputError
        If the file is missing or is not the table of a cohort.
    """
    try:
        with open(path, newline="", encoding="utf-8") as file:
            reader = csv.DictReader(file)
            rows, columns = list(reader), reader.fieldnames or ()
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise BadInputError(f"Cannot read {path}: run the cohort first.") from error
    if not {"name", "exit", "compute_seconds"} <= set(columns):
        raise BadInputError(f"{path} is not the table of a cohort: choose the folder of one.")
    return rows


def _cell(value: Any) -> Any:
    """Return a value that no spreadsheet takes for a formula."""
    if isinstance(value, str) and value.startswith(_FORMULA):
        return f"'{value}"
    return f"{value:.6g}" if isinstance(value, float) else value
