"""Header of a NIfTI-1 file. https://nifti.nimh.nih.gov/pub/dist/src/niftilib/nifti1.h"""

from __future__ import annotations

import gzip
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ...errors import BadInputError
from .itk_reading import damaged

HEADER_BYTES = 348
NIFTI_2_BYTES = 540
_FIELDS = {
    **{"length": ("i4", 0), "dimension": ("i2", 40), "sizes": ("7i2", 42), "type": ("i2", 70)},
    **{"handedness": ("f4", 76), "spacing": ("3f4", 80), "start": ("f4", 108)},
    **{"slope": ("f4", 112), "intercept": ("f4", 116), "units": ("u1", 123)},
    **{"qform_code": ("i2", 252), "sform_code": ("i2", 254), "quaternion": ("3f4", 256)},
    **{"offset": ("3f4", 268), "sform": ("(3,4)f4", 280), "magic": ("S4", 344)},
}
"""Name → type and place in bytes."""
_LAYOUT = np.dtype(
    {
        "names": list(_FIELDS),
        "formats": [kind for kind, _ in _FIELDS.values()],
        "offsets": [place for _, place in _FIELDS.values()],
        "itemsize": HEADER_BYTES,
    }
)


@dataclass(frozen=True)
class NiftiHeader:
    """Values as they are in the file.

    Attributes
    ----------
    is_compressed : gzip compresses the file.
    byte_order : ``<`` or ``>``.
    length : number of bytes of the header.
    dimension, sizes : number of axes, and of voxels along up to seven axes.
    type : code of the type of the voxels.
    handedness : sign of the third axis of ``quaternion``.
    spacing : size of a voxel along the first three axes, in ``units``.
    start : number of bytes before the voxels.
    slope, intercept : rescale of the voxels.
    qform_code, quaternion, offset : first position, if the code is positive.
    sform_code, sform : second position (3, 4), if the code is positive.
    magic : name of the format, without the zero at its end.
    """

    path: Path
    is_compressed: bool
    byte_order: str
    length: int
    dimension: int
    sizes: list[int]
    type: int
    handedness: float
    spacing: list[float]
    start: float
    slope: float
    intercept: float
    units: int
    qform_code: int
    quaternion: list[float]
    offset: list[float]
    sform_code: int
    sform: list[list[float]]
    magic: bytes


def read_nifti_header(path: Path) -> NiftiHeader:
    """Read the header.

    Raises
    ------
    BadInputError
        If the file cannot be read, is cut within the header, is NIfTI-2, or is compressed without
        the suffix of compressed files, by which ITK decides.
    """
    try:
        with open(path, "rb") as file:
            is_compressed = file.read(2) == b"\x1f\x8b"
        with (gzip.open if is_compressed else open)(path, "rb") as file:
            start = file.read(HEADER_BYTES)
    except (EOFError, OSError, zlib.error) as error:
        raise damaged(path.name) from error
    if len(start) < HEADER_BYTES:
        raise damaged(path.name)
    is_little = int.from_bytes(start[:4], "little") in (HEADER_BYTES, NIFTI_2_BYTES)
    byte_order = "<" if is_little else ">"
    record = np.frombuffer(start, _LAYOUT.newbyteorder(byte_order))[0]
    values = {name: record[name].tolist() for name in _FIELDS}
    if values["length"] == NIFTI_2_BYTES:
        raise BadInputError(
            f"{path.name} is NIfTI-2, which cannot be read: save it as NIfTI-1 or NRRD."
        )
    if is_compressed and not path.name.lower().endswith(".gz"):
        raise BadInputError(f"{path.name} is compressed: rename it so that it ends with .nii.gz.")
    return NiftiHeader(path, is_compressed, byte_order, **values)
