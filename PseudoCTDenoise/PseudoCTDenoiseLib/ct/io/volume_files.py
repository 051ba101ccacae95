"""CT volumes between files and arrays: any slice axis, geometry kept, never half a file."""

from __future__ import annotations

import gzip
import math
import os
import tempfile
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from ...errors import BadInputError
from ...temporary_files import in_temporary_folder
from ..hu_validation import check_ct, check_finite, checked_int16
from ..orientation import axial_axis, tilt_degrees
from .dicom_series import DicomSeries, list_series, read_series
from .itk_reading import check_header, damaged, itk_path, quiet_itk, read_header, read_voxels

__all__ = [
    "CtVolume",
    "DicomSeries",
    "check_output_path",
    "check_place",
    "check_same_grid",
    "list_series",
    "read_volume",
    "write_volume",
]

IMAGE_IO = {
    ".nii.gz": "NiftiImageIO",
    ".nii": "NiftiImageIO",
    ".nrrd": "NrrdImageIO",
    ".nhdr": "NrrdImageIO",
    ".mha": "MetaImageIO",
    ".mhd": "MetaImageIO",
    ".dcm": "GDCMImageIO",
    ".ima": "GDCMImageIO",
}
OUTPUT_SUFFIXES = (".nrrd", ".nii.gz", ".nii", ".mha")
NIFTI_FLOATS = {"16": 4, "64": 8}
"""Bytes of a voxel by NIfTI's code for its type."""
AXES = "ijk"


@dataclass(frozen=True)
class CtVolume:
    """A CT as axial slices, with the geometry of the file it came from.

    Attributes
    ----------
    hu : (slices, rows, columns) int16, the file's axial axis first whatever the file's order.
    spacing, origin, direction : as in the file, in SimpleITK's order (i, j, k; LPS; mm); two
        values (four for the direction) if the file is a two-dimensional image.
    slice_axis : the file's index axis that runs along ``hu``'s first: 0 = i, 1 = j, 2 = k.
    name : the file's name without suffix, or the folder's name.
    """

    hu: np.ndarray
    spacing: tuple[float, ...]
    origin: tuple[float, ...]
    direction: tuple[float, ...]
    slice_axis: int
    name: str

    @property
    def pixel_size(self) -> tuple[float, float]:
        """Distance in mm from row to row and from column to column."""
        columns, rows = (s for axis, s in enumerate(self.spacing) if axis != self.slice_axis)
        return rows, columns

    @property
    def pixel_mm(self) -> float:
        """Side in mm of a square as large as a pixel."""
        return math.sqrt(math.prod(self.pixel_size))

    @property
    def slice_spacing(self) -> float:
        """Distance in mm from slice to slice; 1.0 for a two-dimensional image, which has none."""
        return self.spacing[self.slice_axis] if len(self.spacing) == 3 else 1.0


def read_volume(
    path: str | Path, *, series: str | None = None, slice_axis: str = "auto"
) -> CtVolume:
    """Read a CT from NRRD, NIfTI, MetaImage, a DICOM folder or one DICOM slice.

    Parameters
    ----------
    series : number or UID, for a DICOM folder of several series.
    slice_axis : ``i``, ``j`` or ``k``, the file's axis from one axial slice to the next; ``auto``
        takes the one along the patient's superior-inferior axis.

    Raises
    ------
    BadInputError
        If there is no such file, it cannot be read in full, or it is not one CT in HU (see
        :func:`.files.ct_checks.check_ct`).
    """
    path = Path(path)
    if slice_axis not in ("auto", *AXES):
        raise BadInputError(f"Unknown slice axis '{slice_axis}': --slice-axis is i, j or k.")
    if not path.exists():
        raise BadInputError(f"There is no file {path}: check the path.")
    full_name = path.resolve().name
    if path.is_dir():
        image = read_series(path, series)
        name = full_name
    elif series is not None:
        raise BadInputError(f"{path.name} is a file: --series is for a DICOM folder.")
    else:
        image = _read_file(path)
        name = path.name[: -len(_suffix(path))]

    axis = _slice_axis(image, slice_axis, full_name)
    values = sitk.GetArrayFromImage(image)
    values = values[np.newaxis] if values.ndim == 2 else np.moveaxis(values, 2 - axis, 0)
    check_ct(values, full_name)
    return CtVolume(
        hu=np.ascontiguousarray(checked_int16(values, full_name)),
        spacing=image.GetSpacing(),
        origin=image.GetOrigin(),
        direction=image.GetDirection(),
        slice_axis=axis,
        name=name,
    )


def to_image(hu: np.ndarray, like: CtVolume) -> sitk.Image:
    """Voxels (slices, rows, columns) in the axis order and with the geometry of ``like``."""
    image = sitk.GetImageFromArray(np.ascontiguousarray(_in_file_order(hu, like)))
    image.SetSpacing(like.spacing)
    image.SetOrigin(like.origin)
    image.SetDirection(like.direction)
    return image


def _in_file_order(hu: np.ndarray, like: CtVolume) -> np.ndarray:
    """A view of (slices, rows, columns) with the axes of the file, the last of them first."""
    return hu[0] if len(like.spacing) == 2 else np.moveaxis(hu, 0, 2 - like.slice_axis)


def write_volume(path: str | Path, hu: np.ndarray, like: CtVolume, *, note: str = "") -> None:
    """Write HU as int16 with the geometry and the axis order of ``like``.

    The file appears complete or not at all, and an older one stays until then. NRRD and MetaImage
    hold geometry as doubles, to the last digit, but that NRRD holds oblique axes multiplied by
    their spacing, whose last digit may change. NIfTI holds float32: spacing and origin are rounded
    once and then stay, oblique directions move by at most 2e-7 at each write.

    Parameters
    ----------
    hu : (slices, rows, columns) as ``like.hu``, any real type.
    note : kept in the header (NIfTI: its first 80 characters).

    Raises
    ------
    BadInputError
        If the path is no possible output (see :func:`check_output_path`), a value does not fit
        int16, or the file cannot be written in full.
    """
    path = Path(path)
    if hu.shape != like.hu.shape:
        raise ValueError(f"hu has shape {hu.shape}, its geometry is for {like.hu.shape}")
    check_output_path(path, like)
    hu = checked_int16(hu, path.name)
    image = to_image(hu, like)
    if note:
        room = 79 if IMAGE_IO[_suffix(path)] == "NiftiImageIO" else None
        image.SetMetaData("ITK_FileNotes", note[:room])

    def write(folder: Path) -> None:
        nonlocal image
        part = str(folder / f"volume{_suffix(path)}")
        with quiet_itk():
            sitk.WriteImage(image, part, useCompression=True)
            del image  # as large as the scan
            # ITK's NIfTI writer reports success on a full disk; only reading finds the error.
            written = sitk.ReadImage(part)
        read, meant = sitk.GetArrayViewFromImage(written), _in_file_order(hu, like)
        if read.shape != meant.shape or not all(map(np.array_equal, read, meant)):
            raise RuntimeError("the voxels on the disk are not the ones written")
        os.replace(part, path)

    try:
        in_temporary_folder(path.parent, ".writing-", write)
    except (OSError, RuntimeError) as error:
        reason = getattr(error, "strerror", None) or "the disk may be full"
        raise BadInputError(
            f"{path} could not be written ({reason}): free some space or choose another folder."
        ) from error


def check_output_path(path: str | Path, like: CtVolume | None = None) -> None:
    """Refuse a path that :func:`write_volume` could not write, before anything is computed.

    Parameters
    ----------
    like : if given, its geometry must be one that the path's format can hold.

    Raises
    ------
    BadInputError
        If the suffix is unknown, the folder is missing, no UTF-8 or cannot be written to, the path
        is a folder, or NIfTI would have to hold the skewed axes of a tilted gantry.
    """
    path = Path(path)
    suffix = _suffix(path)
    if suffix not in OUTPUT_SUFFIXES:
        raise BadInputError(
            f"{path.name} has no suffix of a format that can be written: "
            f"use one of {', '.join(OUTPUT_SUFFIXES)}."
        )
    itk_path(path.parent)
    check_place(path)
    if like is not None and IMAGE_IO[suffix] == "NiftiImageIO":
        dimension = len(like.spacing)
        direction = np.array(like.direction).reshape(dimension, dimension)
        if np.abs(direction.T @ direction - np.eye(dimension)).max() > 1e-4:
            raise BadInputError(
                f"{path.name} cannot hold skewed axes (tilted gantry): write .nrrd or .mha instead."
            )


def check_place(path: Path) -> None:
    """Refuse a path at which no file of any kind could be put.

    Raises
    ------
    BadInputError
        If the folder is missing or cannot be written to, or something is there that is no file.
    """
    try:
        if path.is_dir():
            raise BadInputError(f"{path} is a folder: add a file name.")
        if path.exists() and not path.is_file():
            raise BadInputError(f"{path} is a device, not a file: choose another name.")
        if not path.parent.is_dir():
            raise BadInputError(f"There is no folder {path.parent}: create it first.")
        # Only trying tells: permission bits say nothing on network drives and on Windows.
        with tempfile.TemporaryFile(dir=path.parent):
            pass
    except OSError as error:
        raise BadInputError(
            f"{path} cannot be written to ({error.strerror}): choose another folder or name."
        ) from error


def make_folder(folder: Path) -> None:
    """Make a folder for results, with those above it.

    Raises
    ------
    BadInputError
        If it cannot be made.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise BadInputError(
            f"The folder {folder} cannot be made ({error.strerror}): choose another one."
        ) from error


def check_same_grid(one: CtVolume, other: CtVolume) -> None:
    """Refuse two volumes whose voxels do not lie at the same places.

    Raises
    ------
    BadInputError
        If they differ in size, slice axis, spacing or direction, or by a tenth of a voxel in
        origin.
    """
    same = (
        one.hu.shape == other.hu.shape
        and one.slice_axis == other.slice_axis
        and len(one.spacing) == len(other.spacing)
        and np.allclose(one.spacing, other.spacing, rtol=1e-3)
        and np.allclose(one.direction, other.direction, atol=1e-3)
        and np.all(np.abs(np.subtract(one.origin, other.origin)) < 0.1 * min(one.spacing))
    )
    if not same:
        sizes = ["×".join(map(str, volume.hu.shape)) for volume in (one, other)]
        unlike = " and ".join(sizes) if sizes[0] != sizes[1] else "spacing, direction or origin"
        raise BadInputError(
            f"{one.name} and {other.name} are not on the same grid ({unlike} differ): give two "
            "images of one scan, or resample one of them."
        )


def _suffix(path: Path) -> str:
    name = path.name.lower()
    return next((suffix for suffix in IMAGE_IO if name.endswith(suffix) and name != suffix), "")


def _read_file(path: Path) -> sitk.Image:
    suffix = _suffix(path)
    if not suffix:
        raise BadInputError(
            f"{path.name} is of no format that can be read: give {', '.join(IMAGE_IO)} "
            "or a folder of DICOM slices."
        )
    header = read_header(path, IMAGE_IO[suffix])
    check_header(header, path.name)
    if IMAGE_IO[suffix] == "NiftiImageIO":
        _check_nifti(path, header)
    return read_voxels(header, path.name)


def _check_nifti(path: Path, header: sitk.ImageFileReader) -> None:
    """See what ITK hides: it puts zeros for what a truncated NIfTI lacks, and for NaN.

    It ignores gzip's checksum, too.
    """
    bytes_left = int(header.GetMetaData("bitpix")) * math.prod(header.GetSize()) // 8
    size = NIFTI_FLOATS.get(header.GetMetaData("datatype"))
    with open(path, "rb") as file:
        zipped = file.read(2) == b"\x1f\x8b"
    try:
        with (gzip.open if zipped else open)(path, "rb") as file:
            start = file.read(int(float(header.GetMetaData("vox_offset"))))
            order = ">" if start[:2] == b"\x00\x00" else "<"  # of 348, the header's length
            while block := file.read(min(1 << 24, bytes_left)):
                bytes_left -= len(block)
                if size:
                    whole = block[: len(block) // size * size]
                    check_finite(np.frombuffer(whole, f"{order}f{size}"), path.name)
            while file.read(1 << 24):  # gzip looks at its checksum only at the end
                pass
    except (EOFError, OSError, zlib.error) as error:
        raise damaged(path.name) from error
    if bytes_left > 0:
        raise damaged(path.name)


def _slice_axis(image: sitk.Image, wanted: str, name: str) -> int:
    if image.GetDimension() == 2:
        return 2
    if wanted in AXES:
        return AXES.index(wanted)
    superior = image.GetDirection()[6:]
    axis = axial_axis(image.GetSize(), superior)
    if axis is None:
        raise BadInputError(
            f"{name} is oblique by {tilt_degrees(superior):.0f} degrees, so its axial slices "
            "cannot be told: say which axis they follow with --slice-axis i|j|k."
        )
    return axis
