"""An input of the reliability table, and the outcome that is expected of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

Writer = Callable[[Path], object]
"""Function that writes the input into a folder, which may not exist yet."""


@dataclass(frozen=True)
class Read:
    """The input is read with these voxels at these places. They are known from its construction.

    Attributes
    ----------
    values : HU in the order of the file, (k, j, i) or (j, i).
    origin : position of the first voxel in mm, LPS.
    steps : columns from a voxel to the next one along i, j and k, in mm, LPS.
    slice_axis : index axis along which the axial slices are stacked, 0 = i.
    warnings : words of all warnings of the reader, in their order.
    said : words of a warning that the command adds, or an empty text.
    """

    values: np.ndarray
    origin: tuple[float, ...]
    steps: np.ndarray
    slice_axis: int = 2
    warnings: tuple[str, ...] = ()
    said: str = ""

    def __str__(self) -> str:
        size = "×".join(map(str, self.values.shape[::-1]))
        spacing = "×".join(f"{mm:.4g}" for mm in np.linalg.norm(self.steps, axis=0))
        warned = "".join(f"; warning: {words}" for words in self.all_warnings)
        return f"read: {size} voxels of {spacing} mm{warned}"

    @property
    def all_warnings(self) -> tuple[str, ...]:
        """Words of each warning of the command."""
        return (*self.warnings, self.said) if self.said else self.warnings


@dataclass(frozen=True)
class Refused:
    """The input is refused; the message holds these words, and says what to do next."""

    words: tuple[str, ...]

    def __str__(self) -> str:
        return f"refused: {' … '.join(self.words)}"


@dataclass(frozen=True)
class Offered:
    """The input is refused with a list of its stacks; each choice reads one of them."""

    stacks: Mapping[str, Read]
    words: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"offered: --series {', '.join(self.stacks)}"


Expected = Read | Refused | Offered


@dataclass(frozen=True)
class Case:
    """An input and what is expected of it.

    Attributes
    ----------
    path : file to read within the folder; the folder itself if it is empty.
    options : arguments of the reader and, with dashes, of the command, where True is a flag.
    """

    write: Writer
    expected: Expected
    path: str = ""
    options: Mapping[str, str | bool] = field(default_factory=dict)


def reads(expected: Read, writers: Mapping[str, Writer], path: str = "") -> dict[str, Case]:
    """Return the cases of several inputs that are read as the same scan."""
    return {name: Case(writer, expected, path) for name, writer in writers.items()}


def refuses(rows: Mapping[str, tuple], path: str = "") -> dict[str, Case]:
    """Return the cases of inputs that are refused; a row is the writer, then words."""
    return {name: Case(row[0], Refused(tuple(row[1:])), path) for name, row in rows.items()}
