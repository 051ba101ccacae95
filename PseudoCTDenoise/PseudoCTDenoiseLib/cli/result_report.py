"""The report beside a result: where it lies, and what it says of the files of the run."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

import numpy as np

from ..ct.io.volume_files import AXES, CtVolume, split_suffix
from ..ct.io.volume_hash import volume_hash
from ..errors import BadInputError
from ..input_file import read_json
from ..models.catalog import SHIPPED_MODELS
from .dicom_output import is_dicom_output
from .output_guard import same_name
from .own_results import is_report_of


def default_report(output: Path) -> Path:
    """Return the place of the report of an output for which no other place is given."""
    return report_beside(Path(os.path.abspath(output)), is_dicom_output(output))


def older_reports(output: Path, *kept: Path | None) -> list[Path]:
    """Return the reports of an older result in default places, which a new result makes wrong.

    Parameters
    ----------
    kept : files that are not returned.
    """
    places = {default_report(path) for path in (output, Path(os.path.realpath(output)))}
    names = {same_name(path) for path in kept if path is not None}
    return [p for p in sorted(places) if same_name(p) not in names and is_report_of(p, output)]


def report_beside(output: Path, dicom: bool) -> Path:
    """Return the place beside an output, a folder of DICOM slices or a file with a suffix."""
    return output.with_name(f"{output.name if dicom else split_suffix(output.name)[0]}.json")


def check_report_is_free(path: Path, volume: Path) -> None:
    """Reject the place of a report where that of another result lies which still exists.

    Raises
    ------
    BadInputError
        If there is such a report.
    """
    try:
        place = read_json(path).get("output_path")
    except BadInputError:  # there is none, or it is not a report and was checked before
        return
    if not isinstance(place, str) or not os.path.lexists(place):
        return
    if os.path.realpath(place) != os.path.realpath(volume):
        raise BadInputError(
            f"{path} is the report of {Path(place).name} and would be lost: give another name for "
            "the report with --report, or replace it with --overwrite."
        )


def described_files(
    arguments: argparse.Namespace,
    volume: CtVolume,
    reference: CtVolume | None,
    output: Path,
    denoised: np.ndarray,
) -> dict:
    """Return where scan, reference and result lie and how to recognise them, for the report.

    Parameters
    ----------
    arguments : of ``denoise``.
    output : place of the result, ``denoised``, (slices, rows, columns) HU.
    """
    # A link to the scan may have the only name that tells the format, so it is not followed.
    scan, output = (_in_real_folder(path) for path in (arguments.input, output))
    models = arguments.models.resolve()
    of_reference = {}
    if reference:
        of_reference["reference_path"] = str(_in_real_folder(arguments.reference))
        of_reference["reference_series"] = arguments.reference_series
        of_reference["reference_hash"] = volume_hash(reference.hu, reference)
        of_reference["reference_dicom"] = reference.uids or None
    return {
        "input": scan.name,
        "input_path": str(scan),
        "input_hash": volume_hash(volume.hu, volume),
        "series": arguments.series,
        "slice_axis": AXES[volume.slice_axis],
        "models_path": None if models == SHIPPED_MODELS else str(models),
        "output": output.name,
        "output_path": str(output),
        "output_hash": volume_hash(denoised, volume),
        **of_reference,
    }


def _in_real_folder(path: Path) -> Path:
    """Return an absolute path whose folder has no links; its last part may be one."""
    return path.resolve() if path.name in ("", "..") else path.parent.resolve() / path.name
