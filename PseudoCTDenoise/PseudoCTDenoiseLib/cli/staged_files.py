"""All files of a command, or none of them."""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from ..errors import BadInputError
from ..temporary_files import temporary_name, with_cleanup

T = TypeVar("T")


def write_together(write: Callable[[StagedFiles], T]) -> T:
    """Return ``write(staged)``; what it wrote under temporary names then gets its own.

    After an error, Ctrl-C included, none of the files is left, nor a folder made for them. Once
    all are written, Ctrl-C comes too late: all get their names. A file that cannot be written, on
    a full disk for one, is a BadInputError with the file's own name.

    >>> write_together(lambda staged: staged.path(Path("result.json")).write_text("{}"))
    """
    staged = StagedFiles()

    def write_all() -> T:
        result = write(staged)
        staged.finish()
        return result

    try:
        return with_cleanup(write_all, staged.end)
    except (BadInputError, OSError) as error:
        raise BadInputError(staged.in_one_line(error)) from error


class StagedFiles:
    """Temporary names of files that are to appear together."""

    def __init__(self):
        self._files: dict[Path, Path] = {}
        self._folders: list[Path] = []
        self._complete = False

    def folder(self, path: Path) -> None:
        """Make a folder if it is missing."""
        if not path.is_dir():
            self._folders.append(path)
            path.mkdir()

    def path(self, final: Path) -> Path:
        """Return where to write what is to become ``final``; the suffix stays."""
        temporary = temporary_name(final)
        self._files[temporary] = final
        return temporary

    def finish(self) -> None:
        """Decide that the files get their names in :meth:`end`.

        Raises
        ------
        OSError
            If one of them was not written.
        """
        for temporary in self._files:
            if not temporary.exists():
                raise OSError(errno.ENOENT, os.strerror(errno.ENOENT), str(temporary))
        self._complete = True

    def end(self) -> None:
        """Name the files if they are complete, else remove them; may be repeated."""
        if self._complete:
            try:
                for temporary, final in self._files.items():
                    if temporary.exists():  # else it got its name before a signal came
                        os.replace(temporary, final)
            except OSError:
                self._complete = False
                self._remove()
                raise
        else:
            self._remove()

    def _remove(self) -> None:
        for temporary in self._files:
            with contextlib.suppress(OSError):
                temporary.unlink()
        for folder in reversed(self._folders):
            with contextlib.suppress(OSError):  # somebody else put a file there
                folder.rmdir()

    def in_one_line(self, error: Exception) -> str:
        """Return the error by the name that the file would have got."""
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
