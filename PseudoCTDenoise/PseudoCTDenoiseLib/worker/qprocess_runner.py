"""Runs a background program on the event loop of Slicer's window."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial

from .signals import call_each
from .text_lines import TextLines

_kept: set[QProcessRunner] = set()
"""Active runners, kept because deleting a running QProcess blocks, or crashes in its own signal."""


class QProcessRunner:
    """A :class:`.runner.Runner` that delivers its events while Qt's event loop runs."""

    def __init__(self):
        import qt

        self._qt = qt
        self.on_line: Callable[[str], None] = lambda line: None
        self.on_error_text: Callable[[str], None] = lambda text: None
        self.on_ended: Callable[[int | None, str], None] = lambda exit_code, reason: None
        self.process_id: int | None = None
        self._lines = TextLines()
        self._error_lines = TextLines()
        self._events: deque[Callable[[], None]] = deque()
        self._delivering = False
        self._program = ""
        self._running = False
        self._process = qt.QProcess()

    def start(self, program: str, arguments: Sequence[str], environment: dict[str, str]) -> None:
        variables = self._qt.QProcessEnvironment()
        for name, value in environment.items():
            variables.insert(name, value)
        self._program = program
        self._running = True
        _kept.add(self)
        process = self._process
        process.setProcessEnvironment(variables)
        process.connect("readyReadStandardOutput()", self._read_output)
        process.connect("readyReadStandardError()", self._read_error)
        process.connect("finished(int,QProcess::ExitStatus)", self._finished)
        process.connect("errorOccurred(QProcess::ProcessError)", self._error_occurred)
        process.start(program, list(arguments))
        if self._running:
            self.process_id = int(process.processId()) or None

    def write_line(self, text: str) -> None:
        if self._running:
            self._process.write(text.encode() + b"\n")

    def kill(self) -> None:
        if self._running:
            self._process.kill()
            self._process.closeWriteChannel()

    def call_later(self, seconds: float, function: Callable[[], None]) -> None:
        self._qt.QTimer.singleShot(int(1000 * seconds), function)

    def pump(self, seconds: float) -> bool:
        self._qt.QCoreApplication.processEvents()
        return not self.wait_for_end(seconds)

    def wait_for_end(self, seconds: float) -> bool:
        if self._running:
            self._process.waitForFinished(int(1000 * seconds))
        return not self._running

    def _read_output(self) -> None:
        piece = _bytes(self._process.readAllStandardOutput())
        self._deliver(partial(self.on_line, line) for line in self._lines.feed(piece))

    def _read_error(self) -> None:
        piece = _bytes(self._process.readAllStandardError())
        self._deliver(
            partial(self.on_error_text, line + "\n") for line in self._error_lines.feed(piece)
        )

    def _finished(self, exit_code: int, exit_status: int) -> None:
        crashed = exit_status == self._qt.QProcess.CrashExit
        reason = "it was killed or crashed" if crashed else f"it ended with exit code {exit_code}"
        self._end(None if crashed else exit_code, reason)

    def _error_occurred(self, error: int) -> None:
        # This is the only error without a `finished` signal after it.
        if error == self._qt.QProcess.FailedToStart:
            self.process_id = None
            detail = self._process.errorString()
            self._end(None, f"{self._program} could not be started: {detail}")

    def _end(self, exit_code: int | None, reason: str) -> None:
        if not self._running:
            return
        self._running = False
        self._qt.QTimer.singleShot(0, lambda: _kept.discard(self))
        process = self._process
        process.disconnect("readyReadStandardOutput()", self._read_output)
        process.disconnect("readyReadStandardError()", self._read_error)
        process.disconnect("finished(int,QProcess::ExitStatus)", self._finished)
        process.disconnect("errorOccurred(QProcess::ProcessError)", self._error_occurred)
        lines = self._lines.feed(_bytes(process.readAllStandardOutput())) + self._lines.end()
        errors = self._error_lines.feed(_bytes(process.readAllStandardError()))
        errors += self._error_lines.end()
        self._deliver(
            [
                *(partial(self.on_line, line) for line in lines),
                *(partial(self.on_error_text, line + "\n") for line in errors),
                partial(self.on_ended, exit_code, reason),
            ]
        )

    def _deliver(self, events: Iterable[Callable[[], None]]) -> None:
        """Call the events in order, even if a callback runs Qt's event loop."""
        self._events.extend(events)
        if not self._delivering:
            self._delivering = True
            try:
                call_each(lambda event: event(), self._waiting_events())
            finally:
                self._delivering = False

    def _waiting_events(self) -> Iterator[Callable[[], None]]:
        while self._events:
            yield self._events.popleft()


def _bytes(array) -> bytes:
    """Return the bytes of a QByteArray, which PythonQt may convert to text."""
    content = array.data()
    return content.encode("utf-8", "surrogateescape") if isinstance(content, str) else content
