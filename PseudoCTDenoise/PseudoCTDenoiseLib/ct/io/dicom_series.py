"""DICOM folders: listing of their series, and reading of one series with its geometry."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from ...errors import BadInputError
from .itk_reading import (
    MODALITY,
    check_header,
    itk_path,
    read_header,
    read_voxels,
    suppress_itk_output,
    tag,
)

GAP_TOLERANCE = 0.1
"""Maximum deviation of a slice gap from the median gap, as a fraction of the median."""
TILT_TOLERANCE = 1e-3
"""Minimum lateral offset between slices of a tilted gantry, as a fraction of their distance."""


@dataclass(frozen=True)
class DicomSeries:
    """One DICOM series; ``files`` are in the order of the slices along their normal."""

    uid: str
    number: str
    description: str
    modality: str
    scout: bool
    files: tuple[str, ...]

    @property
    def slices(self) -> int:
        """Number of files; it equals the number of slices unless the files are multi-frame."""
        return len(self.files)

    @property
    def usable(self) -> bool:
        """True for CT slices; False for scouts, reports and other modalities."""
        return self.modality == "CT" and not self.scout


def list_series(folder: str | Path) -> list[DicomSeries]:
    """Return the series of a folder (not of its subfolders), sorted by series number.

    Raises
    ------
    BadInputError
        If the folder is missing or does not hold a DICOM file.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise BadInputError(f"The folder {folder} does not exist: check the path.")
    name = itk_path(folder)
    with suppress_itk_output():
        files_of = {
            uid: sitk.ImageSeriesReader.GetGDCMSeriesFileNames(name, uid)
            for uid in sitk.ImageSeriesReader.GetGDCMSeriesIDs(name)
        }
    if not files_of:
        raise BadInputError(
            f"{folder} contains no DICOM files: give the folder that contains the slices."
        )
    series = [_describe(uid, files) for uid, files in files_of.items()]
    return sorted(series, key=lambda entry: (entry.number.zfill(12), entry.uid))


def read_series(folder: str | Path, choice: str | None = None) -> sitk.Image:
    """Read a series of a folder as one image.

    The geometry is that of SimpleITK's reader, except for a tilted gantry: the slice axis then
    points along the table, as the slice positions do, and not along the slice normal.

    Parameters
    ----------
    choice : series number or UID; required if several series hold CT slices.

    Raises
    ------
    BadInputError
        If the choice is ambiguous, the series is not a CT, or its slices are not evenly spaced.
    """
    folder = Path(folder).resolve()
    series = _choose(list_series(folder), choice, folder.name)
    name = f"Series {series.number or series.uid} of {folder.name}"
    if series.scout:
        raise BadInputError(f"{name} is a scout (localizer) image: choose the CT slices.")
    headers = [read_header(path, "GDCMImageIO") for path in series.files]
    for header in headers:
        check_header(header, name)
    if len(headers) == 1:
        return read_voxels(headers[0], name)

    step = _slice_step(headers, name)
    reader = sitk.ImageSeriesReader()
    reader.SetFileNames(series.files)
    return _with_tilt(read_voxels(reader, name), step)


def _describe(uid: str, files: tuple[str, ...]) -> DicomSeries:
    try:
        header = read_header(files[0], "GDCMImageIO")
    except BadInputError:  # reports and presentation states hold no image
        return DicomSeries(uid, "", "not an image", "", False, tuple(files))
    return DicomSeries(
        uid=uid,
        number=tag(header, "0020|0011"),
        description=tag(header, "0008|103e"),
        modality=tag(header, MODALITY),
        scout="LOCALIZER" in tag(header, "0008|0008").upper().split("\\"),
        files=tuple(files),
    )


def _choose(series: list[DicomSeries], choice: str | None, folder: str) -> DicomSeries:
    if choice is not None:
        found = [entry for entry in series if choice.strip() in (entry.number, entry.uid)]
        problem = f"has no series {choice}" if not found else f"has several series {choice}"
    else:
        found = series if len(series) == 1 else [entry for entry in series if entry.usable]
        problem = f"contains {len(series)} DICOM series"
    if len(found) == 1:
        return found[0]
    listing = "; ".join(
        f"{entry.number or '-'}: '{entry.description}', {entry.modality or 'no modality'}, "
        f"{entry.slices} slices, UID {entry.uid or 'none'}"
        for entry in series
    )
    raise BadInputError(f"{folder} {problem}: choose one with --series NUMBER|UID: {listing}.")


def _slice_step(headers: list[sitk.ImageFileReader], name: str) -> np.ndarray:
    """Return the mean step (3,) in mm between slice origins; reject unevenly spaced slices."""
    planes = {(header.GetSize(), header.GetSpacing()[:2]) for header in headers}
    directions = np.array([header.GetDirection() for header in headers])
    if len(planes) > 1 or np.ptp(directions, axis=0).max() > 1e-3:
        raise BadInputError(
            f"{name} mixes slices of different size or direction: export a single stack."
        )
    positions = np.array([header.GetOrigin() for header in headers])
    gaps = np.diff(positions @ directions[0].reshape(3, 3)[:, 2])
    usual = np.median(gaps)
    if np.abs(gaps).min() < 1e-3:
        raise BadInputError(
            f"{name} has several images at one position (phases or repeats): export one of them."
        )
    if np.abs(gaps - usual).max() > GAP_TOLERANCE * abs(usual):
        raise BadInputError(
            f"{name} lacks slices or is unevenly spaced (gaps from {np.abs(gaps).min():.4g} to "
            f"{np.abs(gaps).max():.4g} mm): add the missing files or export evenly spaced slices."
        )
    return (positions[-1] - positions[0]) / (len(positions) - 1)


def _with_tilt(image: sitk.Image, step: np.ndarray) -> sitk.Image:
    direction = np.array(image.GetDirection()).reshape(3, 3)
    length = float(np.linalg.norm(step))
    if np.linalg.norm(step / length - direction[:, 2]) > TILT_TOLERANCE:
        direction[:, 2] = step / length
        image.SetDirection(direction.ravel().tolist())
        image.SetSpacing((*image.GetSpacing()[:2], length))
    return image
