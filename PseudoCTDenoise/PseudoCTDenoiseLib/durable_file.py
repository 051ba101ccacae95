"""Files and folders that survive a loss of power."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path


def keep_file(path: Path, target: Path) -> None:
    """Give a complete file its final name, safe from a loss of power."""
    _sync_file(path)
    os.replace(path, target)
    keep_names(target.parent)


def keep_content(folder: Path) -> None:
    """Make all files below a folder safe from a loss of power; the folder then gets its name."""
    for parent, _, names in os.walk(folder):
        for name in names:
            _sync_file(Path(parent, name))
        keep_names(Path(parent))


def keep_names(folder: Path) -> None:
    """Make the names in a folder safe from a loss of power."""
    with contextlib.suppress(OSError):  # Windows cannot open folders
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _sync_file(path: Path) -> None:
    with open(path, "rb+") as file:
        os.fsync(file.fileno())
