"""Check of sizes and types of a NIfTI-1 header before ITK reads the file.

ITK reserves the memory that a header asks for, reads other files for some headers, and replaces a
voxel size of NaN by 1 mm. https://nifti.nimh.nih.gov/pub/dist/src/niftilib/nifti1.h
"""

from __future__ import annotations

import math
import struct
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from .data_files import COMPRESSED, RAW, StoredVoxels, check_length
from .itk_reading import damaged
from .nifti_header import HEADER_BYTES, read_nifti_header
from .text_header import check_spacing

_ONE_FILE = b"n+1\0"
"""Magic number of a NIfTI-1 whose voxels follow the header."""
_BYTES_BY_TYPE = {
    **{2: 1, 256: 1},  # integers of 8 bits
    **{4: 2, 512: 2, 8: 4, 768: 4, 1024: 8, 1280: 8},  # of 16, 32 and 64 bits
    **{16: 4, 64: 8, 1536: 16},  # floating point
    **{32: 8, 1792: 16, 2048: 32},  # complex
    **{128: 3, 2304: 4},  # colours
}
_FLOATS = {16: "f4", 64: "f8"}
_MAX_START = 1 << 24
"""Longest header with its extensions, in bytes."""


@dataclass(frozen=True)
class NiftiLayout:
    """Place of the voxels in a NIfTI-1.

    Attributes
    ----------
    start, length : number of bytes before the voxels and of the voxels, uncompressed.
    float_type : type of the voxels if they are real floating-point numbers, otherwise None.
    compressed : the file is compressed by gzip, whatever its suffix.
    """

    start: int
    length: int
    float_type: np.dtype | None
    compressed: bool


def read_layout(path: Path) -> NiftiLayout:
    """Return the layout of a NIfTI-1 that is long enough for its voxels.

    Raises
    ------
    BadInputError
        If the header is malformed, the file is too short for its voxels, or the size of a voxel is
        NaN, infinite or zero.
    """
    header, compressed = read_nifti_header(path)
    order = "<" if struct.unpack_from("<i", header)[0] == HEADER_BYTES else ">"

    def values(layout: str, at: int) -> tuple:
        return struct.unpack_from(order + layout, header, at)

    (length,) = values("i", 0)
    dimension, *sizes = values("8h", 40)
    kind, _bits = values("2h", 70)
    (start,) = values("f", 108)
    sizes = sizes[: max(0, dimension)]
    qform_code, sform_code = values("2h", 252)
    position = values("6f", 256) * (qform_code > 0) + values("12f", 280) * (sform_code > 0)
    if (
        length != HEADER_BYTES
        or header[344:348] != _ONE_FILE
        or not 1 <= dimension <= 7
        or min(sizes) < 1
        or kind not in _BYTES_BY_TYPE
        or not 0 <= start <= _MAX_START  # also rejects NaN
        or not all(map(math.isfinite, position))
    ):
        raise damaged(path.name)
    numbers = math.prod(sizes)
    size = _BYTES_BY_TYPE[kind] * numbers
    start = max(int(start), HEADER_BYTES)
    check_length(
        StoredVoxels(
            [path],
            0 if compressed else start,
            size + start * compressed,
            numbers,
            COMPRESSED if compressed else RAW,
        ),
        path.name,
    )
    for spacing, count in zip(values("3f", 80), sizes, strict=False):
        if count > 1:
            check_spacing(spacing, path)
    float_type = np.dtype(order + _FLOATS[kind]) if kind in _FLOATS else None
    return NiftiLayout(start, size, float_type, compressed)
