"""Temporary files and folders that are removed when the work ends, including after a signal.

Python can raise KeyboardInterrupt between any two instructions. A ``with`` block is unprotected at
two moments: after the folder is made and before the block begins, and after the block and before
``__exit__`` begins. The functions here register the cleanup before there is anything to clean up,
and they repeat a cleanup that was interrupted.
"""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType
from typing import BinaryIO, TypeVar

from .errors import BadInputError
from .folder_lock import LOCK, is_abandoned, lock_folder
from .output_paths import link_target

T = TypeVar("T")

_PREFIX = ".pseudoct-"


def with_cleanup(work: Callable[[], T], cleanup: Callable[[], object]) -> T:
    """Return ``work()`` and always call ``cleanup``, even if a signal interrupts one of them.

    ``cleanup`` is called twice, since the first call may be interrupted. It must be
    harmless if it is repeated, or if the work has not begun.
    """
    try:
        try:
            return work()
        finally:
            _clean_up(cleanup)
    finally:
        _clean_up(cleanup)


def _clean_up(cleanup: Callable[[], object]) -> None:
    cleanup()


def is_cleaning_up(frame: FrameType | None) -> bool:
    """Return True if a frame runs inside a cleanup of :func:`with_cleanup`."""
    while frame is not None:
        if frame.f_code is _clean_up.__code__:
            return True
        frame = frame.f_back
    return False


def remove_folder(path: str | os.PathLike) -> None:
    """Remove a folder and its content, if it exists."""

    def remove() -> None:
        # Another process or thread may still be writing. The next round removes its files.
        for _ in range(3):
            _remove_tree(path)
            if not os.path.lexists(path):
                return

    with_cleanup(lambda: None, remove)


def _remove_tree(path: str | os.PathLike) -> None:
    """Remove a folder tree and ignore errors.

    :func:`shutil.rmtree` may close a file descriptor twice when a signal interrupts it, and then
    raises OSError instead of KeyboardInterrupt.
    """
    for parent, folders, files in os.walk(path, topdown=False):
        # The lock goes last: without it, the rest of a folder would stay if this process is killed.
        for name in sorted(files, key=lambda name: name == LOCK):
            with contextlib.suppress(OSError):
                os.unlink(os.path.join(parent, name))
        for name in folders:
            _remove_entry(os.path.join(parent, name))
    _remove_entry(path)


def _remove_entry(path: str | os.PathLike) -> None:
    """Remove an empty folder, or a link to a folder but not the folder itself."""
    with contextlib.suppress(OSError):
        if os.path.islink(path):
            os.unlink(path)
        else:
            os.rmdir(path)


def temporary_parent() -> str:
    """Return the system's folder for temporary files.

    Raises
    ------
    BadInputError
        If no such folder can be written to.
    """
    with explain_temporary_errors():
        return os.path.abspath(tempfile.gettempdir())


@contextlib.contextmanager
def explain_temporary_errors() -> Iterator[None]:
    """Turn an error while writing to the system's temporary folder into a message for the user.

    Raises
    ------
    BadInputError
        Instead of an OSError.
    """
    try:
        yield
    except OSError as error:
        raise BadInputError(
            f"Cannot create a temporary file ({error.strerror or error}). Free some space, or set "
            "TMPDIR (on Windows TEMP) to a folder that can be written to."
        ) from error


def temporary_file() -> BinaryIO:
    """Return a new file without a name in the system's folder for temporary files.

    Raises
    ------
    BadInputError
        If it cannot be created.
    """
    with explain_temporary_errors():
        return tempfile.TemporaryFile(dir=temporary_parent())


class TemporaryFolder:
    """A new folder in ``parent`` that only the user can read; its name begins with ``prefix``.

    It has a name before it exists, so the caller can arrange its removal first.
    """

    def __init__(self, parent: Path | str, prefix: str = _PREFIX):
        self.path = Path(parent) / f"{prefix}{secrets.token_hex(8)}"
        self._prefix = prefix
        self._is_kept = False
        self._lock: int | None = None

    def create(self) -> None:
        """Create the folder, and remove those that killed processes left beside it."""
        remove_abandoned(self.path.parent, self._prefix)
        try:
            os.mkdir(self.path, 0o700)
        except FileExistsError:
            self._is_kept = True
            raise
        self._lock = lock_folder(self.path)

    def keep(self) -> None:
        """Keep the folder: neither :meth:`remove` nor a later process removes it."""
        self._is_kept = True
        (self.path / LOCK).unlink(missing_ok=True)

    def remove(self) -> None:
        """Remove the folder and its content, if it exists; may be repeated."""
        if not self._is_kept:
            remove_folder(self.path)
        if self._lock is not None:
            lock, self._lock = self._lock, None
            os.close(lock)


def remove_abandoned(parent: Path, prefix: str) -> None:
    """Remove the folders of a prefix whose processes were killed."""
    its_name = re.compile(rf"{re.escape(prefix)}[0-9a-f]{{16}}")
    with contextlib.suppress(OSError):
        for name in filter(its_name.fullmatch, os.listdir(parent)):
            if is_abandoned(parent / name):
                remove_folder(parent / name)


def in_temporary_folder(parent: Path | str, work: Callable[[Path], T]) -> T:
    """Return ``work(folder)`` for a new :class:`TemporaryFolder`, which is removed afterwards."""
    folder = TemporaryFolder(parent)

    def work_there() -> T:
        folder.create()
        return work(folder.path)

    return with_cleanup(work_there, folder.remove)


def write_atomically(path: str | os.PathLike, write: Callable[[Path], object]) -> None:
    """Write a file completely or not at all.

    ``write`` gets a path with the same suffix in a temporary folder; the file is then moved to
    ``path``, or to where a link there leads. An older file stays until the new one is complete.

    Raises
    ------
    BadInputError
        If it cannot be written, for example on a full disk.
    """
    path = link_target(Path(path))

    def write_and_rename(folder: Path) -> None:
        temporary = folder / f"file{path.suffix}"
        write(temporary)
        os.replace(temporary, path)

    try:
        in_temporary_folder(path.parent, write_and_rename)
    except OSError as error:
        raise BadInputError(
            f"{path} could not be written ({error.strerror or error}): free some space or choose "
            "another folder."
        ) from error


def replace_file(path: str | os.PathLike, content: bytes) -> None:
    """Write bytes to a file completely or not at all; see :func:`write_atomically`."""
    write_atomically(path, lambda temporary: temporary.write_bytes(content))


def link_file(path: Path, copy: Path) -> None:
    """Make ``copy`` a second name of a file, or a copy where hard links do not exist."""
    if path.is_symlink():
        copy.symlink_to(os.readlink(path))
        return
    try:
        os.link(path, copy)
    except OSError:
        shutil.copy2(path, copy)
