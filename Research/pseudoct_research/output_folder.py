"""Folders for results."""

from __future__ import annotations

from pathlib import Path

from PseudoCTDenoiseLib.errors import BadInputError


def make_folder(folder: Path) -> None:
    """Create a folder for results, with its parents.

    Raises
    ------
    BadInputError
        If it cannot be created.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise BadInputError(
            f"The folder {folder} cannot be created ({error.strerror}): choose another one."
        ) from error
