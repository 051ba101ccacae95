"""Search for DICOM files in a folder, and reading of their headers."""

from __future__ import annotations

import errno
import io
import os
import re
import stat
import warnings
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from pydicom import Dataset, dcmread
from pydicom.datadict import dictionary_has_tag, tag_for_keyword
from pydicom.tag import BaseTag
from pydicom.uid import (
    UID,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
)

from ...errors import is_out_of_memory
from .data_files import expanded_sizes, max_expanded
from .dicom_attributes import HEADER_TAGS
from .dicom_text import has_undecodable_text, restore_bytes

MAGIC = b"DICM"
MAGIC_OFFSET = 128
META_OFFSET = 144
"""End of the first element, which holds the length of the rest of group 0002."""
_META_BYTES = 1 << 12
START_BYTES = 1 << 24
"""Longest part of a deflated file in which :func:`read_start` looks for attributes."""
DICOM_SUFFIXES = (".dcm", ".dicom", ".ima")
PIXEL_DATA_TAGS = {
    b"".join(number.to_bytes(2, order) for number in (0x7FE0, element))
    for order in ("little", "big")
    for element in (0x0008, 0x0009, 0x0010)
}
"""Tags of pixels: floats, doubles and integers."""
FIRST_GROUPS = (b"\x02\x00", b"\x08\x00", b"\x00\x08")
"""First bytes of DICOM files without the preamble: group 0002 or 0008."""


@dataclass(frozen=True)
class DicomFile:
    """A DICOM image: its path, and its header without the pixels."""

    path: Path
    header: Dataset


@dataclass(frozen=True)
class UnreadableFile:
    """A file that may be a slice but cannot be read.

    Attributes
    ----------
    series : UID of its series, empty if that cannot be read either.
    reason : end of the sentence "the file ...".
    """

    path: Path
    reason: str
    series: str = ""


def find_dicom_files(folder: Path) -> tuple[list[DicomFile], list[UnreadableFile]]:
    """Return the DICOM images in a folder and its subfolders, and the files that may be images.

    Hidden files, DICOMDIR, DICOM objects without pixels and files of other formats are left out.
    A file that is not DICOM counts as unreadable if it is named like a DICOM file, or like the
    slices beside it.
    """
    images, unreadable, others = [], [], []
    for path in regular_files(folder, unreadable):
        found = read_dicom_header(path)
        if isinstance(found, DicomFile):
            images.append(found)
        elif isinstance(found, UnreadableFile):
            unreadable.append(found)
        elif found is not None:
            others.append((path, found))
    suffixes = {*DICOM_SUFFIXES, *(_suffix(image.path) for image in images)}
    for path, content in others:
        # README and LICENSE have no suffix, as many slices.
        if _suffix(path) in suffixes and (_suffix(path) or not _is_text(content)):
            reason = "is empty" if not content else "is not a DICOM file"
            unreadable.append(UnreadableFile(path, reason))
    links = [file for file in unreadable if file.reason in (_DANGLING, _LOOP)]
    return images, [f for f in unreadable if f not in links or _suffix(f.path) in suffixes]


def folder_of_dicomdir(path: Path) -> Path:
    """Return the folder that a DICOMDIR stands for, or any other path as it is."""
    return path.resolve().parent if is_dicomdir(path) else path


def is_dicomdir(path: Path) -> bool:
    """Return True for a file with the name of the index of DICOM media."""
    return path.name.upper() == "DICOMDIR" and os.path.isfile(path)


def is_hidden(name: str) -> bool:
    """Return True for the name of a hidden file or folder, or of the folder __MACOSX.

    __MACOSX holds the copies that macOS adds to a ZIP archive.
    """
    return name.startswith(".") or name == "__MACOSX"


def is_dicom_file(path: Path) -> bool:
    """Return True if the content of a file is DICOM, whatever its name."""
    return path.is_file() and not isinstance(read_dicom_header(path), bytes)


def read_dicom_header(path: Path) -> DicomFile | UnreadableFile | bytes | None:
    """Return the header of an image; its first bytes if it is not DICOM; None for other objects."""
    try:
        with _open(path) as file:
            start = file.read(MAGIC_OFFSET + len(MAGIC))
            has_magic = start.endswith(MAGIC) and len(start) == MAGIC_OFFSET + len(MAGIC)
            if not has_magic and not start.startswith(FIRST_GROUPS):
                return start
            file.seek(0)
            header = _parse(file, HEADER_TAGS)
            has_pixels = file.read(4) in PIXEL_DATA_TAGS or (
                header.file_meta.TransferSyntaxUID == DeflatedExplicitVRLittleEndian
            )
            kind = sop_class(header)
            if not has_magic and not kind and "Rows" not in header:
                return start
            no_slice = not has_pixels and _is_no_slice(path, header, kind)
    except OSError as error:
        return UnreadableFile(path, _cannot_be_opened(error))
    except Exception as error:  # pydicom raises many kinds of errors for damaged files
        if is_out_of_memory(error):
            raise
        return UnreadableFile(path, "is damaged or incomplete")
    if has_pixels:
        return DicomFile(path, header)
    if no_slice:
        return None
    return UnreadableFile(
        path, "is damaged or incomplete", _whole_text(header, "SeriesInstanceUID")
    )


def load_dataset(path: Path, tags: Sequence[int] | None = None) -> Dataset:
    """Return a DICOM dataset, pixels included, with its transfer syntax in ``file_meta``.

    Parameters
    ----------
    tags : elements to read, which takes a fraction of the time; None for all. Texts that contradict
        the character set of the file are then bytes.
    """
    with _open(path) as file:
        dataset = _parse(file, tags, pixels=True)
        if tags is None and has_undecodable_text(dataset):
            file.seek(0)
            with ignore_pydicom_warnings():
                restore_bytes(dataset, dcmread(file, force=True, stop_before_pixels=True))
    return dataset


def read_start(path: Path, keywords: Sequence[str]) -> Dataset:
    """Return attributes of a DICOM file; of a deflated one, only the first 16 MiB are expanded."""
    with _open(path) as file, ignore_pydicom_warnings():
        is_deflated = _go_to_deflated(file)
        if is_deflated:
            stream = zlib.decompressobj(-zlib.MAX_WBITS)
            file = io.BytesIO(stream.decompress(file.read(START_BYTES), START_BYTES))
        return dcmread(
            file, force=is_deflated, stop_before_pixels=True, specific_tags=list(keywords)
        )


class _BoundedFile(io.BufferedReader):
    """Open file of which a read reserves no more memory than the file has bytes.

    A damaged length of up to 4 GB would otherwise be reserved in full.
    """

    def read(self, size: int | None = -1) -> bytes:
        if size is not None and size > io.DEFAULT_BUFFER_SIZE:
            size = min(size, os.fstat(self.fileno()).st_size)
        return super().read(size)


def _open(path: Path) -> _BoundedFile:
    return _BoundedFile(open(path, "rb", buffering=0))


def sop_class(header: Dataset) -> str:
    """Return the UID of the kind of object, or an empty text."""
    stored = header.file_meta.get("MediaStorageSOPClassUID")
    return str(header.get("SOPClassUID") or stored or "").strip()


@contextmanager
def ignore_pydicom_warnings() -> Iterator[None]:
    """Suppress warnings about values that violate the standard in minor ways."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def _check_expanded_length(file: _BoundedFile) -> None:
    """Reject a deflated dataset that is too long for a scan; pydicom expands it in memory.

    Raises
    ------
    ValueError
        If it is.
    """
    if _go_to_deflated(file):
        left = max_expanded(os.fstat(file.fileno()).st_size)
        stream = zlib.decompressobj(-zlib.MAX_WBITS)
        for size in expanded_sizes(stream, file):
            left -= size
            if left < 0:
                raise ValueError("it expands to more than a scan can have")
    file.seek(0)


def _go_to_deflated(file: _BoundedFile) -> bool:
    """Go to the dataset of a file if it is deflated, otherwise to its beginning."""
    meta = file.read(_META_BYTES)
    is_deflated = DeflatedExplicitVRLittleEndian.encode() in meta
    # The length of group 0002 is the value of its first element (PS3.10 7.1).
    length = int.from_bytes(meta[META_OFFSET - 4 : META_OFFSET], "little")
    file.seek(META_OFFSET + length if is_deflated else 0)
    return is_deflated


def _parse(file: _BoundedFile, tags: Sequence[int] | None, pixels: bool = False) -> Dataset:
    _check_expanded_length(file)
    with ignore_pydicom_warnings():
        header = dcmread(file, force=True, stop_before_pixels=not pixels, specific_tags=tags)
        for dataset in (header.file_meta, header):
            for _ in dataset:  # pydicom decodes a value, or fails, when it is looked up
                pass
    if not header.file_meta.get("TransferSyntaxUID"):
        implicit, little = header.original_encoding
        if not little:
            raise ValueError("big endian without a transfer syntax")
        syntax = ImplicitVRLittleEndian if implicit else ExplicitVRLittleEndian
        header.file_meta.TransferSyntaxUID = syntax
    return header


def _is_no_slice(path: Path, header: Dataset, kind: str) -> bool:
    """Return True for an object without pixels that is not part of a CT slice, such as a report."""
    modality = _whole_text(header, "Modality")
    if modality != "CT" and re.fullmatch("[A-Z0-9_ ]{1,16}", modality):
        return True
    if "Rows" in header:
        return False
    name = UID(kind).name
    return (name != kind and "Image Storage" not in name) or _is_whole_without_rows(path)


def _is_whole_without_rows(path: Path) -> bool:
    """Return True for an intact file with elements after the place where a slice has its rows.

    In a damaged file elements are cut, out of order or unknown.
    """
    with _open(path) as file, ignore_pydicom_warnings():
        dataset = dcmread(file, force=True)
    tags = list(dataset.keys())
    elements = [dataset.get_item(tag) for tag in tags]
    return (
        tags == sorted(tags)
        and tags[-1] > tag_for_keyword("Rows")
        and all(dictionary_has_tag(tag) or _is_owned(tag, tags) for tag in tags)
        and all(len(e.value or b"") == e.length for e in elements if e.is_raw)
    )


def _is_owned(tag: BaseTag, tags: list[BaseTag]) -> bool:
    """Return True for a private element whose creator is named, and for the name of a creator."""
    owned = tag.is_private and tag.element >= 0x1000
    return tag.is_private_creator or (owned and (tag.group << 16) + (tag.element >> 8) in tags)


def _whole_text(header: Dataset, keyword: str) -> str:
    """Return a text of a file that may end within it; empty unless another element follows."""
    followed = max(header.keys(), default=0) > tag_for_keyword(keyword)
    return str(header.get(keyword) or "") if followed else ""


_DANGLING = "is a link to a file that does not exist"
_LOOP = "is a link that leads back to itself"


def regular_files(folder: Path, unreadable: list[UnreadableFile]) -> Iterator[Path]:
    """Yield each visible regular file once; links are followed. Add what is lost to unreadable."""

    def report(error: OSError) -> None:
        unreadable.append(UnreadableFile(Path(error.filename), _cannot_be_opened(error)))

    seen = set()
    for parent, folders, names in os.walk(folder, onerror=report, followlinks=True):
        place = Path(parent).resolve()
        if place in seen:
            folders.clear()
            continue
        seen.add(place)
        folders[:] = sorted(name for name in folders if not is_hidden(name))
        for name in sorted(name for name in names if not is_hidden(name)):
            path = Path(parent, name)
            try:
                regular = stat.S_ISREG(path.stat().st_mode)
            except OSError as error:
                unreadable.append(UnreadableFile(path, _lost(error)))
                continue
            target = path.resolve()
            if regular and target not in seen:
                seen.add(target)
                yield path


def _lost(error: OSError) -> str:
    """Return why a file that its folder lists cannot be found."""
    if isinstance(error, FileNotFoundError):
        return _DANGLING
    return _LOOP if error.errno == errno.ELOOP else _cannot_be_opened(error)


def _cannot_be_opened(error: OSError) -> str:
    return f"cannot be opened ({error.strerror or 'unknown reason'})"


def _suffix(path: Path) -> str:
    """Return the suffix in lower case; the last number of a UID as a file name is not a suffix."""
    return "" if re.fullmatch(r"\.\d+", path.suffix) else path.suffix.lower()


def _is_text(content: bytes) -> bool:
    return bool(content) and all(byte >= 32 or byte in b"\t\n\r\f" for byte in content)
