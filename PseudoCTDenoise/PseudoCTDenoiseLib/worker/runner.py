"""How a program is run in the background: what a job needs of it, and the way without Qt."""

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
"""What the program's output is waited for after its end: a process that it left behind may hold
it open."""


class Runner(Protocol):
    """A program in the background. One runner runs one program, once.

    The three callbacks are set before :meth:`start` and called on the thread that started it:
    for every line of the standard output, for the standard error as it comes, and once at the
    end, after all lines. The end's exit code is None where there is none (the program could not
    be started, or was killed), and the reason then says so.
    """

    onLine: Callable[[str], None]
    onErrorText: Callable[[str], None]
    onEnded: Callable[[int | None, str], None]
    processId: int | None

    def start(self, program: str, arguments: Sequence[str], environment: dict[str, str]) -> None:
        """Start; that it failed is told by ``onEnded``, at once or later."""

    def writeLine(self, text: str) -> None:
        """Write a line to the program's standard input, if it still reads it."""

    def kill(self) -> None:
        """End the program at once and close its standard input."""

    def callLater(self, seconds: float, function: Callable[[], None]) -> None:
        """Call a function on this thread when some time is over."""

    def pump(self, seconds: float) -> bool:
        """Deliver what has come, waiting at most so long; whether the program runs."""

    def waitForEnd(self, seconds: float) -> bool:
        """Wait for ``onEnded``, at most so long; whether it came."""


class SubprocessRunner:
    """Runs a program for a caller that waits: :meth:`pump` delivers what happened meanwhile.

    >>> runner = SubprocessRunner()
    >>> runner.onLine = print
    >>> runner.start(sys.executable, ["-c", "print('hello')"], dict(os.environ))
    >>> while runner.pump(0.1):
    ...     pass
    hello
    """

    def __init__(self):
        self.onLine: Callable[[str], None] = lambda line: None
        self.onErrorText: Callable[[str], None] = lambda text: None
        self.onEnded: Callable[[int | None, str], None] = lambda exitCode, reason: None
        self.processId: int | None = None
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
        self.processId = self._process.pid
        threading.Thread(target=self._watch, daemon=True).start()

    def writeLine(self, text: str) -> None:
        if self._process is not None and not self._process.stdin.closed:
            with contextlib.suppress(OSError):  # it has ended, which is told elsewhere
                self._process.stdin.write(text.encode() + b"\n")

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.stdin.close()

    def callLater(self, seconds: float, function: Callable[[], None]) -> None:
        self._timers.append((time.monotonic() + seconds, function))

    def waitForEnd(self, seconds: float) -> bool:
        deadline = time.monotonic() + seconds
        while self._running and time.monotonic() < deadline:
            self.pump(deadline - time.monotonic())
        return not self._running

    def pump(self, seconds: float) -> bool:
        """Deliver what has come, waiting at most so long for a first event.

        Returns whether the program runs. What a callback raises is raised here, and the events
        after it wait for the next call.
        """
        now = time.monotonic()
        due = [seconds, *(when - now for when, _ in self._timers)]
        with contextlib.suppress(queue.Empty):
            if self._running:
                self._events.get(timeout=max(0.0, min(due)))()
            # Those that came by now: a program may print faster than it is listened to.
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
        """The program's end, after the ends of what it wrote; runs on a thread of its own."""
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

    def _read(self, stream: BinaryIO, tell: Callable[[str], None]) -> None:
        lines = TextLines()
        with stream:
            while piece := stream.read(65536):
                for line in lines.feed(piece):
                    tell(line)
        for line in lines.end():
            tell(line)

    def _line(self, line: str) -> None:
        self._events.put(lambda: self.onLine(line))

    def _text(self, line: str) -> None:
        self._events.put(lambda: self.onErrorText(line + "\n"))

    def _end(self, code: int | None, reason: str) -> None:
        self._running = False
        if self._process is not None:
            self._process.stdin.close()
        self.onEnded(code, reason)


def _signal_name(number: int) -> str:
    try:
        return f"{signal.Signals(number).name} ({signal.strsignal(number)})"
    except ValueError:
        return f"signal {number} on {sys.platform}"
