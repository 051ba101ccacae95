"""Check of all outputs of a command before its work starts.

An output never replaces a file that the command reads, whatever name or link leads to it, and
replaces files of other programs only with ``--overwrite``.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..ct.io.files_read import files_read
from ..errors import BadInputError
from .own_results import is_own_result


@dataclass(frozen=True)
class Output:
    """A file that a command writes.

    Attributes
    ----------
    fields : see :func:`.is_own_result`; the command's own files are recognised by them.
    is_own : True if the command knows that an older file is its own.
    advice : what to do if a file of another program is in its place; empty to offer
        ``--overwrite``. With an advice, ``--overwrite`` does not apply to the file.
    """

    path: Path
    fields: Sequence[str] = ()
    is_own: bool = False
    advice: str = ""


class CheckedFiles:
    """The files that lay in the places of outputs when these were checked."""

    def __init__(self, paths: Iterable[Path]):
        self._states = {path: _state(path) for path in paths}

    def is_changed(self, path: Path) -> bool:
        """Return True if a file appeared in the place of an output, or changed, since the check."""
        now = _state(path) if path in self._states else None
        return now is not None and now != self._states[path]


def add_overwrite_argument(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--overwrite",
        action="store_true",
        help="replace existing files that pseudoct did not write (inputs are never replaced)",
    )


def check_outputs(
    outputs: Iterable[Output | Path], inputs: Iterable[Path | None], *, overwrite: bool
) -> CheckedFiles:
    """Check that the outputs of a command replace nothing that must be kept; return what is there.

    Parameters
    ----------
    inputs : everything that the command reads: files, with the data files that a header names, and
        folders, with all files in them. Missing ones are ignored, and so is None.

    Raises
    ------
    BadInputError
        If an output is an input, two outputs are the same file, or an existing file was not written
        by this project and ``overwrite`` is False.
    """
    outputs = [Output(output) if isinstance(output, Path) else output for output in outputs]
    checked = CheckedFiles(output.path for output in outputs)
    _check_different(outputs)
    _check_no_inputs(outputs, [path for path in inputs if path is not None])
    for output in outputs:
        path = output.path
        if not os.path.isfile(path) or _is_own(output):
            continue
        if output.advice:
            raise BadInputError(
                f"{path} exists and is not a result of pseudoct, so it is kept: {output.advice}."
            )
        if not overwrite:
            raise BadInputError(
                f"{path} exists and is not a result of pseudoct, so it is kept: choose another "
                "name, or replace it with --overwrite."
            )
    return checked


def same_name(path: Path) -> str:
    """Return a text that is the same for all names that may lead to one file.

    File systems may ignore upper case and the form of accents.
    """
    return unicodedata.normalize("NFC", os.path.realpath(path)).casefold()


def _check_different(outputs: Sequence[Output]) -> None:
    seen: set[object] = set()
    for output in outputs:
        path = output.path
        keys = {same_name(path), _identity(path)} - {None}
        if seen & keys:
            raise BadInputError(f"Two results would be written to {path}: choose another name.")
        seen |= keys


def _check_no_inputs(outputs: Sequence[Output], inputs: Sequence[Path]) -> None:
    places: dict[object, Output] = {os.path.realpath(output.path): output for output in outputs}
    places |= {_identity(output.path): output for output in outputs}
    places.pop(None, None)
    for place in inputs:
        for path in files_read(place):
            output = places.get(_identity(path)) or places.get(os.path.realpath(path))
            if output is None:
                continue
            # The reader of a DICOM folder leaves out earlier results beside the slices.
            if os.path.isdir(place) and _is_own(output):
                continue
            advice = output.advice or "choose another name for the output"
            raise BadInputError(f"{output.path} is an input: {advice}.")


def _is_own(output: Output) -> bool:
    return output.is_own or is_own_result(output.path, output.fields)


def _state(path: Path) -> tuple[int, ...] | None:
    """Return what changes when a file is replaced or written to; None if there is none."""
    with contextlib.suppress(OSError):
        found = os.stat(path)
        return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns
    return None


def _identity(path: Path) -> tuple[int, int] | None:
    """Return device and inode of an existing file, whatever link leads to it."""
    with contextlib.suppress(OSError):
        found = os.stat(path)
        if found.st_ino:
            return found.st_dev, found.st_ino
    return None
