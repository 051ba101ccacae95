"""A program in the background of Slicer's window, on Qt's event loop."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from functools import partial

from .signals import call_each
from .text_lines import TextLines

_kept: set[QProcessRunner] = set()
"""Those that run: deleting a process blocks until it has ended, and in its own signal crashes."""


class QProcessRunner:
    """A :class:`.runner.Runner` whose news come while Qt's event loop runs."""

    def __init__(self):
        import qt

        self._qt = qt
        self.onLine: Callable[[str], None] = lambda line: None
        self.onErrorText: Callable[[str], None] = lambda text: None
        self.onEnded: Callable[[int | None, str], None] = lambda exitCode, reason: None
        self.processId: int | None = None
        self._lines = TextLines()
        self._errorLines = TextLines()
        self._news: deque[Callable[[], None]] = deque()
        self._telling = False
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
        process.connect("readyReadStandardOutput()", self._readOutput)
        process.connect("readyReadStandardError()", self._readError)
        process.connect("finished(int,QProcess::ExitStatus)", self._finished)
        process.connect("errorOccurred(QProcess::ProcessError)", self._errorOccurred)
        process.start(program, list(arguments))
        if self._running:
            self.processId = int(process.processId()) or None

    def writeLine(self, text: str) -> None:
        if self._running:
            self._process.write(text.encode() + b"\n")

    def kill(self) -> None:
        if self._running:
            self._process.kill()
            self._process.closeWriteChannel()

    def callLater(self, seconds: float, function: Callable[[], None]) -> None:
        self._qt.QTimer.singleShot(int(1000 * seconds), function)

    def pump(self, seconds: float) -> bool:
        self._qt.QCoreApplication.processEvents()
        return not self.waitForEnd(seconds)

    def waitForEnd(self, seconds: float) -> bool:
        if self._running:
            self._process.waitForFinished(int(1000 * seconds))
        return not self._running

    def _readOutput(self) -> None:
        piece = _bytes(self._process.readAllStandardOutput())
        self._tell(partial(self.onLine, line) for line in self._lines.feed(piece))

    def _readError(self) -> None:
        piece = _bytes(self._process.readAllStandardError())
        self._tell(partial(self.onErrorText, line + "\n") for line in self._errorLines.feed(piece))

    def _finished(self, exitCode: int, exitStatus: int) -> None:
        crashed = exitStatus == self._qt.QProcess.CrashExit
        reason = "it was killed or crashed" if crashed else f"it ended with exit code {exitCode}"
        self._end(None if crashed else exitCode, reason)

    def _errorOccurred(self, error: int) -> None:
        # Of all errors this one alone is not followed by `finished`.
        if error == self._qt.QProcess.FailedToStart:
            self.processId = None
            detail = self._process.errorString()
            self._end(None, f"{self._program} could not be started: {detail}")

    def _end(self, exitCode: int | None, reason: str) -> None:
        if not self._running:
            return
        self._running = False
        self._qt.QTimer.singleShot(0, lambda: _kept.discard(self))
        process = self._process
        process.disconnect("readyReadStandardOutput()", self._readOutput)
        process.disconnect("readyReadStandardError()", self._readError)
        process.disconnect("finished(int,QProcess::ExitStatus)", self._finished)
        process.disconnect("errorOccurred(QProcess::ProcessError)", self._errorOccurred)
        lines = self._lines.feed(_bytes(process.readAllStandardOutput())) + self._lines.end()
        errors = self._errorLines.feed(_bytes(process.readAllStandardError()))
        errors += self._errorLines.end()
        self._tell(
            [
                *(partial(self.onLine, line) for line in lines),
                *(partial(self.onErrorText, line + "\n") for line in errors),
                partial(self.onEnded, exitCode, reason),
            ]
        )

    def _tell(self, news) -> None:
        """Call what has come in its order, also where a call runs Qt's event loop meanwhile."""
        self._news.extend(news)
        if not self._telling:
            self._telling = True
            try:
                call_each(lambda one: one(), self._waitingNews())
            finally:
                self._telling = False

    def _waitingNews(self) -> Iterator[Callable[[], None]]:
        while self._news:
            yield self._news.popleft()


def _bytes(array) -> bytes:
    """A QByteArray's bytes; PythonQt may hand out text for what it takes for text."""
    content = array.data()
    return content.encode("utf-8", "surrogateescape") if isinstance(content, str) else content
