"""The worker's connection to its parent: messages out, commands in, exit when it breaks."""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable

from ..exit_codes import CANCELLED, DONE
from ..standard_input import take_standard_input
from .protocol import CANCEL, PROTOCOL_VERSION, Alive, Hello, Message, encode, wanted_slice
from .text_lines import TextLines

PATIENCE_SECONDS = 1.0
"""Time that the work has to notice :attr:`ParentLink.cancelled` before the process exits."""
PARENT_SECONDS = 0.5
"""Interval at which the worker checks that its parent is alive."""
ALIVE_SECONDS = 5.0
"""Interval at which the worker shows its parent that it is alive."""


def leave(code: int, tidy: Callable[[], None]) -> None:
    """Call ``tidy`` and exit the process immediately."""
    try:
        tidy()
    finally:
        os._exit(code)


class ParentLink:
    """Reserves the process's standard input and output for the protocol, and says hello.

    From then on, the output of libraries goes to the standard error, and their standard input is
    empty. A thread reads the commands. ``cancelled`` is set when the parent cancels, closes the
    input or dies. If the process still runs :data:`PATIENCE_SECONDS` later, it exits, even while
    a library blocks it.

    Parameters
    ----------
    tidy : called before the process exits, unless the work is done and the parent can read the
        result.
    """

    def __init__(self, tidy: Callable[[], None] = lambda: None):
        self.cancelled = False
        self.orphaned = False
        self.preview_slice: int | None = None
        self._tidy = tidy
        self._parent = os.getppid()
        self._input, self._output = take_standard_input(), os.dup(1)
        os.dup2(2, 1)
        sys.stdout = sys.stderr  # line-buffered, while the buffer of a pipe is a block
        self._say_lock = threading.Lock()
        self._stop_lock = threading.Lock()
        self.say(Hello(PROTOCOL_VERSION, os.getpid()))
        threading.Thread(target=self._read_commands, daemon=True).start()
        threading.Thread(target=self._watch_parent, daemon=True).start()
        threading.Thread(target=self._show_life, daemon=True).start()

    def say(self, message: Message) -> None:
        """Write a message; it is dropped if the parent is dead."""
        line = encode(message).encode("ascii")
        with self._say_lock:
            try:
                while line:
                    line = line[os.write(self._output, line) :]
            except OSError:
                self._stop(orphaned=True)

    def leave(self, code: int) -> None:
        """Exit the process immediately, without the clean-up of torch."""
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
        """Notice a dead parent even if another process keeps its end of the pipe open."""
        while os.getppid() == self._parent:
            time.sleep(PARENT_SECONDS)
        self._stop(orphaned=True)

    def _show_life(self) -> None:
        while not self.cancelled:
            time.sleep(ALIVE_SECONDS)
            self.say(Alive())

    def _stop(self, orphaned: bool = False) -> None:
        self.orphaned |= orphaned
        with self._stop_lock:
            first, self.cancelled = not self.cancelled, True
        if first:
            timer = threading.Timer(PATIENCE_SECONDS, self.leave, [CANCELLED])
            timer.daemon = True
            timer.start()
