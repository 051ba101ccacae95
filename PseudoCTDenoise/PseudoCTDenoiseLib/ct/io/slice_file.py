"""A scan on the disk of which one slice at a time is in memory."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from .disk_space import space_in_words

_VOXEL = np.dtype("<i2")


class SliceFile:
    """(slices, rows, columns) int16 HU in an ``.npy`` file, taken and set slice by slice.

    Where the engine takes a scan it takes this as well; what it reads is a copy.

    Parameters
    ----------
    path : a file of this class, of ``numpy.save`` with int16 in C order, or a new one.
    shape : makes a new file, all zeros, whose space most systems give at once; None opens one.

    Raises
    ------
    BadInputError
        If the file cannot be written, then or later.
    OSError, ValueError
        If it cannot be read, or holds anything else.
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
        with space_in_words(self.path.parent), open(path, "wb") as file:
            np.lib.format.write_array_header_1_0(file, header)
            self._start = file.tell()
            nothing = bytes(self._bytes_of_a_slice)
            for _ in range(len(self)):
                file.write(nothing)

    @property
    def size(self) -> int:
        """Number of voxels."""
        return int(np.prod(self.shape, dtype=np.int64))

    def __len__(self) -> int:
        return self.shape[0]

    def __iter__(self) -> Iterator[np.ndarray]:
        return map(self.__getitem__, range(len(self)))

    def __getitem__(self, index: int) -> np.ndarray:
        """A copy of a slice, (rows, columns)."""
        one = np.empty(self.shape[1:], _VOXEL)
        start = self._start_of(index)
        # Open no longer than needed: the file may be removed, which not every system does then.
        with open(self.path, "rb") as file:
            file.seek(start)
            if file.readinto(one) != one.nbytes:
                raise OSError(f"{self.path.name} ends within slice {index}")
        return one

    def __setitem__(self, index: int, values) -> None:
        """Write a slice; ``values`` are whole numbers that broadcast to (rows, columns)."""
        one = np.empty(self.shape[1:], _VOXEL)
        one[...] = values
        start = self._start_of(index)
        with space_in_words(self.path.parent), open(self.path, "r+b") as file:
            file.seek(start)
            file.write(one)

    def read(self) -> np.ndarray:
        """All slices in memory, (slices, rows, columns)."""
        return np.load(self.path, allow_pickle=False)

    @property
    def _bytes_of_a_slice(self) -> int:
        return _VOXEL.itemsize * self.shape[1] * self.shape[2]

    def _start_of(self, index: int) -> int:
        if not 0 <= index < len(self):
            raise IndexError(f"there is no slice {index} of {len(self)}")
        return self._start + int(index) * self._bytes_of_a_slice


def _header(path: Path | str) -> tuple[tuple[int, int, int], int]:
    """Shape, and where the voxels start."""
    values = np.load(path, mmap_mode="r", allow_pickle=False)
    if values.ndim != 3 or values.dtype != _VOXEL or not values.flags.c_contiguous:
        raise ValueError(f"it holds {values.dtype} {values.shape}, not int16 slices")
    return values.shape, values.offset
