"""The interface for a background program, and its implementation without Qt."""

from __future__ import annotations

import contextlib
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from typing import BinaryIO, Protocol

from .text_lines import TextLines

STREAM_SECONDS = 2.0
"""Time to wait for the output after the program's end, because a child may keep it open."""


class Runner(Protocol):
    """Runs one background program, once.

    Set the three callbacks before :meth:`start`. They are called on the thread that called it:
    ``on_line`` for every line of the standard output, ``on_error_text`` for the standard error,
    and ``on_ended`` once at the end, after all lines. The exit code is None if the program could
    not be started or was killed; the reason then explains this.
    """

    on_line: Callable[[str], None]
    on_error_text: Callable[[str], None]
    on_ended: Callable[[int | None, str], None]
    process_id: int | None

    def start(self, program: str, arguments: Sequence[str], environment: dict[str, str]) -> None:
        """Start the program; ``on_ended`` reports a failed start."""

    def write_line(self, text: str) -> None:
        """Write a line to the program's standard input, if the program still reads it."""

    def kill(self) -> None:
        """Kill the program and close its standard input."""

    def call_later(self, seconds: float, function: Callable[[], None]) -> None:
        """Call a function on this thread after a delay."""

    def pump(self, seconds: float) -> bool:
        """Deliver events, waiting at most ``seconds``; return True while the program runs."""

    def wait_for_end(self, seconds: float) -> bool:
        """Wait for ``on_ended``, at most ``seconds``; return True if it was called."""


class SubprocessRunner:
    """Runs a program for a caller that waits; :meth:`pump` delivers the events.

    >>> runner = SubprocessRunner()
    >>> runner.on_line = print
    >>> runner.start(sys.executable, ["-c", "print('hello')"], dict(os.environ))
    >>> while runner.pump(0.1):
    ...     pass
    hello
    """

    def __init__(self):
        self.on_line: Callable[[str], None] = lambda line: None
        self.on_error_text: Callable[[str], None] = lambda text: None
        self.on_ended: Callable[[int | None, str], None] = lambda exit_code, reason: None
        self.process_id: int | None = None
        self._process: subprocess.Popen | None = None
        self._events: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self._timers: list[tuple[float, Callable[[], None]]] = []
        self._running = False

    def start(self, program: str, arguments: Sequence[str], environment: dict[str, str]) -> None:
        self._running = True
        try:
            self._process = subprocess.Popen(
                [program, *arguments],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env=environment,
                bufsize=0,
                creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
            )
        except (OSError, ValueError) as error:
            reason = f"{program} could not be started: {getattr(error, 'strerror', None) or error}"
            self._events.put(lambda: self._end(None, reason))
            return
        self.process_id = self._process.pid
        threading.Thread(target=self._watch, daemon=True).start()

    def write_line(self, text: str) -> None:
        if self._process is not None and not self._process.stdin.closed:
            with contextlib.suppress(OSError):  # the program has ended; on_ended reports it
                self._process.stdin.write(text.encode() + b"\n")

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.stdin.close()

    def call_later(self, seconds: float, function: Callable[[], None]) -> None:
        self._timers.append((time.monotonic() + seconds, function))

    def wait_for_end(self, seconds: float) -> bool:
        deadline = time.monotonic() + seconds
        while self._running and time.monotonic() < deadline:
            self.pump(deadline - time.monotonic())
        return not self._running

    def pump(self, seconds: float) -> bool:
        """Deliver pending events, waiting at most ``seconds`` for the first.

        Returns True while the program runs. An exception of a callback is raised here; the
        remaining events wait for the next call.
        """
        now = time.monotonic()
        due = [seconds, *(when - now for when, _ in self._timers)]
        with contextlib.suppress(queue.Empty):
            if self._running:
                self._events.get(timeout=max(0.0, min(due)))()
            # Only the events that are queued now: a program may print faster than this reads.
            for _ in range(self._events.qsize()):
                if self._running:
                    self._events.get_nowait()()
        now = time.monotonic()
        ready = [function for when, function in self._timers if when <= now]
        self._timers = [timer for timer in self._timers if timer[0] > now]
        for function in ready:
            function()
        return self._running

    def _watch(self) -> None:
        """Report the program's end after the end of its output; runs on a thread of its own."""
        process = self._process
        readers = [
            threading.Thread(target=self._read, args=(process.stdout, self._line), daemon=True),
            threading.Thread(target=self._read, args=(process.stderr, self._text), daemon=True),
        ]
        for reader in readers:
            reader.start()
        code = process.wait()
        deadline = time.monotonic() + STREAM_SECONDS
        for reader in readers:
            reader.join(max(0.0, deadline - time.monotonic()))
        reason = f"it ended with exit code {code}"
        if code < 0:
            code, reason = None, f"it was ended by {_signal_name(-code)}"
        self._events.put(lambda: self._end(code, reason))

    def _read(self, stream: BinaryIO, deliver: Callable[[str], None]) -> None:
        lines = TextLines()
        with stream:
            while piece := stream.read(65536):
                for line in lines.feed(piece):
                    deliver(line)
        for line in lines.end():
            deliver(line)

    def _line(self, line: str) -> None:
        self._events.put(lambda: self.on_line(line))

    def _text(self, line: str) -> None:
        self._events.put(lambda: self.on_error_text(line + "\n"))

    def _end(self, code: int | None, reason: str) -> None:
        self._running = False
        if self._process is not None:
            self._process.stdin.close()
        self.on_ended(code, reason)


def _signal_name(number: int) -> str:
    try:
        return f"{signal.Signals(number).name} ({signal.strsignal(number)})"
    except ValueError:
        return f"signal {number} on {sys.platform}"
