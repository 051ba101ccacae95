"""The standard input of a child process as a pipe that its parent holds."""

from __future__ import annotations

import os


def take_standard_input() -> int:
    """Return a descriptor of the standard input for a thread; the standard input itself is empty.

    On Windows, loading a library deadlocks while a thread reads from the standard input.
    """
    pipe, nothing = os.dup(0), os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    return pipe
