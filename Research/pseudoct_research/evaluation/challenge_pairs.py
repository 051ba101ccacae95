"""Full and quarter dose as the 2016 AAPM Low-Dose CT Grand Challenge lays them out.

Somewhere below one folder every patient has a folder, named by the patient, with the DICOM slices
of both doses in ``full_3mm`` and ``quarter_3mm``.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PseudoCTDenoiseLib.ct.io.volume_files import CtVolume, read_volume
from PseudoCTDenoiseLib.errors import BadInputError

FULL, QUARTER = "full_3mm", "quarter_3mm"
TRAINING_PATIENTS = ("L067", "L096", "L109")
"""Of the ten patients of the challenge that come with both doses; the other seven are for tests."""
ALIGNMENT = 0.1
"""Slices match where they lie within this share of their distance, pixels likewise."""


@dataclass(frozen=True)
class DosePair:
    """One patient at both doses, (slices, rows, columns) int16 HU, slice by slice alike."""

    patient: str
    full: np.ndarray
    quarter: np.ndarray


def find_patients(folder: Path | str) -> dict[str, tuple[Path, Path]]:
    """Folders of full and quarter dose by patient.

    Raises
    ------
    BadInputError
        If there is no such folder, no patient in it, or a patient with one dose alone, or with
        two folders of one.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise BadInputError(f"There is no folder {folder}: check the path.")
    found: dict[str, dict[str, Path]] = {}
    for place in _dose_folders(folder):
        patient, dose = place.parent.name, place.name.lower()
        doses = found.setdefault(patient, {})
        if dose in doses:
            raise BadInputError(
                f"Patient {patient} has two folders {dose}, {doses[dose]} and {place}: leave one."
            )
        doses[dose] = place
    if not found:
        raise BadInputError(
            f"{folder} holds no patient: DICOM slices belong into PATIENT/{FULL} and "
            f"PATIENT/{QUARTER}."
        )
    for patient, doses in found.items():
        for dose in sorted({FULL, QUARTER} - doses.keys()):
            raise BadInputError(f"Patient {patient} in {folder} lacks the folder {dose}.")
    return {patient: (found[patient][FULL], found[patient][QUARTER]) for patient in sorted(found)}


def _dose_folders(folder: Path) -> Iterator[Path]:
    """Folders of a dose, by name, that do not hold others of that dose further down.

    Links are followed, each folder once; hidden folders and what a Mac adds to archives are not.
    """
    seen = set()
    for path, folders, _ in os.walk(folder, followlinks=True):
        place = Path(path)
        if place.resolve() in seen:
            folders.clear()
            continue
        seen.add(place.resolve())
        folders[:] = sorted(f for f in folders if not f.startswith(".") and f != "__MACOSX")
        if place.name.lower() in (FULL, QUARTER) and not folders:
            yield place


def read_dose_pair(patient: str, full: Path, quarter: Path) -> DosePair:
    """Both doses of a patient on the slices that they share.

    Raises
    ------
    BadInputError
        If a folder is no even CT series, or the two are not on one grid or share no slice.
    """
    normal, low = _read(patient, full), _read(patient, quarter)
    offset = _offset(normal, low, patient)
    first = max(0, offset)
    last = min(len(normal.hu), offset + len(low.hu))
    if last <= first:
        raise BadInputError(f"{FULL} and {QUARTER} of {patient} share no slice position.")
    return DosePair(patient, normal.hu[first:last], low.hu[first - offset : last - offset])


def _read(patient: str, folder: Path) -> CtVolume:
    try:
        return read_volume(folder)
    except BadInputError as error:
        raise BadInputError(f"Patient {patient}, {folder}: {error}") from error


def _offset(normal: CtVolume, low: CtVolume, patient: str) -> int:
    """Slice of the full dose at which the first of the quarter dose lies."""
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
            f"{FULL} and {QUARTER} of {patient} are not on one grid: size, spacing, direction or "
            "position of their slices differ."
        )
    return int(nearest[axis])
