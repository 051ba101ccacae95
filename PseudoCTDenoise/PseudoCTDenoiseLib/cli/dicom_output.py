"""DICOM folders as the output of a command: their checks, and the series in them."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ..ct.io.derived_kinds import NOISE_ENSEMBLE, PSEUDO_LDCT, DerivedKind, noise_of_model
from ..ct.io.dicom_derivation import DerivedSeries
from ..ct.io.dicom_files import folder_of_dicomdir
from ..ct.io.dicom_writer import file_names, write_series
from ..ct.io.volume_files import OUTPUT_SUFFIXES, CtVolume, in_file_order
from ..errors import BadInputError
from .output_guard import same_name
from .staged_files import StagedFiles, holds_files


def is_dicom_output(path: Path) -> bool:
    """Return True for an existing folder and for a name without a suffix."""
    return os.path.isdir(path) or not (path.suffix or path.name.lower().endswith(OUTPUT_SUFFIXES))


def check_dicom_folder(folder: Path, *others: Path) -> None:
    """Reject a folder that would mix a new series with other files.

    Parameters
    ----------
    others : the scan, a folder or a file, and folders for other series.

    Raises
    ------
    BadInputError
        If the folder is a file, holds files that are not hidden, or lies in another of the
        folders.
    """
    if holds_files(folder):
        raise BadInputError(
            f"{folder} holds files: give a new or an empty folder for the DICOM series."
        )
    for other in map(folder_of_dicomdir, others):
        if not os.path.isfile(other) and _lies_in(folder, other):
            raise BadInputError(
                f"{folder} lies in {other}, which would then hold several series: choose a folder "
                "outside it."
            )
    if os.path.isfile(folder):
        raise BadInputError(f"{folder} is a file: choose a folder for the DICOM series.")


def _lies_in(folder: Path, other: Path) -> bool:
    """Return True if a folder is another or lies in it; neither needs to exist."""
    if not other.exists():
        return Path(same_name(folder)).is_relative_to(same_name(other))
    folder = folder.resolve()
    return any(p.exists() and p.samefile(other) for p in (folder, *folder.parents))


def noise_kinds(noise_models: Sequence[str]) -> list[DerivedKind]:
    """Return the kinds of the ensemble, the pseudo-LDCT and the map of each noise model."""
    maps = [noise_of_model(name, number) for number, name in enumerate(noise_models)]
    return [NOISE_ENSEMBLE, PSEUDO_LDCT, *maps]


def write_dicom(
    staged: StagedFiles, folder: Path, hu: np.ndarray, scan: CtVolume, series: DerivedSeries
) -> None:
    """Write a series that is derived from a DICOM scan to a new or empty folder.

    Parameters
    ----------
    hu : (slices, rows, columns) int16, as ``scan.hu``.
    """
    staged.folder(folder, is_empty=True)
    hu, source_hu = (in_file_order(image, scan) for image in (hu, scan.hu))
    paths = [staged.path(folder / name) for name in file_names(len(hu))]
    write_series(paths, hu, scan.dicom_slices, source_hu, series)
