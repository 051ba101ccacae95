"""Files that hold the voxels of a scan, checked before ITK opens them.

ITK opens any file that a header names, waits for pipes and terminals, and reserves the memory that
a header asks for. Here a header may name regular files in its own folder or below, and they must
be as long as the header says.
"""

from __future__ import annotations

import os
import re
import stat
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from ...errors import BadInputError
from .itk_reading import damaged

RAW, COMPRESSED, TEXT = "raw", "compressed", "text"
"""Codings of voxels. Text holds at least one digit and one separator per number."""
MAX_FILES = 100_000
MAX_DEFLATE_RATIO = 1032
"""Largest factor by which deflate shrinks its input (https://zlib.net/zlib_tech.html)."""
MAX_RATIO = 100
"""Largest accepted compression of a scan above ``LARGE_BYTES``. Noise limits it to about 5."""
LARGE_BYTES = 1 << 30
NO_SPACING = "The file does not state its voxel size: 1 mm is assumed. The noise depends on it."

MAX_SURPLUS_BYTES = 1 << 26
"""Longest part of a file after its voxels that is read to verify the checksum."""
_ZLIB_OR_GZIP = 47
"""Window size of zlib that accepts both of its formats."""
_BLOCK = 1 << 20
_PATTERN = re.compile(r"[^%]*%0?[1-9]?d[^%]*")


@dataclass(frozen=True)
class StoredVoxels:
    """Place and length of the voxels of a scan.

    Attributes
    ----------
    files : files of equal parts of the scan; one of them may be the file with the header.
    start : number of bytes before the voxels in each file.
    length : number of bytes of the voxels that each file holds, uncompressed.
    numbers : number of values in each file.
    coding : ``RAW``, ``COMPRESSED`` (gzip or zlib) or ``TEXT``.
    """

    files: Sequence[Path]
    start: int
    length: int
    numbers: int
    coding: str


def max_expanded(compressed: int) -> int:
    """Return the number of bytes to which a compressed part of a scan may expand."""
    return max(MAX_RATIO * compressed, min(MAX_DEFLATE_RATIO * compressed, LARGE_BYTES))


def check_length(voxels: StoredVoxels, name: str) -> None:
    """Check that the files can hold the voxels that the header declares.

    Raises
    ------
    BadInputError
        If a file is too short, or the voxels would be compressed more than a scan can be.
    """
    for path in voxels.files:
        stored = os.stat(path).st_size - voxels.start
        if voxels.coding == COMPRESSED:
            too_short = voxels.length > max_expanded(stored)
        elif voxels.coding == TEXT:
            too_short = 2 * voxels.numbers - 1 > stored
        else:
            too_short = voxels.length > stored
        if too_short:
            raise damaged(name)


def check_streams(voxels: StoredVoxels, compressed: int | None, name: str) -> None:
    """Expand compressed voxels to check that none are missing and that their checksum is right.

    ITK's MetaImage reader returns random values for missing voxels.

    Parameters
    ----------
    compressed : number of bytes of each stream; None for all bytes after ``voxels.start``.

    Raises
    ------
    BadInputError
        If a stream is broken, or does not hold exactly the voxels that the header declares.
    """
    for path in voxels.files:
        left = os.stat(path).st_size - voxels.start if compressed is None else compressed
        stream, length = zlib.decompressobj(_ZLIB_OR_GZIP), 0
        with open(path, "rb") as file:
            file.seek(voxels.start)
            try:
                for size in expanded_sizes(stream, file, left):
                    length += size
                    if length > voxels.length:
                        break
            except zlib.error as error:
                raise damaged(name) from error
        if length != voxels.length or not stream.eof:
            raise damaged(name)


def expanded_sizes(
    stream: zlib._Decompress, file: BinaryIO, left: int | None = None, block: bytes = b""
) -> Iterator[int]:
    """Expand a stream in blocks that need little memory, and yield the size of each.

    The end of the stream or of the file is the end; ``stream.eof`` is False after the latter.

    Parameters
    ----------
    left : number of bytes of the file to read at most; None for all that follow.
    block : start of the stream that was read before.
    """
    while not stream.eof:
        if not block:
            block = file.read(_BLOCK if left is None else min(left, _BLOCK))
            left = None if left is None else left - len(block)
        if not block:
            return
        yield len(stream.decompress(block, _BLOCK))
        block = stream.unconsumed_tail


def named_files(header: Path, names: Sequence[str]) -> list[Path]:
    """Return the files of voxels that a header names.

    Raises
    ------
    BadInputError
        If one is outside the folder of the header, is missing, or is not a regular file.
    """
    if not 0 < len(names) <= MAX_FILES:
        raise damaged(header.name)
    return [_named_file(header, name) for name in names]


def _named_file(header: Path, name: str) -> Path:
    folder = Path(os.path.abspath(header.parent))
    path = folder / name
    inside = path.is_relative_to(folder) or path.is_relative_to(folder.resolve())
    shown = name if len(name) <= 60 else f"{name[:57]}…"
    if ".." in Path(name).parts or not inside or path == folder:
        raise BadInputError(
            f"{header.name} names {shown} as its data file, which is outside its folder: move the "
            "file beside the header and write only its name into the header."
        )
    try:
        mode = os.stat(path).st_mode
    except OSError as error:
        raise BadInputError(
            f"{header.name} is only a header and its data file {shown} is missing: copy both into "
            "one folder under their original names."
        ) from error
    if not stat.S_ISREG(mode):
        raise BadInputError(
            f"{header.name} names {shown} as its data file, which is not a file: copy the original "
            "file there."
        )
    return path


def numbered_names(pattern: str, first: int, last: int, step: int, header: Path) -> list[str]:
    """Return the names that a pattern such as ``slice%03d.raw`` stands for.

    Raises
    ------
    BadInputError
        If the pattern is anything but a text with one integer, or the numbers are out of range.
    """
    # C libraries fill in the pattern; anything else in it would read or write their memory.
    bounded = max(abs(first), abs(last), abs(step)) < 10**7
    if not _PATTERN.fullmatch(pattern) or not bounded or step == 0:
        raise damaged(header.name)
    numbers = range(first, last + (1 if step > 0 else -1), step)
    if len(numbers) > MAX_FILES:
        raise damaged(header.name)
    return [pattern % number for number in numbers]
