"""All files of a command, or none of them."""

from __future__ import annotations

import contextlib
import os
import secrets
from pathlib import Path


class StagedFiles(contextlib.AbstractContextManager):
    """Files are written under temporary names and get their own when the block ends well.

    After an error, Ctrl-C included, nothing of them is left, nor a folder made for them.

    >>> with StagedFiles() as staged:
    ...     staged.path(Path("result.json")).write_text("{}")
    """

    def __init__(self):
        self._files: dict[Path, Path] = {}
        self._folders: list[Path] = []

    def folder(self, path: Path) -> None:
        """Make a folder if it is missing."""
        if not path.is_dir():
            path.mkdir()
            self._folders.append(path)

    def path(self, final: Path) -> Path:
        """Where to write what is to become ``final``; the suffix stays."""
        temporary = final.with_name(f".{secrets.token_hex(4)}-{final.name}")
        self._files[temporary] = final
        return temporary

    def __exit__(self, kind, error, trace) -> None:
        if kind is None:
            for temporary, final in self._files.items():
                os.replace(temporary, final)
            return
        for temporary in self._files:
            temporary.unlink(missing_ok=True)
        for folder in reversed(self._folders):
            with contextlib.suppress(OSError):
                folder.rmdir()
