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
from ..output_paths import link_target
from ..temporary_files import TemporaryFolder, link_file, with_cleanup
from .output_guard import CheckedFiles

T = TypeVar("T")

_PLACES = ("new", "old", "saved")
"""Folders for the new files, and for the older and the new files while names are exchanged."""


def write_together(write: Callable[[StagedFiles], T], checked: CheckedFiles | None = None) -> T:
    """Return ``write(staged)``; then give the files that it wrote their final names.

    An error or a signal removes all files and the folders created for them, and older files stay or
    come back. This also holds if it comes between two renames. The new files stay beside their
    final places, as ``new-NAME``, only if an older file must not or cannot be replaced: another
    program wrote it after the check, its permissions forbid it, or on Windows a program uses it.

    Parameters
    ----------
    checked : from :func:`.check_outputs`.

    Raises
    ------
    BadInputError
        If a file cannot be written, for example on a full disk. The message states the final path.
        If the new files stay, it says where.

    >>> write_together(lambda staged: staged.path(Path("result.json")).write_text("{}"))
    """
    staged = StagedFiles(checked or CheckedFiles(()))

    def write_and_rename() -> T:
        result = write(staged)
        staged.rename()
        return result

    try:
        return with_cleanup(write_and_rename, staged.end)
    except (BadInputError, OSError) as error:
        raise BadInputError(staged.error_message(error)) from error


def holds_files(folder: Path) -> bool:
    """Return True for a folder with files that are not hidden."""
    # File managers, and earlier runs that were killed, leave hidden files.
    return folder.is_dir() and any(not path.name.startswith(".") for path in folder.iterdir())


def free_name(path: Path) -> Path:
    """Return an unused name beside a path, for a file that must not take its place."""
    prefixes = chain(["new"], (f"new-{number}" for number in count(2)))
    paths = (path.with_name(f"{prefix}-{path.name}") for prefix in prefixes)
    return next(path for path in paths if not os.path.lexists(path))


@dataclass
class _StagedFile:
    """A file under its temporary path, and the path that keeps an older file at ``final``.

    ``final`` is ``given``, or the path to which a link there leads. The new file is saved at
    ``saved`` before the older one takes its place again.
    """

    folder: TemporaryFolder
    given: Path
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

    def keep(self, path: Path) -> None:
        """Give a new file that has no final name another one."""
        os.replace(self.saved if self.saved.exists() else self.temporary, path)


class StagedFiles:
    """Temporary paths of files that are written together."""

    def __init__(self, checked: CheckedFiles):
        self._checked = checked
        self._files: list[_StagedFile] = []
        self._retired: list[_StagedFile] = []
        self._made: list[Path] = []
        self._temporary_folders: dict[tuple[Path, Path], TemporaryFolder] = {}
        self._kept: list[Path] = []
        # Folders that must hold no other files, and those that get the new files otherwise.
        self._series_folders: dict[Path, Path | None] = {}
        self._is_renaming = self._is_done = self._is_refused = False

    def folder(self, path: Path, is_empty: bool = False) -> None:
        """Create a folder if it is missing.

        If ``is_empty`` is True, the folder must have no files when the new files get their names.
        Otherwise these get a folder of their own, ``new-NAME``.
        """
        if is_empty:
            self._series_folders[path] = None
        path = link_target(path)
        if not path.is_dir():
            self._made.append(path)
            path.mkdir()

    def path(self, given: Path) -> Path:
        """Return the temporary path for the file ``given``, with the same name.

        A link is followed: the file to which it leads is written, and the link stays.
        """
        self._files.append(self._staged(given))
        return self._files[-1].temporary

    def retire(self, given: Path) -> None:
        """Remove an older file together with the renames, because it describes older results."""
        if given.is_file():
            self._retired.append(self._staged(given))

    def _staged(self, given: Path) -> _StagedFile:
        final = link_target(given)
        key = given.parent, final.parent  # names are unique in the folder of the links
        if key not in self._temporary_folders:
            folder = self._temporary_folders[key] = TemporaryFolder(final.parent)
            folder.create()
            for name in _PLACES:
                (folder.path / name).mkdir()
        folder = self._temporary_folders[key]
        new, old, saved = (folder.path / name / given.name for name in _PLACES)
        return _StagedFile(folder, given, new, final, old, saved)

    def rename(self) -> None:
        """Give all files their final names.

        Raises
        ------
        OSError
            If one of them was not written or cannot get its name.
        BadInputError
            If another program wrote a file that would be replaced.
        """
        for file in self._files:
            if not file.temporary.exists():
                raise OSError(errno.ENOENT, os.strerror(errno.ENOENT), str(file.temporary))
        self._check_again()
        self._retired = [f for f in self._retired if not self._checked.is_changed(f.given)]
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

    def _check_again(self) -> None:
        """Refuse to replace files that appeared or changed during the work."""
        changed = [file.given for file in self._files if self._checked.is_changed(file.given)]
        for path in (*changed, *filter(holds_files, self._series_folders)):
            self._is_refused = True
            raise BadInputError(
                f"{path} appeared or changed during this run, so it is kept: choose another name."
            )

    def end(self) -> None:
        """Undo what is unfinished and remove the temporary files; may be repeated."""
        if self._is_renaming and not self._is_done:
            removed = (file for file in self._retired if not os.path.lexists(file.final))
            for file in (*self._files, *removed):
                try:
                    file.restore(save=self._is_refused and file in self._files)
                except OSError:  # the older file must not be removed with the temporary folder
                    file.folder.keep()
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
                path = self._free_place(file)
                file.keep(path)
                self._kept.append(path)
            except OSError:
                file.folder.keep()
                self._kept.append(file.saved if file.saved.exists() else file.temporary)

    def _free_place(self, file: _StagedFile) -> Path:
        """Return an unused path beside a file, or in a new folder beside that of its series."""
        series, name = file.given.parent, file.given.name
        if series not in self._series_folders:
            return free_name(file.final.with_name(name))
        folder = self._series_folders[series] or free_name(link_target(series))
        self._series_folders[series] = folder
        folder.mkdir(exist_ok=True)
        return folder / name

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
        for file in self._files + self._retired:
            for path in (file.temporary, file.older, file.saved):
                text = text.replace(str(path), str(file.final))
        if self._kept:
            folders = self._series_folders.values()
            kept = dict.fromkeys(p.parent if p.parent in folders else p for p in self._kept)
            text += f" The new result is kept as {', '.join(map(str, kept))}."
        return text
