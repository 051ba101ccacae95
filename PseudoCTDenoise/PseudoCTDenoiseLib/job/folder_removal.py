"""The end of a job's folder."""

from __future__ import annotations

import os
import shutil


def removeFolder(path: str | os.PathLike) -> None:
    """Remove a folder with everything in it, if it is there."""
    # The other process, or another thread, may still be writing: what came in between goes next.
    for _ in range(3):
        shutil.rmtree(path, ignore_errors=True)
        if not os.path.exists(path):
            return
