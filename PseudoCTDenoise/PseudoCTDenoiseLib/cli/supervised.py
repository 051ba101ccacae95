"""`pseudoct` as a child process that ends with its parent, however the parent ends.

The first argument is the process identifier of the parent.
"""

from __future__ import annotations

import os
import sys
import threading
import time

from ..exit_codes import CANCELLED
from .main import main

PARENT_SECONDS = 0.5
"""Interval at which the child checks that its parent is alive."""


def child_program() -> list[str]:
    """Return the start of a command line for a child of this process."""
    return [sys.executable, "-m", __name__, str(os.getpid())]


def _end_with(parent: int) -> None:
    """Exit when the parent has ended. Its folder for the job is then removed by its successor."""
    while os.getppid() == parent:
        time.sleep(PARENT_SECONDS)
    os._exit(CANCELLED)


if __name__ == "__main__":
    parent_id = int(sys.argv.pop(1))
    threading.Thread(target=_end_with, args=[parent_id], daemon=True).start()
    sys.exit(main())
