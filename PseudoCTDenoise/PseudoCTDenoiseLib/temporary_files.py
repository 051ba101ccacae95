"""Temporary files and folders that are removed whatever ends the work, a signal included.

Python raises KeyboardInterrupt between any two of its instructions. A ``with`` block leaves two
moments open: the folder exists and the block has not begun, or the block is over and ``__exit__``
has not begun. Here the cleanup is armed before there is anything to clean up, and a cleanup that is
interrupted is done again.
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
    """Return ``work()`` and call ``cleanup`` in any case, also if one signal interrupts either.

    ``cleanup`` is called twice, since the first call may be interrupted. It must do no harm if it
    is repeated, or if the work has not begun.
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
    """Return whether a frame runs within a cleanup of :func:`with_cleanup`."""
    while frame is not None:
        if frame.f_code is _clean_up.__code__:
            return True
        frame = frame.f_back
    return False


def remove_folder(path: str | os.PathLike) -> None:
    """Remove a folder with everything in it, if it is there."""

    def remove() -> None:
        # Another process or thread may still be writing: the next round removes what it added.
        for _ in range(3):
            _remove_tree(path)
            if not os.path.lexists(path):
                return

    with_cleanup(lambda: None, remove)


def _remove_tree(path: str | os.PathLike) -> None:
    """Remove what can be removed.

    :func:`shutil.rmtree` may close a file descriptor twice when a signal interrupts it, and then
    raises OSError in place of KeyboardInterrupt.
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
    foreign = False

    def work_there() -> T:
        nonlocal foreign
        try:
            os.mkdir(path, 0o700)
        except FileExistsError:
            foreign = True
            raise
        return work(path)

    return with_cleanup(work_there, lambda: foreign or remove_folder(path))


def temporary_name(final: Path) -> Path:
    """Return an unused hidden name in the same folder, with the same suffix."""
    # The end of a long name only, or the longest names would exceed what a file system allows.
    return final.with_name(f".{secrets.token_hex(4)}-{final.name[-16:]}")


def write_whole(path: str | os.PathLike, write: Callable[[Path], object]) -> None:
    """Write a file completely or not at all: ``write`` gets a temporary name, then it is renamed.

    An older file at ``path`` stays until then.
    """
    path = Path(path)
    temporary = temporary_name(path)

    def write_and_rename() -> None:
        write(temporary)
        os.replace(temporary, path)

    with_cleanup(write_and_rename, lambda: temporary.unlink(missing_ok=True))


def replace_file(path: str | os.PathLike, content: bytes) -> None:
    """Write bytes to a file completely or not at all."""
    write_whole(path, lambda temporary: temporary.write_bytes(content))
