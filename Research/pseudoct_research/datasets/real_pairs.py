"""Full-dose and quarter-dose slices from a checkout of github.com/prabhatkc/ct-recon.

They are slices of patients L143, L192 and L286 of the 2016 AAPM Low-Dose CT Grand Challenge:
Siemens, 3 mm, with the soft kernel B30f and the sharp kernel D45f. The challenge made the quarter
dose by inserting noise into the measured projections of the full-dose scan. The kernels of the
simulator were fitted to the noise of these patients. The slices of a group are not neighbours.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import SimpleITK as sitk
from PseudoCTDenoiseLib.errors import BadInputError

ADDRESS = "https://github.com/prabhatkc/ct-recon"
PATIENTS = ("L143", "L192", "L286")
_SLICES = {
    "soft": "mpi4py_patches/raw_data_mixed/sm{patient}/{dose}_3mm/*_3_1.CT.*.IMA",
    "sharp": "mpi4py_patches/raw_data/{patient}/{dose}_3mm_sharp_sorted/*.IMA",
}
"""Kernel → pattern of the files of a patient and dose."""
_SLICE_NUMBER = {"soft": re.compile(r"\.CT\.\d+\.(\d+)\."), "sharp": re.compile(r"^(\d+)\.IMA$")}


@dataclass(frozen=True)
class RealPairs:
    """Slices of a patient and kernel at both doses, (slices, rows, columns) int16 HU."""

    patient: str
    kernel: str
    ldct: np.ndarray
    ndct: np.ndarray
    pixel_mm: float


def read_real_pairs(checkout: Path | str) -> list[RealPairs]:
    """Read all groups of a checkout.

    Raises
    ------
    BadInputError
        If the checkout has no slice of both doses, or a slice cannot be read.
    """
    groups = list(_groups(Path(checkout)))
    if not groups:
        raise BadInputError(
            f"{checkout} contains no slices of {', '.join(PATIENTS)} at both doses. Give the "
            f"folder of a checkout of {ADDRESS}."
        )
    return groups


def _groups(checkout: Path) -> Iterator[RealPairs]:
    for kernel in _SLICES:
        for patient in PATIENTS:
            full, quarter = (_files(checkout, kernel, patient, d) for d in ("full", "quarter"))
            numbers = sorted(full.keys() & quarter.keys())
            if not numbers:
                continue
            ndct, ldct = ([_read(doses[n]) for n in numbers] for doses in (full, quarter))
            yield RealPairs(
                patient,
                kernel,
                np.stack([hu for hu, _ in ldct]),
                np.stack([hu for hu, _ in ndct]),
                ldct[0][1],
            )


def _files(checkout: Path, kernel: str, patient: str, dose: str) -> dict[int, Path]:
    """Return the files of a group by slice number."""
    pattern = _SLICES[kernel].format(patient=patient, dose=dose)
    return {
        int(_SLICE_NUMBER[kernel].search(file.name)[1]): file for file in checkout.glob(pattern)
    }


def _read(file: Path) -> tuple[np.ndarray, float]:
    """Return a slice, (rows, columns) int16 HU, and the side of its pixels in mm."""
    try:
        image = sitk.ReadImage(str(file), imageIO="GDCMImageIO")
    except RuntimeError as error:
        raise BadInputError(f"Cannot read {file}. Check out the repository again.") from error
    hu = sitk.GetArrayViewFromImage(image)[0]
    return np.rint(hu).clip(-1024, 3071).astype(np.int16), float(image.GetSpacing()[0])
