"""DICOM folders: which series one holds, and one of them as an image with true geometry."""

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
    quiet_itk,
    read_header,
    read_voxels,
    tag,
)

GAP_TOLERANCE = 0.1
"""Slices may be this share of their distance away from an even spacing."""
TILT_TOLERANCE = 1e-3
"""Slices that step aside by more than this share of their distance were taken with a tilt."""


@dataclass(frozen=True)
class DicomSeries:
    """One series of a folder; ``files`` in the order of the slices along their normal."""

    uid: str
    number: str
    description: str
    modality: str
    scout: bool
    files: tuple[str, ...]

    @property
    def slices(self) -> int:
        """Number of files, which is the number of slices unless they are multi-frame."""
        return len(self.files)

    @property
    def usable(self) -> bool:
        """True for CT slices, false for scouts, reports and other modalities."""
        return self.modality == "CT" and not self.scout


def list_series(folder: str | Path) -> list[DicomSeries]:
    """The series of a folder (not of its subfolders), by series number.

    Raises
    ------
    BadInputError
        If the folder is missing or holds no DICOM file.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise BadInputError(f"There is no folder {folder}: check the path.")
    name = itk_path(folder)
    with quiet_itk():
        files_of = {
            uid: sitk.ImageSeriesReader.GetGDCMSeriesFileNames(name, uid)
            for uid in sitk.ImageSeriesReader.GetGDCMSeriesIDs(name)
        }
    if not files_of:
        raise BadInputError(
            f"{folder} holds no DICOM files: give the folder in which the slices themselves lie."
        )
    series = [_describe(uid, files) for uid, files in files_of.items()]
    return sorted(series, key=lambda one: (one.number.zfill(12), one.uid))


def read_series(folder: str | Path, choice: str | None = None) -> sitk.Image:
    """A series of a folder as one image.

    Geometry is that of SimpleITK's reader, except that the slice axis of a tilted gantry points
    along the table, where the slices really are, instead of along their normal.

    Parameters
    ----------
    choice : series number or UID; needed if more than one series holds CT slices.

    Raises
    ------
    BadInputError
        If the series is not told, is no CT, or its slices do not form one even stack.
    """
    folder = Path(folder).resolve()
    series = _choose(list_series(folder), choice, folder.name)
    name = f"Series {series.number or series.uid} of {folder.name}"
    if series.scout:
        raise BadInputError(f"{name} is a scout (localizer) image: give the CT slices.")
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
    except BadInputError:  # reports and presentation states have no pixels
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
        found = [one for one in series if choice.strip() in (one.number, one.uid)]
        problem = f"has no series {choice}" if not found else f"has several series {choice}"
    else:
        found = series if len(series) == 1 else [one for one in series if one.usable]
        problem = f"holds {len(series)} DICOM series"
    if len(found) == 1:
        return found[0]
    listing = "; ".join(
        f"{one.number or '-'}: '{one.description}', {one.modality or 'no modality'}, "
        f"{one.slices} slices, UID {one.uid or 'none'}"
        for one in series
    )
    raise BadInputError(f"{folder} {problem}: choose with --series NUMBER|UID among {listing}.")


def _slice_step(headers: list[sitk.ImageFileReader], name: str) -> np.ndarray:
    """Mean step (3,) in mm from one slice's origin to the next; refuses an uneven stack."""
    planes = {(header.GetSize(), header.GetSpacing()[:2]) for header in headers}
    directions = np.array([header.GetDirection() for header in headers])
    if len(planes) > 1 or np.ptp(directions, axis=0).max() > 1e-3:
        raise BadInputError(
            f"{name} mixes slices of different size or direction: export one stack only."
        )
    positions = np.array([header.GetOrigin() for header in headers])
    gaps = np.diff(positions @ directions[0].reshape(3, 3)[:, 2])
    usual = np.median(gaps)
    if np.abs(gaps).min() < 1e-3:
        raise BadInputError(
            f"{name} has several images at one position (phases or repeats?): export one only."
        )
    if np.abs(gaps - usual).max() > GAP_TOLERANCE * abs(usual):
        raise BadInputError(
            f"{name} lacks slices or is unevenly spaced (gaps from {np.abs(gaps).min():.4g} to "
            f"{np.abs(gaps).max():.4g} mm): add the missing files or export an even stack."
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
