"""Checks of a NIfTI-1 before ITK reads it.

ITK reserves the memory that a header asks for, reads other files for some headers, replaces spacing
and rescale where they mean nothing, fills truncated voxels with zeros and replaces NaN by zero.
https://nifti.nimh.nih.gov/pub/dist/src/niftilib/nifti1.h
"""

from __future__ import annotations

import gzip
import math
import zlib

import numpy as np

from ...errors import BadInputError
from ..hu_validation import check_finite
from .data_files import COMPRESSED, MAX_SURPLUS_BYTES, RAW, StoredVoxels, check_length
from .itk_reading import damaged
from .nifti_header import HEADER_BYTES, NiftiHeader
from .text_header import check_spacing

_ONE_FILE = b"n+1"
"""Magic of a NIfTI-1 whose voxels follow the header."""
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
_BLOCK_BYTES = 1 << 24


def check_nifti(header: NiftiHeader) -> tuple[str, ...]:
    """Check header and voxels.

    Returns
    -------
    Warning if the header does not state a position; none otherwise.

    Raises
    ------
    BadInputError
        If the header is malformed, the file is truncated, fails its gzip checksum or holds NaN, a
        spacing is negative, NaN, infinite or zero, or slope and intercept are not a rescale.
    """
    _check_numbers(header)
    _check_layout(header)
    _check_voxels(header)
    if max(header.qform_code, header.sform_code) > 0:
        return ()
    return (
        "The file does not state where the scan lies (neither qform nor sform): left and right, "
        "and head and feet may be exchanged in the result as in the file.",
    )


def _check_numbers(header: NiftiHeader) -> None:
    """Check spacing and rescale.

    A slope of 0 or NaN stands for no rescale, so that the intercept must be 0 or NaN too.
    """
    name, slope, intercept = header.path.name, header.slope, header.intercept
    sizes = zip(header.spacing, header.sizes, strict=False)
    negative = [mm for mm, size in sizes if mm < 0 and size > 1]
    if negative:
        raise BadInputError(
            f"{name} states a voxel size of {negative[0]:g} mm (pixdim): correct its header, "
            "or convert the DICOM files again."
        )
    rescaled = slope != 0 and not math.isnan(slope)
    valid = math.isfinite(slope) and math.isfinite(intercept)
    if not (valid if rescaled else intercept == 0 or math.isnan(intercept)):
        raise BadInputError(
            f"{name} states a rescale that means nothing (scl_slope {slope:g}, scl_inter "
            f"{intercept:g}): correct its header, or convert the DICOM files again."
        )


def _check_layout(header: NiftiHeader) -> None:
    """Reject a malformed header, and a file that is too short for the voxels of its header."""
    path, sizes = header.path, header.sizes[: max(0, header.dimension)]
    position = [*header.quaternion, *header.offset] * (header.qform_code > 0)
    position += sum(header.sform, []) * (header.sform_code > 0)
    if (
        header.length != HEADER_BYTES
        or header.magic != _ONE_FILE
        or not 1 <= header.dimension <= 7
        or min(sizes) < 1
        or header.type not in _BYTES_BY_TYPE
        or not 0 <= header.start <= _MAX_START  # also rejects NaN
        or not all(map(math.isfinite, position))
    ):
        raise damaged(path.name)
    start, kind = _first_voxel(header), COMPRESSED if header.is_compressed else RAW
    before, in_stream = (0, start) if header.is_compressed else (start, 0)
    size = in_stream + _length(header)
    check_length(StoredVoxels([path], before, size, math.prod(sizes), kind), path.name)
    for spacing, count in zip(header.spacing, sizes, strict=False):
        if count > 1:
            check_spacing(spacing, path)


def _check_voxels(header: NiftiHeader) -> None:
    """Reject voxels that are truncated, fail their gzip checksum or hold NaN."""
    path, bytes_left = header.path, _length(header)
    type_of_floats = None
    if header.type in _FLOATS:
        type_of_floats = np.dtype(header.byte_order + _FLOATS[header.type])
    try:
        with (gzip.open if header.is_compressed else open)(path, "rb") as file:
            file.read(_first_voxel(header))
            while block := file.read(min(_BLOCK_BYTES, bytes_left)):
                bytes_left -= len(block)
                if type_of_floats:
                    size = type_of_floats.itemsize
                    whole = block[: len(block) // size * size]
                    check_finite(np.frombuffer(whole, type_of_floats), path.name)
            trailing = 0  # gzip verifies its checksum only at the end
            while trailing <= MAX_SURPLUS_BYTES and (block := file.read(_BLOCK_BYTES)):
                trailing += len(block)
    except (EOFError, OSError, zlib.error) as error:
        raise damaged(path.name) from error
    if bytes_left > 0 or trailing > MAX_SURPLUS_BYTES:
        raise damaged(path.name)


def _first_voxel(header: NiftiHeader) -> int:
    """Return the number of bytes before the voxels, uncompressed."""
    return max(int(header.start), HEADER_BYTES)


def _length(header: NiftiHeader) -> int:
    """Return the number of bytes of the voxels, uncompressed."""
    return _BYTES_BY_TYPE[header.type] * math.prod(header.sizes[: header.dimension])
