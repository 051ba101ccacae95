"""The files that the reading of a scan opens."""

from __future__ import annotations

import contextlib
import glob
import os
import re
from collections.abc import Iterator
from pathlib import Path

from .dicom_files import folder_of_dicomdir, regular_files

HEADERS = (".nhdr", ".nrrd", ".mhd", ".mha")
_HEADER_BYTES = 1 << 20
_DATA = re.compile(
    rb"^(?:\s*ElementDataFile\s*[=:]|data ?file\s*:)[=: \t]*(\S.*?)\s*$", re.M | re.I
)
_NUMBER = re.compile(r"%\d*d")


def files_read(path: Path) -> Iterator[Path]:
    """Yield the file itself and its data files, or all files of a folder or of a DICOMDIR's folder.

    Nothing is checked, so some of the files may be missing, and a pattern such as ``slice%03d.raw``
    stands for every file that matches it.
    """
    path = folder_of_dicomdir(path)
    if os.path.isdir(path):
        yield from regular_files(path, [])
        return
    yield path
    if path.suffix.lower() == ".hdr":
        yield path.with_suffix(".img")
    elif path.suffix.lower() in HEADERS and os.path.isfile(path):
        with contextlib.suppress(OSError):
            yield from _data_files(path)


def _data_files(path: Path) -> Iterator[Path]:
    with open(path, "rb") as file:
        header = file.read(_HEADER_BYTES).replace(b"\r\n", b"\n")
    if not (named := _DATA.search(header)):
        return
    first = named[1].split()[0]
    if first == b"LOCAL":
        return
    names = header[named.end() :].split(b"\n") if first == b"LIST" else [named[1]]
    for name in map(os.fsdecode, names):
        if _NUMBER.search(name):
            pattern = _NUMBER.sub("*", glob.escape(name.split()[0]))
            yield from map(Path, glob.glob(os.path.join(glob.escape(str(path.parent)), pattern)))
        elif name.strip() and "\0" not in name:
            yield path.parent / name.strip()
