"""Checks of paths that are written to, and folders for results."""

from __future__ import annotations

import os
import secrets
import tempfile
from pathlib import Path

from .errors import BadInputError


def link_target(path: Path) -> Path:
    """Return the path to which a link leads, also if it does not exist; other paths as they are.

    A result is written there, so that the link stays and both names show the same file.
    """
    return Path(os.path.realpath(path)) if os.path.islink(path) else path


def check_writable(path: Path) -> None:
    """Reject a path to which no file can be written; links are followed.

    Raises
    ------
    BadInputError
        If the folder is missing or cannot be written to, or the path is a folder, a device or a
        link that leads back to itself.
    """
    try:
        path = link_target(path)
        if os.path.islink(path):
            raise BadInputError(f"{path} is a link that leads back to itself: choose another name.")
        if path.is_dir():
            raise BadInputError(f"{path} is a folder: add a file name.")
        if path.exists() and not path.is_file():
            raise BadInputError(f"{path} is a device, not a file: choose another name.")
        if not path.parent.is_dir():
            raise BadInputError(f"The folder {path.parent} does not exist: create it first.")
        # Permission bits are unreliable on network drives and on Windows, so a file is created.
        if os.name == "nt":
            _create_on_windows(path.parent)
        else:
            with tempfile.TemporaryFile(dir=path.parent):
                pass
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


def _create_on_windows(folder: Path) -> None:
    """Create a file that the system removes; tempfile tries names without end if it cannot."""
    flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_TEMPORARY
    os.close(os.open(folder / f".pseudoct-{secrets.token_hex(8)}", flags, 0o600))
