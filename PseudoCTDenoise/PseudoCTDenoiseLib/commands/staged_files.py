"""All files of a command, or none of them."""

from __future__ import annotations

import contextlib
import os
import secrets
from pathlib import Path

from ..engine.errors import BadInputError


class StagedFiles(contextlib.AbstractContextManager):
    """Files are written under temporary names and get their own when the block ends well.

    After an error, Ctrl-C included, nothing of them is left, nor a folder made for them. A file
    that cannot be written, on a full disk for one, is a BadInputError with the file's own name.

    >>> with StagedFiles() as staged:
    ...     staged.path(Path("result.json")).write_text("{}")
    """

    def __init__(self):
        self._files: dict[Path, Path] = {}
        self._folders: list[Path] = []

    def folder(self, path: Path) -> None:
        """Make a folder if it is missing."""
        if not path.is_dir():
            self._folders.append(path)
            path.mkdir()

    def path(self, final: Path) -> Path:
        """Where to write what is to become ``final``; the suffix stays."""
        # Only the end of a long name, or the longest would be too long.
        temporary = final.with_name(f".{secrets.token_hex(4)}-{final.name[-16:]}")
        self._files[temporary] = final
        return temporary

    def __exit__(self, kind, error, trace) -> None:
        try:
            if kind is None:
                for temporary, final in self._files.items():
                    os.replace(temporary, final)
                return
        except OSError as fault:
            error = fault
        finally:
            for temporary in self._files:
                with contextlib.suppress(OSError):
                    temporary.unlink()
            for folder in reversed(self._folders):
                with contextlib.suppress(OSError):  # not empty after success
                    folder.rmdir()
        if isinstance(error, (BadInputError, OSError)):
            raise BadInputError(self._in_one_line(error)) from error

    def _in_one_line(self, error: Exception) -> str:
        """The error by the name that the file would have got."""
        text = str(error)
        if isinstance(error, OSError):
            # Not every library says which file it was; then it is the last one begun.
            name = error.filename or next(reversed(self._files.values()), "The folder")
            text = (
                f"{name} could not be written ({error.strerror or error}): free some space or "
                "choose another folder."
            )
        for temporary, final in self._files.items():
            text = text.replace(str(temporary), str(final)).replace(temporary.name, final.name)
        return text
