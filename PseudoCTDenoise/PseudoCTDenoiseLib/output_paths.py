"""Places for results: whether a file can be written, and new folders."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

from .errors import BadInputError
from .temporary_files import with_cleanup


def check_writable(path: Path) -> None:
    """Reject a path to which no file can be written.

    Raises
    ------
    BadInputError
        If the folder is missing or cannot be written to, or the path is a folder or a device.
    """
    try:
        if path.is_dir():
            raise BadInputError(f"{path} is a folder: add a file name.")
        if path.exists() and not path.is_file():
            raise BadInputError(f"{path} is a device, not a file: choose another name.")
        if not path.parent.is_dir():
            raise BadInputError(f"The folder {path.parent} does not exist: create it first.")
        # Permission bits are unreliable on network drives and on Windows, so a file is created. On
        # Windows, tempfile tries names without end in a folder that takes no files.
        trial = path.parent / f".pseudoct-{secrets.token_hex(8)}"
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
        with_cleanup(
            lambda: os.close(os.open(trial, flags, 0o600)), lambda: trial.unlink(missing_ok=True)
        )
    except OSError as error:
        raise BadInputError(
            f"{path} cannot be written to ({error.strerror}): choose another folder or name."
        ) from error


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
