"""Lock of a folder that serves one process at a time."""

from __future__ import annotations

import os
from pathlib import Path

from ..errors import BadInputError

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None


def lock_for_process(path: Path) -> int | None:
    """Return the descriptor of a lock that the operating system releases with the process.

    Return None on Windows, which has no such lock.

    Raises
    ------
    BadInputError
        If another process holds it.
    """
    if fcntl is None:
        return None
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        os.close(descriptor)
        raise BadInputError(
            f"Another node uses {path.parent}: stop it, or choose another folder."
        ) from error
    return descriptor
