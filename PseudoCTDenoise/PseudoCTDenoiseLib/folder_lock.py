"""Lock of a temporary folder, which shows whether the process that made the folder still runs.

The operating system releases the lock when the process ends, however it ends. Windows has no such
lock, so no folder counts as abandoned there. On a network drive, other computers may not see the
lock, so only the computer that made a folder can find it abandoned.
"""

from __future__ import annotations

import contextlib
import os
import platform
import stat
from pathlib import Path

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None

LOCK = ".lock"
"""Name of the locked file in the folder."""


def lock_folder(folder: Path) -> int | None:
    """Mark a folder as one of this process and return the descriptor that holds the lock.

    Return None if the file system has no locks or no room. The folder is then never abandoned.
    """
    if fcntl is None:
        return None
    unlocked, descriptor = folder / f"{LOCK}-new", None
    try:
        descriptor = os.open(unlocked, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
        os.write(descriptor, _mark())
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.rename(unlocked, folder / LOCK)  # no other process sees the file without its lock
    except OSError:
        if descriptor is not None:
            os.close(descriptor)
        return None
    return descriptor


def is_abandoned(folder: Path) -> bool:
    """Return True if a process of this user on this computer marked the folder and has ended."""
    if fcntl is None:
        return False
    try:
        made = os.lstat(folder)
        if not stat.S_ISDIR(made.st_mode) or made.st_uid != os.geteuid():
            return False
        # A FIFO in the place of the file must not block.
        flags = os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK
        descriptor = os.open(folder / LOCK, flags)
    except OSError:
        return False
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            return False
        mark = _mark()
        if os.read(descriptor, len(mark) + 1) != mark:
            return False
        with contextlib.suppress(OSError):
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        return False
    finally:
        os.close(descriptor)


def _mark() -> bytes:
    """Return the content of the locked file, which names the computer."""
    return f"Temporary folder of PseudoCTDenoise on {platform.node()}\n".encode()
