"""Tables and figures of the studies of `pseudoct study`, from the rows of their CSV files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PseudoCTDenoiseLib.markdown_table import Column, markdown
from PseudoCTDenoiseLib.simulation.reconstruction_kernels import KERNELS

from ..results.pictures import curve_picture
from ..results.row_groups import grouped
from .method_study import INGREDIENTS, METHOD, NO_TUNING, RISK_COLUMNS, WITH_METHOD, risk_accuracy
from .noise_map_study import NOISE_MAP_COLUMNS
from .paper_loop_study import (
    PAPER_LOOP_COLUMNS,
    PRESET_COLUMNS,
    paper_loop_summary,
    preset_summary,
)
from .strength_study import STRENGTH_COLUMNS
from .tissue_study import TISSUE_COLUMNS, tissue_summary

_VARIANT = Column("variant", "Method")
_SCANS = Column("scans", "Scans", decimals=0)
_GAINS = (
    Column("gain", "Gain (dB)", signed=True),
    Column("more", "Gain over baseline (dB)", decimals=3, signed=True),
    Column("worst", "Worst scan (dB)", decimals=3, signed=True),
    Column("more_target", "Same, training target as reference (dB)", decimals=3, signed=True),
    Column("worst_target", "Its worst scan (dB)", decimals=3, signed=True),
    Column("change_hu", "Mean change (HU)"),
    Column("hu_bias", "Absolute HU bias (HU)"),
    Column("steps", "Steps", decimals=0),
)
_EXTREMES = (
    Column("losing", "Scans that lose", decimals=0),
    Column("worst_gain", "Worst gain (dB)", signed=True),
    Column("largest_bias", "Largest absolute HU bias (HU)"),
)
"""Columns that show losses which the means hide."""
_KEYS = ("gain", "more", "more_target", "change_hu", "hu_bias", "steps")


def ingredients_table(rows: list[dict]) -> str:
    rows = sorted(rows, key=lambda row: list(KERNELS).index(row["kernel"]))
    lines = _by(rows, ("kernel", "variant"))
    for line in lines:
        if line["variant"] not in {NO_TUNING, *INGREDIENTS}:
            line["gain"] = None  # of other LDCT: the simulation has changed since
    return markdown(lines, (Column("kernel", "Kernel"), _VARIANT, _SCANS, *_GAINS))


def conditions_table(rows: list[dict]) -> str:
    tuned = [row for row in rows if row["variant"] == WITH_METHOD]
    about = (Column("kernel", "Kernel"), Column("dose", "Dose"), _SCANS)
    return markdown(_by(tuned, ("kernel", "dose")), (*about, *_GAINS, *_EXTREMES))


def _by(rows: list[dict], keys: tuple[str, ...]) -> list[dict]:
    """Return the means over patients, and the worst scans, for each value of ``keys``."""
    lines = []
    for line, group in grouped(rows, keys):
        line["scans"] = len(group)
        of_patient = [
            [row for row in group if row["patient"] == patient] for patient in _patients(group)
        ]
        line |= {key: _mean(key, of_patient) for key in _KEYS}
        line["worst"] = min(float(row["more"]) for row in group)
        line["worst_target"] = min(float(row["more_target"]) for row in group)
        line["losing"] = sum(float(row["more"]) < 0 for row in group)
        line["worst_gain"] = min(float(row["gain"]) for row in group)
        line["largest_bias"] = max(abs(float(row["hu_bias"])) for row in group)
        lines.append(line)
    return lines


def _patients(rows: list[dict]) -> list[str]:
    return list(dict.fromkeys(row["patient"] for row in rows))


def _mean(key: str, of_patient: list[list[dict]]) -> float:
    """Return the mean over patients of the mean over scans; biases enter as absolute values."""
    sized = abs if key == "hu_bias" else float
    means = [np.mean([sized(float(row[key])) for row in rows]) for rows in of_patient]
    return float(np.mean(means))


def stopping_table(rows: list[dict]) -> str:
    lines = []
    for key in dict.fromkeys(_curve_key(row) for row in rows):
        curve = [row for row in rows if _curve_key(row) == key]
        start, kernel, patient, _ = key
        gains = {int(row["step"]): float(row["gain"]) for row in curve}
        best = max((step for step in gains if step <= METHOD.steps), key=gains.get)
        (chosen,) = (int(row["step"]) for row in curve if row["chosen"] == "True")
        lines.append(
            {
                "start": start,
                "kernel": kernel,
                "patient": patient,
                "first": gains[0],
                "best": best,
                "best_gain": gains[best],
                "chosen": chosen,
                "lost": gains[best] - gains[chosen],
                "last_gain": gains[max(gains)],
            }
            | risk_accuracy([row for row in curve if int(row["step"]) <= METHOD.steps])
        )
    columns = (
        Column("start", "Denoiser"),
        Column("kernel", "Kernel"),
        Column("patient", "Patient"),
        Column("first", "Gain, step 0 (dB)", signed=True),
        Column("best", f"Best of {METHOD.steps} steps", decimals=0),
        Column("best_gain", "Its gain (dB)", signed=True),
        Column("chosen", "Selected step", decimals=0),
        Column("lost", "Loss by the stop rule (dB)", decimals=3),
        Column("last_gain", "Gain, last step (dB)", signed=True),
        *RISK_COLUMNS,
    )
    return markdown(lines, columns)


def clean_table(rows: list[dict]) -> str:
    columns = (
        Column("scan", "Scan"),
        Column("steps", "Steps", decimals=0),
        Column("best_step", "Selected step", decimals=0),
        Column("noise_found_hu", "Estimated noise (HU)"),
        Column("start_change_hu", f"Mean change, {NO_TUNING} (HU)"),
        Column("change_hu", "Mean change, method (HU)"),
    )
    numbers = [column.key for column in columns[1:]]
    return markdown([row | {key: float(row[key]) for key in numbers} for row in rows], columns)


def banding_table(rows: list[dict]) -> str:
    columns = (
        Column("patient", "Patient"),
        Column("variant", "Image"),
        Column("banding_hu", "Banding (HU)", decimals=3),
    )
    return markdown([row | {"banding_hu": float(row["banding_hu"])} for row in rows], columns)


def noise_maps_table(rows: list[dict]) -> str:
    about = (Column("split", "Split"), Column("kernel", "Kernel"), Column("map", "Map"))
    lines = []
    for line, group in grouped(rows, [column.key for column in about]):
        for column in NOISE_MAP_COLUMNS:
            values = [float(row[column.key]) for row in group if row[column.key] != ""]
            line[column.key] = float(np.mean(values)) if values else None
        lines.append(line)
    return markdown(lines, (*about, *NOISE_MAP_COLUMNS))


def unseen_table(rows: list[dict]) -> str:
    columns = (
        Column("filter", "Gain, non-local means (dB)", signed=True),
        Column(f"gain {NO_TUNING}", f"Gain, {NO_TUNING} (dB)", signed=True),
        Column(f"gain {WITH_METHOD}", "Gain, method (dB)", signed=True),
        Column(f"hu_bias {WITH_METHOD}", "HU bias, method (HU)", signed=True),
    )
    return _scans_table(rows, columns)


def strength_table(rows: list[dict]) -> str:
    return _scans_table(rows, STRENGTH_COLUMNS)


def tissues_table(rows: list[dict]) -> str:
    return markdown(tissue_summary(rows), TISSUE_COLUMNS)


def _scans_table(rows: list[dict], columns: Sequence[Column]) -> str:
    """Tabulate columns of numbers by kernel and patient."""
    about = (Column("kernel", "Kernel"), Column("patient", "Patient"))
    return markdown(_numbers(rows, columns), (*about, *columns))


def paper_loop_table(rows: list[dict]) -> str:
    lines = []
    for about, few in grouped(rows, ("split", "kernel")):
        few = [{key: row[key] for key in row if key not in about} for row in few]
        texts = ("method", "patient")
        few = [{k: v if k in texts else float(v) for k, v in row.items()} for row in few]
        lines += [about | line for line in paper_loop_summary(few)]
    return markdown(lines, PAPER_LOOP_COLUMNS)


def paper_doses_table(rows: list[dict]) -> str:
    return markdown(preset_summary(rows), PRESET_COLUMNS)


def _numbers(rows: list[dict], columns: Sequence[Column]) -> list[dict]:
    return [row | {column.key: float(row[column.key]) for column in columns} for row in rows]


def _curve_key(row: dict) -> tuple[str, str, str, str]:
    return row["start"], row["kernel"], row["patient"], row["scan"]


def plot_stopping(folder: Path, rows: list[dict]) -> None:
    points, series = [], {}
    for row in rows:
        name = ", ".join(_curve_key(row)[:3])
        series[name] = name
        points.append({"step": row["step"], name: row["gain"]})
    label = "PSNR-4096 gain over LDCT (dB)"
    curve_picture(folder / "stopping.png", points, series, y_label=label)
