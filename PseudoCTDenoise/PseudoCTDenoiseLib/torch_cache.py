"""Keeps torch from creating a folder for compiled code, which this program never compiles."""

from __future__ import annotations

import os
from pathlib import Path


def create_no_torch_cache() -> None:
    """Name an existing folder as torch's cache, unless the user has named one.

    Torch otherwise creates an empty ``torchinductor_USER`` in the temporary folder and leaves it.
    It writes nothing there before it compiles code.
    """
    os.environ.setdefault("TORCHINDUCTOR_CACHE_DIR", str(Path(__file__).parent))
