"""`pseudoct` as a child process that ends with its parent, however the parent ends.

The standard input is a pipe that the parent keeps open. The system closes it with the parent. The
identifier of the parent would not do: on Windows it never changes, and in a virtual environment it
is that of a program between both.
"""

from __future__ import annotations

import os
import sys
import threading

from ..exit_codes import CANCELLED
from ..node.denoising_child import module_program
from ..standard_input import take_standard_input
from .main import main


def child_program() -> list[str]:
    """Return the start of a command line for a child of this process."""
    return module_program(__name__)


def _end_with_parent() -> None:
    """Exit when the parent has ended. Its folder for the job is then removed by its successor."""
    pipe = take_standard_input()

    def wait() -> None:
        os.read(pipe, 1)
        os._exit(CANCELLED)

    threading.Thread(target=wait, daemon=True).start()


if __name__ == "__main__":
    _end_with_parent()
    sys.exit(main())
