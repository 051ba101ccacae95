"""Writing of several files together: all of them or none."""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Callable
from dataclasses import dataclass
from itertools import chain, count
from pathlib import Path
from typing import TypeVar

from ..errors import BadInputError
from ..temporary_files import TemporaryFolder, link_file, with_cleanup

T = TypeVar("T")

_PLACES = ("new", "old", "saved")
"""Folders for the new files, and for the older and the new files while names are exchanged."""


def write_together(write: Callable[[StagedFiles], T]) -> T:
    """Return ``write(staged)``; then give the files that it wrote their final names.

    An error or a signal removes all files and the folders created for them, and older files stay or
    come back. This also holds if it comes between two renames. Only if an older file cannot be
    replaced because of its permissions, or on Windows because a program uses it, do the new files
    stay beside their final places, as ``new-NAME``.

    Raises
    ------
    BadInputError
        If a file cannot be written, for example on a full disk. The message states the final path.
        If the new files stay, it says where.

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
    """A file under its temporary path, and the path that keeps an older file at ``final``.

    The new file is saved at ``saved`` before the older one takes its place again.
    """

    temporary: Path
    final: Path
    older: Path
    saved: Path
    had_older: bool = False

    def keep_older(self) -> None:
        """Keep the older file, which stays in its place until it is replaced."""
        self.had_older = os.path.lexists(self.final)
        if self.had_older:
            link_file(self.final, self.older)

    def rename(self) -> None:
        os.replace(self.temporary, self.final)

    def restore(self, save: bool) -> None:
        """Undo :meth:`rename`, after the new file is saved if ``save`` is True; may be repeated."""
        is_renamed = not self.temporary.exists()
        if self.had_older:
            if is_renamed and os.path.lexists(self.older):
                if save and not self.saved.exists():
                    link_file(self.final, self.saved)
                os.replace(self.older, self.final)
        elif is_renamed:
            os.replace(self.final, self.temporary)

    def keep(self) -> Path:
        """Give a new file that has no final name another one beside it, and return it."""
        prefixes = chain(["new"], (f"new-{number}" for number in count(2)))
        paths = (self.final.with_name(f"{prefix}-{self.final.name}") for prefix in prefixes)
        path = next(path for path in paths if not os.path.lexists(path))
        os.replace(self.saved if self.saved.exists() else self.temporary, path)
        return path


class StagedFiles:
    """Temporary paths of files that are written together."""

    def __init__(self):
        self._files: list[_StagedFile] = []
        self._retired: list[_StagedFile] = []
        self._made: list[Path] = []
        self._temporary_folders: dict[Path, TemporaryFolder] = {}
        self._kept: list[Path] = []
        self._is_renaming = self._is_done = self._is_refused = False

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
            for name in _PLACES:
                (folder.path / name).mkdir()
        folder = self._temporary_folders[final.parent].path
        new, old, saved = (folder / name / final.name for name in _PLACES)
        return _StagedFile(new, final, old, saved)

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
        try:
            for file in (*self._files, *self._retired):
                file.keep_older()
            self._is_renaming = True
            for file in self._retired:
                file.final.unlink()
            for file in self._files:
                file.rename()
        except PermissionError:
            self._is_refused = True
            raise
        self._is_done = True

    def end(self) -> None:
        """Undo what is unfinished and remove the temporary files; may be repeated."""
        if self._is_renaming and not self._is_done:
            removed = (file for file in self._retired if not os.path.lexists(file.final))
            for file in (*self._files, *removed):
                try:
                    file.restore(save=self._is_refused and file in self._files)
                except OSError:  # the older file must not be removed with the temporary folder
                    self._temporary_folders[file.final.parent].keep()
            self._is_renaming = False
        if self._is_refused:
            self._keep_new_files()
        for folder in self._temporary_folders.values():
            folder.remove()
        if not self._is_done:
            for made in reversed(self._made):
                with contextlib.suppress(OSError):  # another program put a file there
                    made.rmdir()

    def _keep_new_files(self) -> None:
        """Give the new files other names, or keep them in the temporary folder."""
        for file in self._files[len(self._kept) :]:
            try:
                self._kept.append(file.keep())
            except OSError:
                self._temporary_folders[file.final.parent].keep()
                self._kept.append(file.saved if file.saved.exists() else file.temporary)

    def error_message(self, error: Exception) -> str:
        """Return the message of an error, with final instead of temporary paths."""
        text = str(error)
        if isinstance(error, OSError):
            # Some libraries do not state the file. It is then the last one begun.
            name = error.filename or (self._files[-1].final if self._files else "The folder")
            reason = error.strerror or error
            if self._kept:
                text = f"{name} could not be replaced ({reason}): close the programs that use it."
            else:
                text = (
                    f"{name} could not be written ({reason}): free some space or choose another "
                    "folder."
                )
        for file in self._files:
            text = text.replace(str(file.temporary), str(file.final))
        if self._kept:
            text += f" The new result is kept as {', '.join(map(str, self._kept))}."
        return text
