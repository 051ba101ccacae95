"""Make a result again from its report, and say what differs.

The scan is denoised with the settings, the model and the seed of the report. The new result is
compared with the old one, voxel by voxel. Research use only; not for primary diagnosis.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

import torch

from ..ct.io.derived_note import NOTE_START
from ..ct.io.dicom_files import folder_of_dicomdir
from ..ct.io.volume_files import CtVolume, read_volume, split_suffix
from ..ct.io.volume_hash import volume_hash
from ..denoising.repetition import compare_images, differences, outcome, repeat_settings
from ..errors import BadInputError, printable
from ..exit_codes import DIFFERENT, DONE
from ..input_file import read_json
from ..models.catalog import SHIPPED_MODELS
from ..printed_words import print_warnings
from . import denoise
from .output_guard import same_name
from .result_report import default_report


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("report", type=Path, help="JSON report of the result to make again")
    parser.add_argument(
        "output",
        type=Path,
        nargs="?",
        help="new denoised scan; must not exist yet (default: beside the report, named 'again')",
    )
    parser.add_argument(
        "--input", type=Path, help="scan that was denoised, if it is at another place now"
    )
    parser.add_argument(
        "--models", type=Path, help="folder of models (default: that of the report)"
    )


def run(arguments: argparse.Namespace) -> int:
    """Denoise the scan of the report again; return DONE if the result is the same."""
    report = read_report(arguments.report)
    settings = repeat_settings(report)
    scan = arguments.input or _find(report, arguments.report, "input")
    if scan is None:
        raise BadInputError(
            f"The scan {report['input']} is not where it was: give its place with --input."
        )
    output = arguments.output or _new_name(report, arguments.report)
    if os.path.lexists(output):
        raise BadInputError(f"{output} exists: choose another name for the new result.")
    if same_name(default_report(output)) == same_name(arguments.report):
        raise BadInputError(
            f"The report of {output} would replace {arguments.report}: choose another name for "
            "the new result."
        )
    old = _find(report, arguments.report, "output")
    again = denoise.parse_arguments(["--", os.fspath(scan), os.fspath(output)])
    again.model, again.models = report["model"]["name"], arguments.models or _models_folder(report)
    again.series = _series(report) if folder_of_dicomdir(scan).is_dir() else None
    again.slice_axis = _text(report, "slice_axis") or "auto"
    again.allow_uneven = True  # the scan was accepted before
    if report["device"].get("name") == "cpu" and _is_count(report["device"].get("threads")):
        torch.set_num_threads(report["device"]["threads"])  # sums depend on their order
    new = denoise.denoise(again, settings, lambda volume: _check_scan(volume, report))
    if not new.report:
        return new.exit_code
    return _compare(report, new.report, old, output)


def read_report(path: Path) -> dict:
    """Return a report of ``denoise``.

    Raises
    ------
    BadInputError
        If the file cannot be read or is not such a report.
    """
    report = read_json(path)
    parts = {"settings": dict, "model": dict, "device": dict, "versions": dict}
    names = {"notice": str, "input": str, "output": str}
    complete = all(isinstance(report.get(name), kind) for name, kind in (parts | names).items())
    if not complete or not report["notice"].startswith(NOTE_START):
        raise BadInputError(
            f"{path} is not a complete report of 'pseudoct denoise': give the JSON file that was "
            "written beside the result."
        )
    if not isinstance(report["model"].get("name"), str):
        raise BadInputError(f"{path} does not name the model: give a complete report.")
    return report


def _find(report: dict, path: Path, what: str) -> Path | None:
    """Return the ``input`` or ``output`` of a report at its old place or beside the report."""
    known = _text(report, f"{what}_path")
    places = [Path(known)] if known else []
    places.append(path.parent / Path(report[what]).name)
    return next((place for place in places if place.exists()), None)


def _new_name(report: dict, path: Path) -> Path:
    """Return an unused name beside the report, made from that of the old result."""
    stem, suffix = split_suffix(Path(report["output"]).name)
    stem, suffix = f"{stem}-again", suffix or ".nrrd"
    number, name = 1, stem
    while os.path.lexists(path.parent / f"{name}{suffix}") or os.path.lexists(
        path.parent / f"{name}.json"
    ):
        number += 1
        name = f"{stem}-{number}"
    return path.parent / f"{name}{suffix}"


def _models_folder(report: dict) -> Path:
    folder = _text(report, "models_path")
    return Path(folder) if folder else SHIPPED_MODELS


def _series(report: dict) -> str | None:
    """Return the UID of the series, with the ``.k`` of its stack, or the choice without an UID.

    Other series of the same number may be stored there now.
    """
    uids = report.get("dicom")
    uid = _text(uids, "series_uid") if isinstance(uids, dict) else None
    choice = _text(report, "series")
    if not uid or (choice and choice.startswith(uid)):
        return choice
    _, dot, stack = (choice or "").partition(".")
    return uid + dot + stack


def _text(report: dict, name: str) -> str | None:
    value = report.get(name)
    return value if isinstance(value, str) else None


def _is_count(value: object) -> bool:
    return type(value) is int and 0 < value <= 1024


def _check_scan(volume: CtVolume, report: dict) -> None:
    """Raise BadInputError if a scan is not that of the report."""
    known = report.get("input_hash")
    if not isinstance(known, dict):
        print_warnings(
            ["The report is of an older version, so it is unknown whether this is the same scan."]
        )
    elif volume_hash(volume.hu, volume)["voxels"] != known.get("voxels"):
        raise BadInputError(
            f"{volume.name} is not the scan of the report, because its voxels differ: give the "
            "scan with --input."
        )


def _compare(report: dict, new: dict, old: Path | None, output: Path) -> int:
    """Print how the new result differs from the old one, if there is one; return the exit code."""
    reasons = differences(report, new)
    known, made = report.get("output_hash"), new["output_hash"]
    known = known.get("voxels") if isinstance(known, dict) else None
    if old is None:
        if known == made["voxels"]:
            print(
                printable(
                    f"Note: the old result {report['output']} is not there, so its recorded hash "
                    "is compared."
                ),
                file=sys.stderr,
            )
            print(printable(outcome("", reasons)))
            return DONE
        print(
            printable(
                f"The old result {report['output']} is not there, so the difference cannot be "
                "measured."
            )
            + (" Its recorded hash differs from that of the new result." * bool(known))
        )
        return DIFFERENT
    try:
        before, after = (
            read_volume(file, slice_axis=new["slice_axis"], allow_uneven=True, keep_values=True)
            for file in (old, output)
        )
    except BadInputError as error:
        print(f"The old result cannot be compared with the new one: {error}")
        return DIFFERENT
    if known and volume_hash(before.hu, before)["voxels"] != known:
        same = "equals" if known == made["voxels"] else "differs from"
        print(
            printable(
                f"Note: {old} was changed after it was made. Its recorded hash {same} that of the "
                "new result."
            ),
            file=sys.stderr,
        )
    difference = compare_images(before.values, after.values)
    print(printable(outcome(difference, reasons)))
    return DIFFERENT if difference else DONE
