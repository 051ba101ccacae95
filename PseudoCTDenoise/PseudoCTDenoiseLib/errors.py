"""Exceptions that end a job early although the program works as intended, and lack of memory."""

from __future__ import annotations

import errno
import sys
import unicodedata

OUT_OF_MEMORY_ADVICE = (
    "Close other programs, choose fewer slices, or choose the CPU instead of a GPU."
)
_OUT_OF_MEMORY_WORDS = (
    "out of memory",
    "not enough memory",
    "allocate memory",
    "ALLOC_FAILED",
    "bad_alloc",
    "Failed to allocate",
    "failed to map segment",  # of a shared library, while it is loaded
    "start new thread",
    "error return without exception set",  # Python lacked the memory for a MemoryError
)
_GIB = 2**30


def printable(text: str) -> str:
    """Return a text on one line, with question marks for control characters.

    Names and headers may bring such characters to the terminal. Spaces of all widths stay, such as
    those in Japanese names.
    """
    return "".join(
        c if c.isprintable() or unicodedata.category(c) == "Zs" else "?"
        for c in " ".join(text.splitlines())
    )


class BadInputError(ValueError):
    """An input error that the user can fix.

    The message is one :func:`printable` line: what is wrong, then what to do.
    """

    def __init__(self, message: str):
        super().__init__(printable(message))


class Cancelled(Exception):
    """Exception that a progress callback raises to cancel the job; no result is written."""


def is_out_of_memory(error: BaseException) -> bool:
    """Return True if an error or one of its causes is lack of memory, on any device.

    Python, numpy, SimpleITK, torch and the system report it in different ways. An error that was
    raised ``from`` such an error, for example that a file cannot be read, hides the reason.
    """
    return _lack_of_memory(error) is not None


def out_of_memory_message(error: BaseException) -> str:
    """Return the description of an error for lack of memory, on one line.

    For the memory of a GPU it states its size, the part that the process used, and the free part.
    """
    error = _lack_of_memory(error) or error
    torch = sys.modules.get("torch")
    on_gpu = any(words in str(error) for words in ("CUDA", "CUDNN", "CUBLAS"))
    if on_gpu and torch is not None and torch.cuda.is_available():
        free, total = (size / _GIB for size in torch.cuda.mem_get_info())
        peak = torch.cuda.max_memory_allocated() / _GIB
        return (
            f"Not enough GPU memory: the GPU has {total:.1f} GiB, the job used {peak:.1f} GiB, "
            f"and {free:.1f} GiB are free now."
        )
    return f"Not enough memory ({one_line(error) or type(error).__name__})."


def one_line(error: BaseException) -> str:
    """Return an error's text on one line."""
    return " ".join(str(error).split())


def _lack_of_memory(error: BaseException | None) -> BaseException | None:
    """Return the first of an error and its causes that is lack of memory; None without one."""
    while error is not None and not _reports_lack_of_memory(error):
        error = error.__cause__
    return error


def _reports_lack_of_memory(error: BaseException) -> bool:
    if isinstance(error, MemoryError) or getattr(error, "errno", None) == errno.ENOMEM:
        return True
    return isinstance(error, (RuntimeError, ImportError, SystemError)) and any(
        words in str(error) for words in _OUT_OF_MEMORY_WORDS
    )
