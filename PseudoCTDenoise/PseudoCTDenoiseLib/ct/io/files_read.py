"""The files that the reading of a scan opens."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from ...errors import BadInputError
from .dicom_files import folder_of_dicomdir, regular_files
from .metaimage_header import metaimage_files
from .nrrd_header import nrrd_files

_DATA_FILES = {
    **dict.fromkeys((".nhdr", ".nrrd"), nrrd_files),
    **dict.fromkeys((".mhd", ".mha"), metaimage_files),
}


def files_read(path: Path) -> Iterator[Path]:
    """Yield the file itself and its data files, or all files of a folder or of a DICOMDIR's folder.

    The file may be missing. A header that its reader refuses has no data files.
    """
    path = folder_of_dicomdir(path)
    if os.path.isdir(path):
        yield from regular_files(path, [])
        return
    yield path
    find = _DATA_FILES.get(path.suffix.lower())
    if find and os.path.isfile(path):
        with contextlib.suppress(BadInputError):
            yield from (file for file in find(path) if file != path)
