"""The worker's line to its parent: messages out, commands in, and the end when it is cut."""

from __future__ import annotations

import os
import platform
import sys
import threading
import time
from collections.abc import Callable

from .protocol import (
    CANCEL,
    CANCELLED,
    DONE,
    PROTOCOL_VERSION,
    Hello,
    Message,
    encode,
    wanted_slice,
)
from .text_lines import TextLines

PATIENCE_SECONDS = 1.0
"""What the work has to look at :attr:`ParentLink.cancelled` before the process is ended."""
PARENT_SECONDS = 0.5
"""How often it is looked whether the parent still lives."""


def leave(code: int, tidy: Callable[[], None]) -> None:
    """Tidy up and end the process here."""
    try:
        tidy()
    finally:
        os._exit(code)


class ParentLink:
    """Takes the process's standard input and output for the protocol, and says hello.

    From then on whatever libraries print goes to the standard error, and whatever they read is
    empty. A thread reads the commands; ``cancelled`` is set when the parent cancels, closes the
    input or is gone. If the process has not ended :data:`PATIENCE_SECONDS` later, it is ended,
    in whatever library it may be stuck.

    Parameters
    ----------
    tidy : called before the process ends, unless it is done and its parent is there to take the
        result.
    """

    def __init__(self, tidy: Callable[[], None] = lambda: None):
        self.cancelled = False
        self.orphaned = False
        self.preview_slice: int | None = None
        self._tidy = tidy
        self._parent = os.getppid()
        # Windows locks up when a library that is loading looks at a standard input from which
        # a thread is reading: the thread reads from a copy.
        self._input, self._output = os.dup(0), os.dup(1)
        nothing = os.open(os.devnull, os.O_RDONLY)
        os.dup2(nothing, 0)
        os.close(nothing)
        os.dup2(2, 1)
        sys.stdout = sys.stderr  # unlike that of a pipe, its buffer is a line
        self._say_lock = threading.Lock()
        self._stop_lock = threading.Lock()
        self.say(Hello(PROTOCOL_VERSION, os.getpid(), platform.python_version()))
        threading.Thread(target=self._read_commands, daemon=True).start()
        threading.Thread(target=self._watch_parent, daemon=True).start()

    def say(self, message: Message) -> None:
        """Write a message; one for a parent that is gone is dropped."""
        line = encode(message).encode("ascii")
        with self._say_lock:
            try:
                while line:
                    line = line[os.write(self._output, line) :]
            except OSError:
                self._stop(orphaned=True)

    def leave(self, code: int) -> None:
        """End the process here; what torch would still tidy up goes with it."""
        leave(code, self._tidy if self.orphaned or code != DONE else lambda: None)

    def _read_commands(self) -> None:
        lines = TextLines()
        while piece := self._read():
            for line in lines.feed(piece):
                command = line.strip()
                if command == CANCEL:
                    self._stop()
                elif (wanted := wanted_slice(command)) is not None:
                    self.preview_slice = wanted
        self._stop(orphaned=True)

    def _read(self) -> bytes:
        try:
            return os.read(self._input, 4096)
        except OSError:
            return b""

    def _watch_parent(self) -> None:
        """Notice a dead parent whose end of the pipe some other process holds open."""
        while os.getppid() == self._parent:
            time.sleep(PARENT_SECONDS)
        self._stop(orphaned=True)

    def _stop(self, orphaned: bool = False) -> None:
        self.orphaned |= orphaned
        with self._stop_lock:
            first, self.cancelled = not self.cancelled, True
        if first:
            timer = threading.Timer(PATIENCE_SECONDS, self.leave, [CANCELLED])
            timer.daemon = True
            timer.start()
