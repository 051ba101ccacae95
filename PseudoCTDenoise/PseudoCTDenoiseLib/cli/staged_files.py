"""Writing of several files together: all of them or none."""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from ..errors import BadInputError
from ..temporary_files import TemporaryFolder, link_file, with_cleanup

T = TypeVar("T")


def write_together(write: Callable[[StagedFiles], T]) -> T:
    """Return ``write(staged)``; then give the files that it wrote their final names.

    An error or a signal removes all files and the folders created for them, and older files stay or
    come back. This also holds if it comes between two renames.

    Raises
    ------
    BadInputError
        If a file cannot be written, for example on a full disk. The message states the final path.

    >>> write_together(lambda staged: staged.path(Path("result.json")).write_text("{}"))
    """
    staged = StagedFiles()

    def write_and_rename() -> T:
        result = write(staged)
        staged.rename()
        return result

    try:
        return with_cleanup(write_and_rename, staged.end)
    except (BadInputError, OSError) as error:
        raise BadInputError(staged.error_message(error)) from error


@dataclass
class _StagedFile:
    """A file under its temporary path, and the path that keeps an older file at ``final``."""

    temporary: Path
    final: Path
    older: Path
    had_older: bool = False

    def keep_older(self) -> None:
        """Keep the older file, which stays in its place until it is replaced."""
        self.had_older = os.path.lexists(self.final)
        if self.had_older:
            link_file(self.final, self.older)

    def rename(self) -> None:
        os.replace(self.temporary, self.final)

    def restore(self) -> None:
        """Undo :meth:`rename`; may be repeated."""
        if self.had_older:
            if os.path.lexists(self.older):
                os.replace(self.older, self.final)
        elif not self.temporary.exists():  # it was renamed
            os.replace(self.final, self.temporary)


class StagedFiles:
    """Temporary paths of files that are written together."""

    def __init__(self):
        self._files: list[_StagedFile] = []
        self._retired: list[_StagedFile] = []
        self._made: list[Path] = []
        self._temporary_folders: dict[Path, TemporaryFolder] = {}
        self._is_renaming = self._is_done = False

    def folder(self, path: Path) -> None:
        """Create a folder if it is missing."""
        if not path.is_dir():
            self._made.append(path)
            path.mkdir()

    def path(self, final: Path) -> Path:
        """Return the temporary path for the file ``final``, with the same name."""
        self._files.append(self._staged(final))
        return self._files[-1].temporary

    def retire(self, final: Path) -> None:
        """Remove an older file together with the renames, because it describes older results."""
        if final.is_file():
            self._retired.append(self._staged(final))

    def _staged(self, final: Path) -> _StagedFile:
        if final.parent not in self._temporary_folders:
            folder = self._temporary_folders[final.parent] = TemporaryFolder(final.parent)
            folder.create()
            for name in ("new", "old"):
                (folder.path / name).mkdir()
        folder = self._temporary_folders[final.parent].path
        return _StagedFile(folder / "new" / final.name, final, folder / "old" / final.name)

    def rename(self) -> None:
        """Give all files their final names.

        Raises
        ------
        OSError
            If one of them was not written or cannot get its name.
        """
        for file in self._files:
            if not file.temporary.exists():
                raise OSError(errno.ENOENT, os.strerror(errno.ENOENT), str(file.temporary))
        for file in (*self._files, *self._retired):
            file.keep_older()
        self._is_renaming = True
        for file in self._retired:
            file.final.unlink()
        for file in self._files:
            file.rename()
        self._is_done = True

    def end(self) -> None:
        """Undo what is unfinished and remove the temporary files; may be repeated."""
        if self._is_renaming and not self._is_done:
            for file in (*self._files, *self._retired):
                try:
                    file.restore()
                except OSError:  # the older file must not be removed with the temporary folder
                    self._temporary_folders[file.final.parent].keep()
            self._is_renaming = False
        for folder in self._temporary_folders.values():
            folder.remove()
        if not self._is_done:
            for made in reversed(self._made):
                with contextlib.suppress(OSError):  # another program put a file there
                    made.rmdir()

    def error_message(self, error: Exception) -> str:
        """Return the message of an error, with final instead of temporary paths."""
        text = str(error)
        if isinstance(error, OSError):
            # Some libraries do not state the file. It is then the last one begun.
            name = error.filename or (self._files[-1].final if self._files else "The folder")
            text = (
                f"{name} could not be written ({error.strerror or error}): free some space or "
                "choose another folder."
            )
        for file in self._files:
            text = text.replace(str(file.temporary), str(file.final))
        return text
