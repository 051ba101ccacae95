"""Exceptions that end a job early although the program works as intended, and lack of memory."""

from __future__ import annotations

import sys

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
)
_GIB = 2**30


class BadInputError(ValueError):
    """An input error that the user can fix.

    The message is one line: what is wrong, then what to do. Control characters, which names and
    headers may bring to the terminal, become question marks.
    """

    def __init__(self, message: str):
        line = " ".join(message.splitlines())
        super().__init__("".join(c if c.isprintable() else "?" for c in line))


class Cancelled(Exception):
    """Exception that a progress callback raises to cancel the job; no result is written."""


def is_out_of_memory(error: BaseException) -> bool:
    """Return True if numpy, SimpleITK or torch ran out of memory, on any device."""
    if isinstance(error, MemoryError):
        return True
    return isinstance(error, RuntimeError) and any(
        words in str(error) for words in _OUT_OF_MEMORY_WORDS
    )


def out_of_memory_message(error: BaseException) -> str:
    """Return the description of an error for lack of memory, on one line.

    For the memory of a GPU it states its size, the part that the process used, and the free part.
    """
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
