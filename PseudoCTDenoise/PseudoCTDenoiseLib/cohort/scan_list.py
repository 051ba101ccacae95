"""The scans in files and folders: volume files, and folders with DICOM files."""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from ..ct.io.dicom_files import (
    DicomFile,
    UnreadableFile,
    folder_of_dicomdir,
    is_dicomdir,
    is_hidden,
    read_dicom_header,
)
from ..ct.io.files_read import files_read
from ..ct.io.volume_files import VOLUME_SUFFIXES, split_suffix
from ..errors import BadInputError

_LONGEST_NAME = 160
"""Bytes of a name, of which file systems allow 255; a number and a suffix may follow."""


@dataclass(frozen=True)
class Scan:
    """A scan of a cohort.

    Attributes
    ----------
    name : safe file name that describes the scan; two scans may have the same one.
    path : absolute path of a volume file, or of a DICOM file or folder.
    is_dicom : True for DICOM.
    left_out : volume files in a DICOM folder and its subfolders that are not scans of the cohort.
    """

    name: str
    path: Path
    is_dicom: bool
    left_out: tuple[Path, ...] = ()


def find_scans(inputs: Iterable[Path]) -> list[Scan]:
    """Return the scans of all inputs, each once, whatever links lead to it.

    A file is one scan. A folder is searched with its subfolders. A folder that holds a DICOM image
    is one scan, together with its subfolders; volume files in it may be copies and are left out. In
    all other folders every volume file is a scan, and so is every damaged DICOM file, whose reader
    then says what is wrong with it.

    Raises
    ------
    BadInputError
        If an input does not exist or contains no scan, or a folder cannot be opened.
    """
    found: dict[str, Scan] = {}
    for place in inputs:
        place = Path(os.path.abspath(place))
        if not place.exists():
            raise BadInputError(f"The file {place} does not exist: check the path.")
        scans = list(_scans_of_folder(place)) if place.is_dir() else [_scan_of_file(place, place)]
        if not scans:
            raise BadInputError(
                f"{place} contains no scan: give folders with DICOM files or with files that end "
                f"in {', '.join(VOLUME_SUFFIXES)}."
            )
        for scan in scans:
            found.setdefault(os.path.realpath(scan.path), scan)
    return [
        replace(scan, left_out=tuple(p for p in scan.left_out if os.path.realpath(p) not in found))
        for scan in found.values()
    ]


def fingerprint(scan: Scan) -> str | None:
    """Return a hash of names, sizes and modification times of a scan's files; None without files.

    Hidden files and the volume files in a DICOM folder do not count, and links to its subfolders
    are not followed.
    """
    folder, states = folder_of_dicomdir(scan.path), []
    for file in _slice_files(folder) if folder.is_dir() else files_read(scan.path):
        with contextlib.suppress(OSError):
            found = os.stat(file)
            states.append(f"{file}\0{found.st_size}\0{found.st_mtime_ns}\n")
    if not states:
        return None
    return hashlib.sha256("".join(sorted(states)).encode(errors="surrogateescape")).hexdigest()


def _slice_files(folder: Path) -> Iterator[str]:
    """Yield the visible files of a DICOM folder that are not volumes, without resolving links."""
    for parent, folders, names in os.walk(folder):
        folders[:] = _visible(folders)
        yield from (os.path.join(parent, name) for name in _visible(names) if not _is_volume(name))


def _scans_of_folder(place: Path) -> Iterator[Scan]:
    seen = set()
    for parent, folders, names in os.walk(place, onerror=_refuse, followlinks=True):
        target = os.path.realpath(parent)
        if target in seen:
            folders.clear()
            continue
        seen.add(target)
        folders[:] = _visible(folders)
        files = [Path(parent, name) for name in _visible(names)]
        damaged = []
        for file in filter(_may_be_slice, files):
            header = read_dicom_header(file)
            if isinstance(header, DicomFile):
                left_out = [
                    *(file for file in files if _is_volume(file.name)),
                    *_volume_files(parent, folders),
                ]
                folders.clear()
                yield Scan(_name(Path(parent), place), Path(parent), True, tuple(left_out))
                break
            if isinstance(header, UnreadableFile):
                damaged.append(file)
        else:
            scans = (file for file in files if _is_volume(file.name) or file in damaged)
            yield from (_scan_of_file(file, place) for file in scans)


def _volume_files(parent: str, subfolders: Iterable[str]) -> Iterator[Path]:
    for name in subfolders:
        for folder, folders, names in os.walk(os.path.join(parent, name)):
            folders[:] = _visible(folders)
            yield from (Path(folder, name) for name in _visible(names) if _is_volume(name))


def _visible(names: Iterable[str]) -> list[str]:
    """Return the names that are not hidden, sorted."""
    return sorted(name for name in names if not is_hidden(name))


def _refuse(error: OSError) -> None:
    """Refuse a folder that cannot be opened: its scans would be missing without a word."""
    raise BadInputError(
        f"{error.filename} cannot be opened ({error.strerror}): give access to it, or name the "
        "other folders."
    ) from error


def _scan_of_file(file: Path, place: Path) -> Scan:
    return Scan(_name(file, place), file, not _is_volume(file.name))


def _is_volume(name: str) -> bool:
    return bool(split_suffix(name)[1])


def _may_be_slice(file: Path) -> bool:
    return not _is_volume(file.name) and not is_dicomdir(file) and file.is_file()


def _name(path: Path, place: Path) -> str:
    """Return a name made of the folders below ``place`` and of the name without suffix."""
    parts = path.relative_to(place).parts or (path.name,)
    text = "_".join(parts)
    text = split_suffix(text)[0] if path.is_file() else text
    safe = re.sub(r"[^\w.+-]+", "_", text).encode()
    return safe[-_LONGEST_NAME:].decode(errors="ignore").strip("._") or "scan"
