"""Scan on disk that is read and written slice by slice."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from .disk_space import explain_disk_errors

_VOXEL = np.dtype("<i2")


class SliceFile:
    """(slices, rows, columns) int16 HU in an ``.npy`` file, with access slice by slice.

    The engine accepts it instead of an array. Reading returns copies.

    Parameters
    ----------
    path : a new file, or a file of this class or of ``numpy.save`` with int16 in C order.
    shape : creates a new file of zeros; None opens an existing file.

    Raises
    ------
    BadInputError
        If the file cannot be written, now or later.
    OSError, ValueError
        If it cannot be read, or does not hold int16 slices.
    """

    dtype = np.dtype(np.int16)
    ndim = 3

    def __init__(self, path: Path | str, shape: tuple[int, int, int] | None = None):
        self.path = Path(path)
        if shape is None:
            self.shape, self._start = _header(path)
            return
        self.shape = tuple(shape)
        header = {"descr": _VOXEL.str, "fortran_order": False, "shape": self.shape}
        with explain_disk_errors(self.path.parent), open(path, "wb", opener=_no_links) as file:
            np.lib.format.write_array_header_1_0(file, header)
            self._start = file.tell()
            zeros = bytes(self._bytes_per_slice)
            for _ in range(len(self)):
                file.write(zeros)

    @property
    def size(self) -> int:
        """Number of voxels."""
        return int(np.prod(self.shape, dtype=np.int64))

    def __len__(self) -> int:
        return self.shape[0]

    def __iter__(self) -> Iterator[np.ndarray]:
        return map(self.__getitem__, range(len(self)))

    def __getitem__(self, index: int) -> np.ndarray:
        """Return a copy of a slice, (rows, columns)."""
        part = np.empty(self.shape[1:], _VOXEL)
        start = self._slice_start(index)
        # Windows cannot remove an open file, so the file is closed after each access.
        with open(self.path, "rb", opener=_no_links) as file:
            file.seek(start)
            if file.readinto(part) != part.nbytes:
                raise OSError(f"{self.path.name} ends within slice {index}")
        return part

    def __setitem__(self, index: int, values) -> None:
        """Write a slice; ``values`` are integers that broadcast to (rows, columns)."""
        part = np.empty(self.shape[1:], _VOXEL)
        part[...] = values
        start = self._slice_start(index)
        with (
            explain_disk_errors(self.path.parent),
            open(self.path, "r+b", opener=_no_links) as file,
        ):
            file.seek(start)
            file.write(part)

    def read(self) -> np.ndarray:
        """Return all slices in memory, (slices, rows, columns)."""
        return np.load(self.path, allow_pickle=False)

    @property
    def _bytes_per_slice(self) -> int:
        return _VOXEL.itemsize * self.shape[1] * self.shape[2]

    def _slice_start(self, index: int) -> int:
        if not 0 <= index < len(self):
            raise IndexError(f"slice {index} is out of range for {len(self)} slices")
        return self._start + int(index) * self._bytes_per_slice


def _no_links(path: str, flags: int) -> int:
    return os.open(path, flags | getattr(os, "O_NOFOLLOW", 0), 0o666)


def _header(path: Path | str) -> tuple[tuple[int, int, int], int]:
    """Return the shape and the byte offset of the voxels."""
    values = np.load(path, mmap_mode="r", allow_pickle=False)
    if values.ndim != 3 or values.dtype != _VOXEL or not values.flags.c_contiguous:
        raise ValueError(f"it contains {values.dtype} {values.shape}, not int16 slices")
    return values.shape, values.offset
