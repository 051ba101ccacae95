"""Temporary files and folders that are removed when the work ends, including after a signal.

Python can raise KeyboardInterrupt between any two instructions. A ``with`` block is unprotected at
two moments: after the folder is made and before the block begins, and after the block and before
``__exit__`` begins. The functions here register the cleanup before there is anything to clean up,
and they repeat a cleanup that was interrupted.
"""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import TypeVar

T = TypeVar("T")


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
        for name in files:
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


def in_temporary_folder(parent: Path | str, prefix: str, work: Callable[[Path], T]) -> T:
    """Return ``work(folder)`` for a new folder in ``parent`` that only the user can read.

    The folder and everything in it are removed afterwards.
    """
    path = Path(parent) / f"{prefix}{secrets.token_hex(8)}"
    existed = False

    def work_there() -> T:
        nonlocal existed
        try:
            os.mkdir(path, 0o700)
        except FileExistsError:
            existed = True
            raise
        return work(path)

    return with_cleanup(work_there, lambda: existed or remove_folder(path))


def temporary_name(final: Path) -> Path:
    """Return an unused hidden name in the same folder, with the same suffix."""
    # A file system limits the length of a name, so only the end of a long name is kept.
    return final.with_name(f".{secrets.token_hex(4)}-{final.name[-16:]}")


def write_atomically(path: str | os.PathLike, write: Callable[[Path], object]) -> None:
    """Write a file completely or not at all.

    ``write`` gets a temporary name; the file is then renamed to ``path``. An older file at ``path``
    stays until the new one is complete.
    """
    path = Path(path)
    temporary = temporary_name(path)

    def write_and_rename() -> None:
        write(temporary)
        os.replace(temporary, path)

    with_cleanup(write_and_rename, lambda: temporary.unlink(missing_ok=True))


def replace_file(path: str | os.PathLike, content: bytes) -> None:
    """Write bytes to a file completely or not at all."""
    write_atomically(path, lambda temporary: temporary.write_bytes(content))
