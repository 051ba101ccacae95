"""Full-dose and quarter-dose scans in the layout of the 2016 AAPM Low-Dose CT Grand Challenge.

At any depth below one folder, every patient has a folder with the patient's name, which holds the
DICOM slices of both doses in ``full_3mm`` and ``quarter_3mm``.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PseudoCTDenoiseLib.ct.io.dicom_files import is_hidden
from PseudoCTDenoiseLib.ct.io.volume_files import CtVolume, read_volume
from PseudoCTDenoiseLib.errors import BadInputError

FULL, QUARTER = "full_3mm", "quarter_3mm"
TRAINING_PATIENTS = ("L067", "L096", "L109")
"""Training patients of the ten with both doses; the other seven are for tests."""
ALIGNMENT = 0.1
"""Maximum offset between matching slices, as a fraction of the spacing; likewise for pixels."""


@dataclass(frozen=True)
class DosePair:
    """One patient at both doses, (slices, rows, columns) int16 HU with matching slices."""

    patient: str
    full: np.ndarray
    quarter: np.ndarray


def find_patients(folder: Path | str) -> dict[str, tuple[Path, Path]]:
    """Return the folders of full and quarter dose by patient.

    Raises
    ------
    BadInputError
        If the folder does not exist or holds no patient, or if a patient lacks a dose or has two
        folders of one dose.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise BadInputError(f"The folder {folder} does not exist. Check the path.")
    found: dict[str, dict[str, Path]] = {}
    for place in _dose_folders(folder):
        patient, dose = place.parent.name, place.name.lower()
        doses = found.setdefault(patient, {})
        if dose in doses:
            raise BadInputError(
                f"Patient {patient} has two folders {dose}, {doses[dose]} and {place}. Remove one."
            )
        doses[dose] = place
    if not found:
        raise BadInputError(
            f"{folder} contains no patient. Put the DICOM slices into PATIENT/{FULL} and "
            f"PATIENT/{QUARTER}."
        )
    for patient, doses in found.items():
        for dose in sorted({FULL, QUARTER} - doses.keys()):
            raise BadInputError(f"Patient {patient} in {folder} lacks the folder {dose}.")
    return {patient: (found[patient][FULL], found[patient][QUARTER]) for patient in sorted(found)}


def _dose_folders(folder: Path) -> Iterator[Path]:
    """Yield the folders named after a dose that have no subfolders.

    Symbolic links are followed, each folder once. Hidden folders are skipped.
    """
    seen = set()
    for path, folders, _ in os.walk(folder, followlinks=True):
        place = Path(path)
        if place.resolve() in seen:
            folders.clear()
            continue
        seen.add(place.resolve())
        folders[:] = sorted(name for name in folders if not is_hidden(name))
        if place.name.lower() in (FULL, QUARTER) and not folders:
            yield place


def read_dose_pair(patient: str, full: Path, quarter: Path) -> DosePair:
    """Read both doses of a patient on their common slices.

    Raises
    ------
    BadInputError
        If a folder is not an evenly spaced CT series, or the two series are on different grids or
        have no slice in common.
    """
    normal, low = _read(patient, full), _read(patient, quarter)
    offset = _offset(normal, low, patient)
    first = max(0, offset)
    last = min(len(normal.hu), offset + len(low.hu))
    if last <= first:
        raise BadInputError(
            f"{FULL} and {QUARTER} of {patient} have no slice position in common. "
            "Check the folders."
        )
    return DosePair(patient, normal.hu[first:last], low.hu[first - offset : last - offset])


def _read(patient: str, folder: Path) -> CtVolume:
    try:
        return read_volume(folder)
    except BadInputError as error:
        raise BadInputError(f"Patient {patient}, {folder}: {error}") from error


def _offset(normal: CtVolume, low: CtVolume, patient: str) -> int:
    """Return the index of the full-dose slice at the position of the first quarter-dose slice."""
    axis = normal.slice_axis
    same = (
        normal.hu.shape[1:] == low.hu.shape[1:]
        and axis == low.slice_axis
        and len(normal.spacing) == len(low.spacing) == 3
        and np.allclose(normal.spacing, low.spacing, rtol=1e-3)
        and np.allclose(normal.direction, low.direction, atol=1e-3)
    )
    if same:
        directions = np.array(normal.direction).reshape(3, 3)
        # In voxels of the full dose, along each of its axes.
        away = np.linalg.solve(directions, np.subtract(low.origin, normal.origin)) / normal.spacing
        nearest = np.zeros(3)
        nearest[axis] = round(away[axis])
        same = bool(np.abs(away - nearest).max() < ALIGNMENT)
    if not same:
        raise BadInputError(
            f"{FULL} and {QUARTER} of {patient} are on different grids: size, spacing, direction "
            "or position of their slices differ. Resample one of them."
        )
    return int(nearest[axis])
