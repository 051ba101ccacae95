"""DICOM folders: list of their stacks of slices, and reading of one stack with its geometry."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from ...errors import BadInputError, is_out_of_memory
from .dicom_attributes import frames_of
from .dicom_content import content_problem, content_warnings
from .dicom_files import (
    DicomFile,
    UnreadableFile,
    find_dicom_files,
    ignore_pydicom_warnings,
    read_dicom_header,
)
from .dicom_grouping import split_into_stacks
from .dicom_slices import Slice, slice_of
from .dicom_stack import DicomStack, sorted_along_normal, stack_step
from .dicom_voxels import read_hu
from .itk_reading import damaged

TILT_TOLERANCE = 1e-3
"""Minimum lateral offset between slices of a tilted gantry, as a fraction of their distance."""
INTEGERS = (
    *("Rows", "Columns", "SamplesPerPixel", "BitsAllocated", "BitsStored", "HighBit"),
    *("PixelRepresentation", "PixelPaddingValue", "PixelPaddingRangeLimit"),
)
"""Attributes with one whole number."""
LISTED_FILES = 3
"""Maximum number of unreadable files that a message names."""
LISTED_STACKS = 10
"""Maximum number of stacks that a message names."""
UIDS = {
    "study_uid": "StudyInstanceUID",
    "series_uid": "SeriesInstanceUID",
    "frame_of_reference_uid": "FrameOfReferenceUID",
}


@dataclass(frozen=True)
class DicomVolume:
    """A stack that was read.

    Attributes
    ----------
    image : HU as int16, with the geometry of the slices.
    warnings : sentences on what may spoil the result.
    uids : UIDs of study, series and frame of reference, without those that the files lack.
    slices : the files' slices in the order of the image.
    slice_offsets : distances of the slices from the first in mm, if they are not evenly spaced;
        else empty.
    """

    image: sitk.Image
    warnings: tuple[str, ...]
    uids: dict[str, str]
    slices: tuple[Slice, ...]
    slice_offsets: tuple[float, ...]


@ignore_pydicom_warnings()
def read_series(
    folder: str | Path, choice: str | None = None, *, allow_uneven: bool = False
) -> DicomVolume:
    """Read a stack of a folder as one image.

    The geometry is that of SimpleITK's reader, except for a tilted gantry: the slice axis then
    points along the table, as the slice positions do, and not along the slice normal.

    Parameters
    ----------
    choice : number or UID of a series, with ``.1``, ``.2`` … if it holds several stacks; required
        if several stacks are CT volumes.
    allow_uneven : read slices that are not evenly spaced, with their median distance as spacing.

    Raises
    ------
    BadInputError
        If the choice is ambiguous, a file that may belong to the stack cannot be read, a slice
        lacks its geometry or rescale, or the slices are not CT in HU or not evenly spaced.
    """
    folder = Path(folder).resolve()
    stacks, unreadable = _find_stacks(folder)
    known = {stack.series_uid for stack in stacks} - {""}
    if lost := [file for file in unreadable if file.series not in known]:
        raise BadInputError(f"{folder.name} holds {_named(lost, folder)}")
    stack = _choose(stacks, choice, folder.name)
    if lost := [file for file in unreadable if file.series == stack.series_uid]:
        raise BadInputError(f"Series {stack.id} of {folder.name} holds {_named(lost, folder)}")
    ignored = [other for other in stacks if other is not stack] if choice is None else []
    note = f"Other images in {folder.name} are left out: {_listing(ignored, LISTED_STACKS)}."
    name, notes = f"Series {stack.id} of {folder.name}", [note] if ignored else []
    return _read_stack(stack, name, notes, allow_uneven)


@ignore_pydicom_warnings()
def read_dicom_file(path: Path, *, allow_uneven: bool = False) -> DicomVolume:
    """Read one DICOM file, a slice or a multi-frame image.

    Parameters
    ----------
    allow_uneven : as for :func:`read_series`.

    Raises
    ------
    BadInputError
        As :func:`read_series`.
    """
    stacks = _stacks_of_series("", _slices_of_file(path))
    if len(stacks) > 1:
        raise BadInputError(
            f"{path.name} holds {len(stacks)} stacks of slices: put it into a folder of its own, "
            f"give that folder and choose a stack with --series: {_listing(stacks, LISTED_STACKS)}."
        )
    return _read_stack(stacks[0], path.name, [], allow_uneven)


@ignore_pydicom_warnings()
def read_slices(paths: Sequence[Path], name: str) -> tuple[tuple[Slice, ...], np.ndarray]:
    """Read the slices of files without a check of their distances.

    Parameters
    ----------
    paths : a classic file for each slice, or one multi-frame file.
    name : name of the files in messages.

    Returns
    -------
    slices : in the order of the files, or for a multi-frame file in the order of their positions.
    hu : (slices, rows, columns) int16.

    Raises
    ------
    BadInputError
        If a file cannot be read, or the slices are not complete CT slices of one size in HU.
    """
    slices: list[Slice] = []
    for path in paths:
        slices += _slices_of_file(path)
    for part in slices:
        problem = content_problem(part.frame)
        if problem or part.problem:
            raise BadInputError(f"{name} {problem or f'is incomplete: {part.problem}.'}")
    if len({part.size for part in slices}) > 1:
        raise BadInputError(f"{name} has slices of several sizes: load a single stack.")
    if len(paths) == 1:
        slices = sorted_along_normal(slices)
    return tuple(slices), read_hu(slices, name)[0]


def _slices_of_file(path: Path) -> list[Slice]:
    file = read_dicom_header(path)
    if file is None:
        raise BadInputError(f"{path.name} holds no image: give the CT slices.")
    slices = _slices(file) if isinstance(file, DicomFile) else file
    if isinstance(slices, UnreadableFile):
        raise BadInputError(f"{path.name} {slices.reason}: copy or export it again.")
    if isinstance(slices, bytes):
        raise damaged(path.name)
    return slices


def _find_stacks(folder: Path) -> tuple[list[DicomStack], list[UnreadableFile]]:
    if not folder.is_dir():
        raise BadInputError(f"The folder {folder} does not exist: check the path.")
    images, unreadable = find_dicom_files(folder)
    series: dict[tuple[str, str], list[Slice]] = {}
    for image in _without_copies(images):
        slices = _slices(image)
        if isinstance(slices, UnreadableFile):
            unreadable.append(slices)
            continue
        uid = _uid(slices[0])
        number = "" if uid else slices[0].frame.text("SeriesNumber")
        series.setdefault((uid, number), []).extend(slices)
    if not series:
        if unreadable:
            raise BadInputError(
                f"{folder} contains no DICOM files but {_named(unreadable, folder)}"
            )
        raise BadInputError(
            f"{folder} contains no DICOM files: give the folder that contains the slices."
        )
    numbers = Counter(slices[0].frame.text("SeriesNumber") for slices in series.values())
    stacks = []
    for (uid, _), slices in series.items():
        number = slices[0].frame.text("SeriesNumber")
        name = number if number and numbers[number] == 1 else uid or number or "unnumbered"
        stacks += _stacks_of_series(name, slices)
    return sorted(stacks, key=lambda stack: (stack.number.zfill(12), stack.series_uid)), unreadable


def _stacks_of_series(name: str, slices: Sequence[Slice]) -> list[DicomStack]:
    uid = _uid(slices[0])
    stacks = split_into_stacks(slices, has_uid=bool(uid))
    parts = [f".{number}" for number in range(1, len(stacks) + 1)] if len(stacks) > 1 else [""]
    return [
        DicomStack(name + part, part, uid, labels, tuple(stack))
        for part, (labels, stack) in zip(parts, stacks, strict=True)
    ]


def _slices(image: DicomFile) -> list[Slice] | UnreadableFile:
    uid = str(image.header.get("SeriesInstanceUID") or "")
    try:
        for keyword in INTEGERS:  # damage can make lists of them
            int(image.header.get(keyword) or 0)
        slices = [slice_of(frame) for frame in frames_of(image.path, image.header)]
        complete = all(min(part.size) > 0 for part in slices)
    except BadInputError as error:
        return UnreadableFile(image.path, str(error), uid)
    except Exception as error:  # pydicom raises many kinds of errors for damaged files
        if is_out_of_memory(error):
            raise
        return UnreadableFile(image.path, "is damaged or incomplete", uid)
    return slices if complete else UnreadableFile(image.path, "has no Rows or no Columns", uid)


def _without_copies(images: Sequence[DicomFile]) -> list[DicomFile]:
    """Return the images without those that equal another in every byte."""
    uids = [str(image.header.get("SOPInstanceUID") or "") for image in images]
    repeated = {uid for uid, count in Counter(uids).items() if uid and count > 1}
    kept: dict[object, DicomFile] = {}
    for image, uid in zip(images, uids, strict=True):
        content = sha256(image.path.read_bytes()).digest() if uid in repeated else image.path
        kept.setdefault(content, image)
    return list(kept.values())


def _uid(part: Slice) -> str:
    return part.frame.text("SeriesInstanceUID")


def _choose(stacks: list[DicomStack], choice: str | None, folder: str) -> DicomStack:
    series = {(stack.series_uid, stack.number) for stack in stacks}
    if choice is not None:
        choice = choice.strip()
        found = [stack for stack in stacks if choice == stack.id]
        found = found or [s for s in stacks if choice in (s.number, s.series_uid)]
        found = found or [s for s in stacks if choice == s.series_uid + s.part]
        problem = f"has several series {choice}" if found else f"has no series {choice}"
        if len({stack.series_uid for stack in found}) == 1 and len(found) > 1:
            volumes = [stack for stack in found if not stack.other_object]
            found = volumes if len(volumes) == 1 else found
            problem = f"holds {len(found)} stacks in series {choice}"
    else:
        found = _only_volume(stacks)
        problem = f"contains {len(series)} DICOM series"
        if len(stacks) > len(series):
            problem = f"contains {len(stacks)} stacks of slices in {len(series)} DICOM series"
    if len(found) == 1:
        return found[0]
    listing = _listing(stacks, LISTED_STACKS)
    form = "NUMBER|UID" if len(stacks) == len(series) else "NUMBER|UID|NUMBER.k"
    raise BadInputError(f"{folder} {problem}: choose one with --series {form}: {listing}.")


def _only_volume(stacks: list[DicomStack]) -> list[DicomStack]:
    """Return the stacks among which a choice is needed; one if the others only accompany it.

    Another part of the same series, or one without the UID of its series, is left out only if it is
    a scout or not a CT. Slices that differ in some other way may be a fault of the export.
    """
    if len(stacks) == 1:
        return stacks
    found = [stack for stack in stacks if stack.volume]
    if not found:
        found = [stack for stack in stacks if stack.usable]
    if len(found) != 1:
        return stacks
    siblings = [
        stack
        for stack in stacks
        if stack.series_uid in ("", found[0].series_uid) and stack is not found[0]
    ]
    return found if all(stack.other_object for stack in siblings) else stacks


def _read_stack(stack: DicomStack, name: str, notes: list[str], allow_uneven: bool) -> DicomVolume:
    if stack.problem:
        raise BadInputError(f"{name} {stack.problem}")
    step, offsets = stack_step(stack.slices, name, allow_uneven)
    hu, padding = read_hu(stack.slices, name)
    frames = [part.frame for part in stack.slices]
    found = dict.fromkeys(text for frame in frames for text in content_warnings(frame))
    if padding:
        share = f"{100 * padding / hu.size:.2g} %"
        notes = [*notes, f"Padding around the images ({share} of the pixels) was set to −1024 HU."]
    uids = {name: frames[0].text(keyword) for name, keyword in UIDS.items()}
    uids = {name: uid for name, uid in uids.items() if uid}
    return DicomVolume(
        _image(hu, stack.slices, step), (*found, *notes), uids, stack.slices, offsets
    )


def _image(hu: np.ndarray, slices: Sequence[Slice], step: np.ndarray | None) -> sitk.Image:
    image = sitk.GetImageFromArray(hu)
    first, direction = slices[0], slices[0].direction.copy()
    rows, columns = first.spacing
    length = _thickness(first) if step is None else float(np.linalg.norm(step))
    if step is not None and np.linalg.norm(step / length - direction[:, 2]) > TILT_TOLERANCE:
        direction[:, 2] = step / length
    image.SetOrigin(first.position.tolist())
    image.SetSpacing((float(columns), float(rows), length))
    image.SetDirection(direction.ravel().tolist())
    return image


def _thickness(part: Slice) -> float:
    """Return the distance in mm that a single slice states for its neighbours; 1 mm without one."""
    for keyword in ("SpacingBetweenSlices", "SliceThickness"):
        try:
            values = part.frame.numbers(keyword, 1)
        except BadInputError:
            continue
        if values and values[0] > 0:
            return values[0]
    return 1.0


def _named(files: Sequence[UnreadableFile], folder: Path) -> str:
    """Return the number of unreadable files, and the first of them with the reasons."""
    many = len(files) > 1
    named = _listing([f"{_relative(f.path, folder)} {f.reason}" for f in files], LISTED_FILES)
    return (
        f"{len(files)} file{'s' if many else ''} that cannot be read: {named}. "
        f"Copy or export {'them' if many else 'it'} again, or remove the files that are not slices."
    )


def _listing(items: Sequence[object], most: int) -> str:
    """Return the first items, and the number of the others."""
    more = f" and {len(items) - most} more" if len(items) > most else ""
    return "; ".join(map(str, items[:most])) + more


def _relative(path: Path, folder: Path) -> str:
    return path.relative_to(folder).as_posix() if path.is_relative_to(folder) else path.name
