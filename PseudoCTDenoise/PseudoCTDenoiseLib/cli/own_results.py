"""Recognition of files that an earlier run wrote, which a new run may replace."""

from __future__ import annotations

import csv
import io
import json
import os
import zlib
from collections.abc import Sequence
from pathlib import Path

from ..ct.io.derived_note import MADE_BY, NOTE_START, SOFTWARE
from ..errors import BadInputError
from ..input_file import read_json

_START_BYTES = 1 << 16
_PNG, _GZIP = b"\x89PNG\r\n\x1a\n", b"\x1f\x8b"
_PNG_SOFTWARE = b"tEXtSoftware\0" + SOFTWARE.encode()
_NIFTI_MAGIC, _NIFTI_NOTE = slice(344, 348), slice(148, 228)
_LARGEST_TEXT = 1 << 26


def is_own_result(path: Path, fields: Sequence[str] = ()) -> bool:
    """Return True if a file is empty or was written by this project.

    Parameters
    ----------
    fields : keys of a JSON object, or of the first object in a JSON list, or columns of a CSV file
        that a file of this kind has. A report is recognised without them.
    """
    try:
        with open(path, "rb") as file:
            start = file.read(_START_BYTES)
        if not start:
            return True
        if start.startswith(_PNG):
            return _PNG_SOFTWARE in start
        if (header := _volume_header(start)) is not None:
            return MADE_BY.encode() in header
        if path.stat().st_size > _LARGEST_TEXT:
            return False
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return False
    return _is_own_json(text, fields) or bool(fields) and set(fields) <= set(_columns(text))


def is_report_of(path: Path, output: Path) -> bool:
    """Return True if a file is the report of a result, whether this still exists or not."""
    try:
        report = read_json(path)
    except BadInputError:
        return False
    if not _is_report(report):
        return False
    place = report.get("output_path")
    if isinstance(place, str) and os.path.lexists(place):
        return os.path.realpath(place) == os.path.realpath(output)
    return report.get("output") in (output.name, os.path.basename(os.path.realpath(output)))


def _volume_header(start: bytes) -> bytes | None:
    """Return the part of a NRRD, MetaImage or NIfTI header with the note, or None."""
    if start.startswith(_GZIP):
        try:
            start = zlib.decompressobj(wbits=31).decompress(start, _START_BYTES)
        except zlib.error:
            return None
    if start.startswith(b"NRRD"):
        return start.partition(b"\n\n")[0]
    if start.startswith(b"ObjectType"):
        return start.partition(b"ElementDataFile")[0]
    if start[_NIFTI_MAGIC] in (b"n+1\0", b"ni1\0"):
        return start[_NIFTI_NOTE]
    return None


def _is_own_json(text: str, fields: Sequence[str]) -> bool:
    try:
        values = json.loads(text)
    except (ValueError, RecursionError):
        return False
    if isinstance(values, list) and values:
        values = values[0]
    if not isinstance(values, dict):
        return False
    return _is_report(values) or bool(fields) and set(fields) <= values.keys()


def _is_report(values: dict) -> bool:
    return str(values.get("notice")).startswith(NOTE_START)


def _columns(text: str) -> list[str]:
    try:
        return next(csv.reader(io.StringIO(text)), [])
    except csv.Error:
        return []
