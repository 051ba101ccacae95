"""Writing of several files together: all of them or none."""

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
    """Return ``write(staged)``; then rename the files that it wrote under temporary names.

    An error or Ctrl-C removes all files and the folders created for them. After the last file is
    written, Ctrl-C no longer has an effect: all files get their names.

    Raises
    ------
    BadInputError
        If a file cannot be written, for example on a full disk. The message states the final path.

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
        raise BadInputError(staged.error_message(error)) from error


class StagedFiles:
    """Temporary names of files that are written together."""

    def __init__(self):
        self._files: dict[Path, Path] = {}
        self._folders: list[Path] = []
        self._complete = False

    def folder(self, path: Path) -> None:
        """Create a folder if it is missing."""
        if not path.is_dir():
            self._folders.append(path)
            path.mkdir()

    def path(self, final: Path) -> Path:
        """Return the temporary path for the file ``final``, with the same suffix."""
        temporary = temporary_name(final)
        self._files[temporary] = final
        return temporary

    def finish(self) -> None:
        """Mark the files as complete, so that :meth:`end` renames them.

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
        """Rename the files if they are complete, else remove them; may be repeated."""
        if self._complete:
            try:
                for temporary, final in self._files.items():
                    if temporary.exists():  # else it was renamed before a signal came
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
            with contextlib.suppress(OSError):  # another program put a file there
                folder.rmdir()

    def error_message(self, error: Exception) -> str:
        """Return the message of an error, with final instead of temporary file names."""
        text = str(error)
        if isinstance(error, OSError):
            # Some libraries do not state the file. It is then the last one begun.
            name = error.filename or next(reversed(self._files.values()), "The folder")
            text = (
                f"{name} could not be written ({error.strerror or error}): free some space or "
                "choose another folder."
            )
        for temporary, final in self._files.items():
            text = text.replace(str(temporary), str(final)).replace(temporary.name, final.name)
        return text
