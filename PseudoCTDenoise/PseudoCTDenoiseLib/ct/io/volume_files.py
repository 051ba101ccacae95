"""Reading and writing of CT volumes with any slice axis; geometry is preserved."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from ...errors import BadInputError
from ...input_file import check_regular
from ...output_paths import check_writable, link_target
from ...temporary_files import in_temporary_folder
from ..hu_validation import check_ct, checked_int16
from ..orientation import as_viewed, axial_axis, tilt_degrees
from ..pixel_spacing import are_square, spacing_in_decimals
from .derived_note import ALREADY_DENOISED, IS_PSEUDO_LDCT, NOISE, NOTE_START, PSEUDO_LDCT
from .dicom_files import DICOM_SUFFIXES, folder_of_dicomdir, is_dicom_file
from .dicom_series import read_dicom_file, read_series
from .dicom_slices import Slice
from .itk_reading import (
    check_header,
    itk_path,
    read_header,
    read_voxels,
    skewed_axes_allowed,
    suppress_itk_output,
    tag,
)
from .metaimage_header import check_metaimage
from .nifti_checks import check_nifti
from .nifti_header import read_nifti_header
from .nifti_namesakes import apart_from_namesake, check_no_namesake
from .nifti_position import read_position, set_position
from .nrrd_header import check_nrrd

IMAGE_IO = {
    ".nii.gz": "NiftiImageIO",
    ".nii": "NiftiImageIO",
    ".nrrd": "NrrdImageIO",
    ".nhdr": "NrrdImageIO",
    ".mha": "MetaImageIO",
    ".mhd": "MetaImageIO",
}
VOLUME_SUFFIXES = tuple(IMAGE_IO)
"""Ends of the names of volume files."""
OUTPUT_SUFFIXES = (".nrrd", ".nii.gz", ".nii", ".mha")
AXES = "ijk"
_READ_SUFFIXES = (*VOLUME_SUFFIXES, *DICOM_SUFFIXES)


@dataclass(frozen=True)
class CtVolume:
    """A CT as axial slices, with the geometry of its file.

    Attributes
    ----------
    hu : (slices, rows, columns) int16; the slice axis comes first, whatever the order in the file.
    spacing, origin, direction : as in the file, in SimpleITK's order (i, j, k; LPS; mm); two
        values (four for the direction) if the file is a two-dimensional image.
    slice_axis : index axis of the file that is the first axis of ``hu``: 0 = i, 1 = j, 2 = k.
    name : name of the file without suffix, or name of the folder.
    warnings : sentences on what may spoil the result.
    uids : DICOM UIDs of study, series and frame of reference, by name, as far as the files have
        them.
    dicom_slices : slices of the DICOM files in file order, see :func:`in_file_order`; empty for
        other formats.
    slice_offsets : distances of the slices from the first in mm, if they are not evenly spaced and
        ``spacing`` states their median distance; else empty.
    values : as ``hu``, but unrounded and in the type of the file; None unless requested.
    """

    hu: np.ndarray
    spacing: tuple[float, ...]
    origin: tuple[float, ...]
    direction: tuple[float, ...]
    slice_axis: int
    name: str
    warnings: tuple[str, ...] = ()
    uids: dict[str, str] = field(default_factory=dict)
    dicom_slices: tuple[Slice, ...] = ()
    slice_offsets: tuple[float, ...] = ()
    values: np.ndarray | None = None

    @property
    def slice_labels(self) -> tuple[str, ...]:
        """What DICOM viewers call each slice; empty for other formats and for resliced scans."""
        slices = self.dicom_slices if self.slice_axis == 2 else ()
        return tuple(part.label for part in slices)

    @property
    def pixel_size(self) -> tuple[float, float]:
        """Distances in mm between rows and between columns, the same from every format."""
        columns, rows = (s for axis, s in enumerate(self.spacing) if axis != self.slice_axis)
        return spacing_in_decimals(rows), spacing_in_decimals(columns)

    @property
    def has_square_pixels(self) -> bool:
        return are_square(self.pixel_size)

    @property
    def pixel_mm(self) -> float:
        """Side in mm of a square with the area of a pixel."""
        return math.sqrt(math.prod(self.pixel_size))


def read_volume(
    path: str | Path,
    *,
    series: str | None = None,
    slice_axis: str = "auto",
    allow_uneven: bool = False,
    keep_values: bool = False,
) -> CtVolume:
    """Read a CT from NRRD, NIfTI, MetaImage, a DICOM folder or one DICOM file.

    Parameters
    ----------
    path : a DICOMDIR stands for its folder.
    series : number or UID of the series in a DICOM folder with several; see :func:`.read_series`.
    slice_axis : ``i``, ``j`` or ``k``, the array axis along which axial slices are stacked;
        ``auto`` takes the one along the patient's superior-inferior axis.
    allow_uneven : read DICOM slices that are not evenly spaced, see :attr:`CtVolume.slice_offsets`.
    keep_values : also return the values in the type of the file.

    Raises
    ------
    BadInputError
        If the file is missing, cannot be read completely, or is not one CT in HU (see
        :func:`.check_ct`).
    """
    path = Path(path)
    if slice_axis not in ("auto", *AXES):
        raise BadInputError(f"Unknown slice axis '{slice_axis}': set --slice-axis to i, j or k.")
    check_regular(path)
    path = folder_of_dicomdir(path)
    full_name = path.resolve().name
    dicom, name = None, full_name
    if path.is_dir():
        dicom = read_series(path, series, allow_uneven=allow_uneven)
    elif series is not None:
        raise BadInputError(f"{path.name} is a file: omit --series, which is for DICOM folders.")
    else:
        name, _ = split_suffix(path.name, _READ_SUFFIXES)
        if _is_dicom(path):
            dicom = read_dicom_file(path, allow_uneven=allow_uneven)
    if dicom:
        image, warnings, uids = dicom.image, dicom.warnings, dicom.uids
    else:
        image, warnings, uids = *_read_file(path), {}
    offsets = dicom.slice_offsets if dicom else ()

    axis = _slice_axis(image, slice_axis, full_name)
    if offsets and axis != 2:
        raise BadInputError(
            f"{full_name} has unevenly spaced slices that are not axial: set --slice-axis k to "
            "process the slices as they are stored."
        )
    _check_pixels_are_rectangles(image, axis, full_name)
    values = sitk.GetArrayFromImage(image)
    values = values[np.newaxis] if values.ndim == 2 else np.moveaxis(values, 2 - axis, 0)
    check_ct(values, full_name, known_ct=dicom is not None)
    return CtVolume(
        hu=np.ascontiguousarray(checked_int16(values, full_name)),
        spacing=image.GetSpacing(),
        origin=image.GetOrigin(),
        direction=image.GetDirection(),
        slice_axis=axis,
        name=name,
        warnings=warnings,
        uids=uids,
        dicom_slices=dicom.slices if dicom else (),
        slice_offsets=offsets,
        values=np.ascontiguousarray(values) if keep_values else None,
    )


def to_image(hu: np.ndarray, like: CtVolume) -> sitk.Image:
    """Return (slices, rows, columns) as an image with the axis order and geometry of ``like``."""
    image = sitk.GetImageFromArray(np.ascontiguousarray(in_file_order(hu, like)))
    image.SetSpacing(like.spacing)
    image.SetOrigin(like.origin)
    image.SetDirection(like.direction)
    return image


def in_file_order(hu: np.ndarray, like: CtVolume) -> np.ndarray:
    """Return a view of (slices, rows, columns) in the axis order (k, j, i) of the file."""
    return hu[0] if len(like.spacing) == 2 else np.moveaxis(hu, 0, 2 - like.slice_axis)


def in_viewer_order(hu: np.ndarray, like: CtVolume) -> np.ndarray:
    """Return a view of (slices, rows, columns) as viewers show it, see :func:`as_viewed`.

    A two-dimensional image does not state how the patient lies and stays as it is.
    """
    if len(like.spacing) == 2:
        return hu
    axes = np.reshape(like.direction, (3, 3)).T
    across, down = (axes[axis] for axis in range(3) if axis != like.slice_axis)
    return as_viewed(hu, across, down)


def write_volume(path: str | Path, hu: np.ndarray, like: CtVolume, *, note: str = "") -> None:
    """Write HU as int16 with the geometry and the axis order of ``like``.

    The file is written completely or not at all; an older file stays until the new one is
    complete. A link is followed. NRRD and MetaImage store geometry in double precision. NRRD stores
    oblique axes multiplied by their spacing, which may change the last digit. NIfTI stores float32:
    the first write rounds spacing and origin; each write changes oblique directions by at most
    2e-7.

    Parameters
    ----------
    hu : (slices, rows, columns) as ``like.hu``, any real type; ``like.values`` is written as it is.
    note : text for the header (NIfTI keeps the first 79 characters).

    Raises
    ------
    BadInputError
        If :func:`check_output_path` rejects the path, a value does not fit int16, or the file
        cannot be written completely.
    ValueError
        If the shape differs from that of ``like``.
    """
    path = Path(path)
    if hu.shape != like.hu.shape:
        raise ValueError(f"hu has shape {hu.shape}, its geometry is for {like.hu.shape}")
    check_output_path(path, like)
    if hu is not like.values:
        hu = checked_int16(hu, path.name)
    image = to_image(hu, like)
    if note:
        room = 79 if IMAGE_IO[_suffix(path)] == "NiftiImageIO" else None
        image.SetMetaData("ITK_FileNotes", note[:room])

    def write(folder: Path) -> None:
        nonlocal image
        temporary = str(folder / f"volume{_suffix(path)}")
        with suppress_itk_output():
            sitk.WriteImage(image, temporary, useCompression=True)
            del image  # as large as the scan
            # ITK's NIfTI writer reports success on a full disk, so the file is read back.
            written = sitk.ReadImage(temporary)
        read, expected = sitk.GetArrayViewFromImage(written), in_file_order(hu, like)
        if read.shape != expected.shape or not all(map(np.array_equal, read, expected)):
            raise RuntimeError("the voxels in the file differ from those written")
        os.replace(temporary, target)

    target = link_target(path)
    try:
        in_temporary_folder(target.parent, write)
    except (OSError, RuntimeError) as error:
        reason = getattr(error, "strerror", None) or "the disk may be full"
        raise BadInputError(
            f"{path} could not be written ({reason}): free some space or choose another folder."
        ) from error


def check_output_path(path: str | Path, like: CtVolume | None = None) -> None:
    """Reject a path that :func:`write_volume` cannot write, before the computation starts.

    Parameters
    ----------
    like : volume whose geometry the format must be able to store, or None.

    Raises
    ------
    BadInputError
        If the suffix is unknown, the folder is missing, is not UTF-8 or cannot be written to, the
        path is a folder or a link to a file with another suffix, or the format is NIfTI and the
        axes are skewed by a tilted gantry or the same name with or without .gz exists.
    """
    path = Path(path)
    suffix = _suffix(path)
    if suffix not in OUTPUT_SUFFIXES:
        raise BadInputError(
            f"{path.name} does not have the suffix of a format that can be written: "
            f"use one of {', '.join(OUTPUT_SUFFIXES)}."
        )
    target = link_target(path)
    for folder in (path.parent, target.parent):
        itk_path(folder)
    check_writable(path)
    if _suffix(target) not in ("", suffix):
        raise BadInputError(
            f"{path} is a link to {target.name}, which has another suffix: choose another name."
        )
    if IMAGE_IO[suffix] == "NiftiImageIO":
        for name in dict.fromkeys((path, target)):
            check_no_namesake(name)
        if like is not None and _has_skewed_axes(like):
            raise BadInputError(
                f"{path.name} cannot store skewed axes (tilted gantry): write .nrrd or .mha."
            )


def _has_skewed_axes(volume: CtVolume) -> bool:
    dimension = len(volume.spacing)
    direction = np.array(volume.direction).reshape(dimension, dimension)
    return bool(np.abs(direction.T @ direction - np.eye(dimension)).max() > 1e-4)


def check_same_grid(volume: CtVolume, other: CtVolume) -> None:
    """Reject two volumes whose voxels do not have the same positions.

    Raises
    ------
    BadInputError
        If size, slice axis, spacing or direction differ, or the origins differ by a tenth of a
        voxel or more.
    """
    same = (
        volume.hu.shape == other.hu.shape
        and volume.slice_axis == other.slice_axis
        and len(volume.spacing) == len(other.spacing)
        and np.allclose(volume.spacing, other.spacing, rtol=1e-3)
        and np.allclose(volume.direction, other.direction, atol=1e-3)
        and np.all(np.abs(np.subtract(volume.origin, other.origin)) < 0.1 * min(volume.spacing))
        and len(volume.slice_offsets) == len(other.slice_offsets)
        and np.allclose(volume.slice_offsets, other.slice_offsets, atol=0.1 * min(volume.spacing))
    )
    if not same:
        sizes = ["×".join(map(str, item.hu.shape)) for item in (volume, other)]
        difference = " and ".join(sizes) if sizes[0] != sizes[1] else "spacing, direction or origin"
        raise BadInputError(
            f"{volume.name} and {other.name} are not on the same grid ({difference} differ): "
            "give two images of one scan, or resample one of them."
        )


def split_suffix(name: str, suffixes: Sequence[str] = VOLUME_SUFFIXES) -> tuple[str, str]:
    """Split the name of a volume file into its stem and its suffix, which is empty without one."""
    for suffix in suffixes:
        stem = name[: -len(suffix)]
        if stem and name.lower().endswith(suffix):
            return stem, name[len(stem) :]
    return name, ""


def _suffix(path: Path) -> str:
    """Return the suffix of a file that can be read, in lower case; empty without one."""
    return split_suffix(path.name, _READ_SUFFIXES)[1].lower()


def _is_dicom(path: Path) -> bool:
    """Return True for a DICOM suffix, and for DICOM content without a known suffix."""
    suffix = _suffix(path)
    return suffix in DICOM_SUFFIXES or (not suffix and is_dicom_file(path))


def _read_file(path: Path) -> tuple[sitk.Image, tuple[str, ...]]:
    """Return the image of a file and the warnings about it."""
    suffix = _suffix(path)
    if not suffix:
        raise BadInputError(
            f"{path.name} does not have the suffix of a format that can be read: give "
            f"{', '.join(_READ_SUFFIXES)} or a folder of DICOM slices."
        )
    position, warnings = None, ()
    if IMAGE_IO[suffix] == "NiftiImageIO":
        fields = read_nifti_header(path)
        position, warning = read_position(fields)
        warnings = (*check_nifti(fields), *filter(None, [warning]))
    elif IMAGE_IO[suffix] == "NrrdImageIO":
        warnings = check_nrrd(path)
    else:
        warnings = check_metaimage(path)
    with (
        nullcontext() if position is None else skewed_axes_allowed(),
        apart_from_namesake(path) as place,
    ):
        header = read_header(place, IMAGE_IO[suffix])
        check_header(header, path.name)
        note_warnings = _note_warnings(tag(header, "ITK_FileNotes"), path.name)
        image = read_voxels(header, path.name)
    if position is not None:
        set_position(image, position)
    return image, (*warnings, *note_warnings)


def _note_warnings(note: str, name: str) -> tuple[str, ...]:
    """Return the warnings about a file that this project made, from its note.

    Raises
    ------
    BadInputError
        If it is a noise map.
    """
    if note.startswith(NOISE):
        raise BadInputError(f"{name} is a noise map and not a CT in HU: give the original scan.")
    if note.startswith(PSEUDO_LDCT):
        return (IS_PSEUDO_LDCT,)
    return (ALREADY_DENOISED,) if note.startswith(NOTE_START) else ()


def _check_pixels_are_rectangles(image: sitk.Image, slice_axis: int, name: str) -> None:
    """Reject skewed axes, except for the shear of a tilted gantry from slice to slice."""
    dimension = image.GetDimension()
    axes = np.reshape(image.GetDirection(), (dimension, dimension)).T
    first, second = (axis for index, axis in enumerate(axes) if index != slice_axis)
    if abs(first @ second) > 1e-3:
        raise BadInputError(
            f"{name} has skewed axes within its slices: resample it to square axes, or set the "
            "slice axis with --slice-axis i|j|k."
        )


def _slice_axis(image: sitk.Image, choice: str, name: str) -> int:
    if image.GetDimension() == 2:
        return 2
    if choice in AXES:
        return AXES.index(choice)
    superior = image.GetDirection()[6:]
    axis = axial_axis(image.GetSize(), superior)
    if axis is None:
        raise BadInputError(
            f"{name} is oblique by {tilt_degrees(superior):.0f} degrees, so its slice axis is "
            "ambiguous: set it with --slice-axis i|j|k."
        )
    return axis
