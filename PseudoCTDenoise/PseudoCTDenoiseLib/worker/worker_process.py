"""The life of the worker as its parent sees it, from the start to one of three ends."""

from __future__ import annotations

import contextlib
import enum
import os
import signal
import subprocess
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

from ..errors import BadInputError
from .protocol import (
    CANCEL,
    DONE,
    PROTOCOL_VERSION,
    Device,
    Failure,
    Hello,
    Log,
    Message,
    decode,
)
from .python_program import WORKER, pythonProgram, workerEnvironment
from .runner import Runner
from .signals import Signal

GRACE_SECONDS = 1.5
"""What a worker has to end by itself when it is asked to; it takes one second at most."""
GIVE_UP_SECONDS = 1.9
"""A killed process that is slow to go (one waits for a GPU's driver) is not waited for longer."""
TAIL_LINES = 40


class JobState(enum.Enum):
    IDLE = "idle"
    STARTING = "starting"
    RUNNING = "running"
    CANCELLING = "cancelling"
    COMPLETED = "completed"
    CANCELLED = "cancelled"
    FAILED = "failed"

    @property
    def isOver(self) -> bool:
        return self in (JobState.COMPLETED, JobState.CANCELLED, JobState.FAILED)

    @property
    def isActive(self) -> bool:
        return not self.isOver and self is not JobState.IDLE


@dataclass(frozen=True)
class JobFailure:
    """Why there is no result, in words; ``standardError`` is the end of what the worker printed.

    ``kind`` is "bad-input", "no-torch", "out-of-memory", "fault" (the worker said so itself),
    "not-started", "died", "protocol" or "bad-result".
    """

    kind: str
    message: str
    whatToDo: str = ""
    standardError: str = ""


class WorkerProcess:
    """What a denoising job and a check of the device have in common.

    A state that is over is reached exactly once, whatever the process does, and then nothing of
    the process is left. Of the state, the result or the failure, everything is in place before
    the signals ``stateChanged(state)`` and ``ended(state)`` are emitted. ``logged(text)`` has the
    lines that the worker and its libraries print, ``deviceReported(Device)`` comes when torch is
    loaded.

    Parameters
    ----------
    runner : runs the program, and has the clock for what is done later.
    program, environment : Python and its variables; None for those of the module.
    """

    def __init__(
        self,
        runner: Runner,
        program: str | None = None,
        environment: dict[str, str] | None = None,
    ):
        self.state = JobState.IDLE
        self.device: Device | None = None
        self.failure: JobFailure | None = None
        self.stateChanged = Signal()
        self.deviceReported = Signal()
        self.logged = Signal()
        self.ended = Signal()
        self._runner = runner
        self._program = program or pythonProgram()
        self._environment = environment or workerEnvironment(self._program)
        self._workerId: int | None = None
        self._errorTail: deque[str] = deque(maxlen=TAIL_LINES)
        runner.onLine = self._onLine
        runner.onErrorText = self._onErrorText
        runner.onEnded = self._onEnded

    def start(self) -> None:
        """Start the worker. That this failed is told as any other failure, by the state."""
        if self.state is not JobState.IDLE:
            raise RuntimeError("A job is started once: make a new one.")
        try:
            self._setState(JobState.STARTING)
            if self.state is JobState.STARTING:
                arguments = [str(WORKER), *self._prepare()]
                self._runner.start(self._program, arguments, self._environment)
            else:  # cancelled by what was connected to the signal
                self._end(JobState.CANCELLED)
        except BadInputError as error:
            self._fail("bad-input", str(error))
        except BaseException as error:
            self._kill()
            self._fail("fault", f"{type(error).__name__}: {error}")
            raise

    def cancel(self) -> None:
        """Ask the worker to end; if it does not, it is killed. Takes less than two seconds."""
        if self.state not in (JobState.STARTING, JobState.RUNNING):
            return
        self._runner.writeLine(CANCEL)
        self._runner.callLater(GRACE_SECONDS, self._kill)
        self._runner.callLater(GIVE_UP_SECONDS, lambda: self._end(JobState.CANCELLED))
        self._setState(JobState.CANCELLING)

    def abort(self) -> None:
        """End the worker now, and return when it is gone: for when the window closes."""
        if not self.state.isActive:
            return
        self.state = JobState.CANCELLING
        self._kill()
        self._runner.waitForEnd(GRACE_SECONDS)
        self._end(JobState.CANCELLED)

    def wait(self) -> JobState:
        """Return when it is over.

        The signals are emitted meanwhile, on this thread. What a function that is connected to
        them raises ends the job and is raised here, as Ctrl-C does.
        """
        try:
            while self.state.isActive:
                self._runner.pump(0.2)
        except BaseException:
            self.abort()
            raise
        return self.state

    # What the two kinds of work differ in.

    def _prepare(self) -> Sequence[str]:
        """The worker's arguments."""
        raise NotImplementedError

    def _receive(self, message: Message) -> None:
        """A message that belongs to the work."""
        raise NotImplementedError

    def _takeResult(self) -> None:
        """Make the result out of what came; BadInputError if that is not enough."""
        raise NotImplementedError

    def _tidy(self) -> None:
        """Remove what was made; it may not have been made."""

    # What the runner tells.

    def _onLine(self, line: str) -> None:
        message = decode(line)
        if isinstance(message, Log):
            self.logged.emit(message.text)
        elif isinstance(message, Hello):
            self._greet(message)
        elif self.state not in (JobState.STARTING, JobState.RUNNING):
            return  # what was under way when it was cancelled
        elif isinstance(message, Device):
            self.device = message
            self._setState(JobState.RUNNING)
            self.deviceReported.emit(message)
        elif isinstance(message, Failure):
            self.failure = JobFailure(message.kind, message.message, message.what_to_do)
        else:
            self._receive(message)

    def _greet(self, hello: Hello) -> None:
        if hello.pid > 1 and hello.pid != os.getpid():
            self._workerId = hello.pid
        if hello.protocol != PROTOCOL_VERSION and self.state is JobState.STARTING:
            self._kill()
            self._fail(
                "protocol",
                "The module was updated while this window was open.",
                "Save your work and start Slicer again.",
            )

    def _onErrorText(self, text: str) -> None:
        lines = text.splitlines()
        self._errorTail.extend(lines)
        self.logged.emit("\n".join(lines))

    def _onEnded(self, exitCode: int | None, reason: str) -> None:
        if self.state.isOver:
            return
        if exitCode is None:
            self._killWorker()
        if self.state is JobState.CANCELLING:
            self._end(JobState.CANCELLED)
        elif self.failure is not None:
            self._fail(self.failure.kind, self.failure.message, self.failure.whatToDo)
        elif exitCode == DONE:
            self._complete()
        elif exitCode is None and self._runner.processId is None:
            self._fail(
                "not-started",
                f"The background process did not start: {reason}.",
                "Install the module again, or Slicer.",
            )
        else:
            self._fail(
                "died",
                f"The background process ended before it was done: {reason}.",
                "Nothing was changed. Run it again; if it was killed for want of memory, choose "
                "fewer slices or close other programs.",
            )

    def _complete(self) -> None:
        try:
            self._takeResult()
        except BadInputError as error:
            self._fail("bad-result", str(error))
            return
        except Exception as error:  # what came is not what was agreed
            self._fail("bad-result", f"The result is damaged ({error!r}): run it again.")
            return
        self._end(JobState.COMPLETED)

    def _fail(self, kind: str, message: str, whatToDo: str = "") -> None:
        if not self.state.isOver:
            self.failure = JobFailure(kind, message, whatToDo, "\n".join(self._errorTail))
            self._end(JobState.FAILED)

    def _end(self, state: JobState) -> None:
        if self.state.isOver:
            return
        if state is JobState.CANCELLED:
            self.failure = None
        self._tidy()
        try:
            self._setState(state)
        finally:
            self.ended.emit(state)

    def _setState(self, state: JobState) -> None:
        if state is not self.state:
            self.state = state
            self.stateChanged.emit(state)

    def _kill(self) -> None:
        if not self.state.isOver:
            self._killWorker()
            self._runner.kill()

    def _killWorker(self) -> None:
        """Where the process that was started is a launcher, its death is not the worker's."""
        if self._workerId not in (None, self._runner.processId):
            _killTree(self._workerId)


def _killTree(processId: int) -> None:
    with contextlib.suppress(OSError):  # it has just ended
        if os.name == "nt":
            subprocess.run(
                ["taskkill", "/T", "/F", "/PID", str(processId)],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                creationflags=subprocess.CREATE_NO_WINDOW,
            )
        else:
            os.kill(processId, signal.SIGKILL)
