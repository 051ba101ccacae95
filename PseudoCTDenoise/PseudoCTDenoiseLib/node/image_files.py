"""Files of received images: final names that survive a loss of power, and second names."""

from __future__ import annotations

import contextlib
import os
import shutil
from pathlib import Path


def keep_file(path: Path, target: Path) -> None:
    """Give a complete file its final name, safe from a loss of power."""
    with open(path, "rb+") as file:
        os.fsync(file.fileno())
    os.replace(path, target)
    with contextlib.suppress(OSError):  # Windows cannot open folders
        descriptor = os.open(target.parent, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def link_file(path: Path, copy: Path) -> None:
    """Make ``copy`` a second name of a file, or a copy where there are no hard links."""
    try:
        os.link(path, copy)
    except OSError:
        shutil.copyfile(path, copy)
