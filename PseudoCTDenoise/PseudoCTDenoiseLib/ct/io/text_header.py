"""Text at the start of a NRRD or MetaImage file."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from pathlib import Path

from ...errors import BadInputError
from .itk_reading import damaged

MAX_BYTES = 1 << 20
"""Longest header that is read, in bytes. Lists of data files make it long."""

_NUMBER = re.compile(r"[-+]?(\d{1,30}\.?\d{0,30}|\.\d{1,30})(e[-+]?0?\d{1,2})?", re.I)
_MILLIMETRES = {"mm", "millimeter", "?", ""}
"""Units of length in mm, or unknown."""


def read_start(path: Path) -> bytes:
    """Return the first bytes of a file.

    Raises
    ------
    BadInputError
        If it cannot be read.
    """
    try:
        with open(path, "rb") as file:
            return file.read(MAX_BYTES)
    except OSError as error:
        raise damaged(path.name) from error


def to_text(line: bytes, path: Path) -> str:
    """Return a line of a header without its end, as a path of this system would be decoded.

    Raises
    ------
    BadInputError
        If the line holds a NUL or a carriage return in its middle, where readers disagree on its
        end.
    """
    text = line.removesuffix(b"\n").removesuffix(b"\r").decode("utf-8", "surrogateescape")
    if "\0" in text or "\r" in text:
        raise damaged(path.name)
    return text


def to_integer(text: str, low: int, high: int, path: Path) -> int:
    """Return an integer of a header.

    Raises
    ------
    BadInputError
        If it is not one, or is outside ``low`` to ``high``.
    """
    if not re.fullmatch(r"[-+]?[0-9]{1,19}", text) or not low <= int(text) <= high:
        raise damaged(path.name)
    return int(text)


def to_number(text: str, path: Path) -> float:
    """Return a finite number of a header; NaN and infinity are not numbers here."""
    if not _NUMBER.fullmatch(text):
        raise damaged(path.name)
    return float(text)


def check_spacing(spacing: float, path: Path) -> None:
    """Reject a voxel size that ITK would replace by 1 mm without a word.

    Raises
    ------
    BadInputError
        If the spacing is NaN, infinite or zero.
    """
    if not math.isfinite(spacing) or spacing == 0:
        raise BadInputError(
            f"{path.name} states a voxel size of {spacing:g} mm: correct its header, or convert "
            "the DICOM files again."
        )


def check_units(units: Iterable[str], field: str, path: Path) -> None:
    """Reject units of length other than mm, which ITK ignores.

    Raises
    ------
    BadInputError
        If there are any; ``field`` is the name of their field.
    """
    if others := sorted(set(units) - _MILLIMETRES):
        raise BadInputError(
            f"{path.name} states lengths in {', '.join(others)} ({field}): convert the file to mm."
        )


def rescaled(fields: str, path: Path) -> BadInputError:
    """Return the error for a file whose fields rescale its values, which ITK does not do."""
    return BadInputError(
        f"{path.name} states a rescale of its values ({fields}), which is not applied: save the HU "
        "themselves."
    )


def orientation_warning(reason: str) -> str:
    """Return a sentence on a file that ITK takes for LPS although it does not state it."""
    return (
        f"The file does not state how the patient lies ({reason}): left-posterior-superior is "
        "assumed, so left and right, front and back, and head and feet may be exchanged in the "
        "result."
    )
