"""Mark of a job folder, which the worker looks for before it uses or removes a folder."""

from __future__ import annotations

import os
import re
import stat

from ..temporary_files import remove_folder

JOB_PREFIX = "PseudoCTDenoise-"
_MARK = "job.mark"
_NAME = re.compile(rf"{JOB_PREFIX}[0-9a-f]{{16}}")


def mark_job_folder(folder: str | os.PathLike) -> None:
    """Mark a new folder as that of a job, by its own name; OSError if it cannot be written."""
    path = os.path.join(folder, _MARK)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        os.write(descriptor, os.path.basename(folder).encode())
    finally:
        os.close(descriptor)


def is_job_folder(folder: str | os.PathLike) -> bool:
    """Return True if a process of this user made the folder for a job.

    A link to such a folder, a copy and a folder of another user are not job folders.
    """
    name = os.path.basename(folder)
    if _NAME.fullmatch(name) is None:
        return False
    try:
        made = os.lstat(folder)
        if not stat.S_ISDIR(made.st_mode) or _is_foreign(made):
            return False
        with open_file(os.path.join(folder, _MARK)) as mark:
            return mark.read(len(name) + 1) == name.encode()
    except OSError:
        return False


def remove_job_folder(folder: str | os.PathLike) -> None:
    """Remove a job folder and its content; any other folder stays."""
    if is_job_folder(folder):
        remove_folder(folder)


def open_file(path: str | os.PathLike):
    """Open a file for reading.

    Raises
    ------
    OSError
        If it is missing, or a link, a device or a FIFO, which could block.
    """
    flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
    descriptor = os.open(path, flags | getattr(os, "O_BINARY", 0))
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError("it is not a file")
        return open(descriptor, "rb")
    except BaseException:
        os.close(descriptor)
        raise


def _is_foreign(made: os.stat_result) -> bool:
    return hasattr(os, "geteuid") and made.st_uid != os.geteuid()
