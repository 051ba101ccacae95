"""Data files of MetaImage and NRRD headers that hold no voxels themselves."""

from __future__ import annotations

import os
import re
from pathlib import Path

from ...errors import BadInputError
from .itk_reading import damaged

NAMED = re.compile(rb"^(?:ElementDataFile\s*=|data ?file\s*:)[ \t]*(\S.*?)\s*$", re.M | re.I)
HEADER_BYTES = 1 << 16


def check_data_file(path: Path) -> None:
    """Check that the file of voxels that a header names exists.

    Lists of files and patterns such as ``slice%03d.raw`` are left to the reader.

    Raises
    ------
    BadInputError
        If it is missing, or the header cannot be read.
    """
    try:
        with open(path, "rb") as file:
            header = file.read(HEADER_BYTES)
    except OSError as error:
        raise damaged(path.name) from error
    named = NAMED.search(header.replace(b"\r\n", b"\n").partition(b"\n\n")[0])
    if not named or b"%" in named[1] or named[1].split()[0] in (b"LOCAL", b"LIST"):
        return
    name = os.fsdecode(named[1])
    if not (path.parent / name).is_file():
        raise BadInputError(
            f"{path.name} is only a header and its data file {name} is missing: copy both into one "
            "folder under their original names."
        )
