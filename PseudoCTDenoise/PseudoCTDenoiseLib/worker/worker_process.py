"""Life cycle of the worker in its parent: from start to completed, cancelled or failed."""

from __future__ import annotations

import contextlib
import enum
import os
import signal
import subprocess
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

from ..errors import (
    OUT_OF_MEMORY_ADVICE,
    BadInputError,
    is_out_of_memory,
    out_of_memory_message,
)
from ..exit_codes import DONE
from .protocol import CANCEL, PROTOCOL_VERSION, Alive, Device, Failure, Hello, Log, Message, decode
from .python_program import WORKER, python_program, worker_environment
from .runner import Runner
from .signals import Signal

GRACE_SECONDS = 1.5
"""Time that a cancelled worker has to exit before it is killed; it needs one second at most."""
GIVE_UP_SECONDS = 1.9
"""Longest wait for a cancelled worker; a GPU driver can delay the end of a killed process."""
TAIL_LINES = 40
LOGGED_CHARACTERS = 10_000
"""Length at which a line of the log is cut; a window needs minutes to lay out a very long line."""
CHECK_SECONDS = 5.0
"""Interval at which the time since the last message is counted."""
SILENCE_SECONDS = 30.0
"""Time without a message, or without progress, after which the parent is informed."""
LOST_SECONDS = 300.0
"""Time without a message after which a process that nobody watches is given up."""


class JobState(enum.Enum):
    """State of a background process; the last three are final."""

    IDLE = "idle"
    STARTING = "starting"
    RUNNING = "running"
    CANCELLING = "cancelling"
    COMPLETED = "completed"
    CANCELLED = "cancelled"
    FAILED = "failed"

    @property
    def is_over(self) -> bool:
        return self in (JobState.COMPLETED, JobState.CANCELLED, JobState.FAILED)

    @property
    def is_active(self) -> bool:
        return not self.is_over and self is not JobState.IDLE


@dataclass(frozen=True)
class Silence:
    """Seconds since the last progress and since the last message of any kind.

    A worker sends messages while it lives, so one without messages is stopped, or the computer is
    short of memory. The times do not include those in which this process itself did not run.
    """

    without_progress: float
    without_message: float

    @property
    def is_complete(self) -> bool:
        """True if no sign of life has come for :data:`SILENCE_SECONDS`."""
        return self.without_message >= SILENCE_SECONDS

    @property
    def is_final(self) -> bool:
        """True if the process should be given up."""
        return self.without_message >= LOST_SECONDS


@dataclass(frozen=True)
class JobFailure:
    """Reason for a missing result; ``standard_error`` holds the last lines of the worker's output.

    ``kind`` is "bad-input", "no-torch", "out-of-memory" or "fault" if the worker reported it,
    otherwise "not-started", "died", "protocol" or "bad-result".
    """

    kind: str
    message: str
    what_to_do: str = ""
    standard_error: str = ""


class WorkerProcess:
    """Base class of the denoising job and the device check.

    Exactly one final state is reached, whatever the process does, and nothing of the process
    remains then. State, result and failure are set before the signals ``state_changed(state)``
    and ``ended(state)`` are emitted. ``logged(text)`` carries the lines that the worker and its
    libraries print. ``device_reported(Device)`` is emitted when torch is loaded.
    ``silent(Silence)`` is emitted every :data:`CHECK_SECONDS` while the job makes no progress.

    Parameters
    ----------
    runner : runs the program and calls delayed functions.
    program, environment : Python and its environment variables; None for the module's own.
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
        self.state_changed = Signal()
        self.device_reported = Signal()
        self.logged = Signal()
        self.silent = Signal()
        self.ended = Signal()
        self._runner = runner
        self._program = program or python_program()
        self._environment = environment or worker_environment(self._program)
        self._worker_id: int | None = None
        self._checks_without_progress = self._checks_without_message = 0
        self._error_tail: deque[str] = deque(maxlen=TAIL_LINES)
        runner.on_line = self._on_line
        runner.on_error_text = self._on_error_text
        runner.on_ended = self._on_ended

    def start(self) -> None:
        """Start the worker. The state FAILED reports a failed start."""
        if self.state is not JobState.IDLE:
            raise RuntimeError("A job can start only once. Make a new one.")
        try:
            self._set_state(JobState.STARTING)
            if self.state is JobState.STARTING:
                arguments = [str(WORKER), *self._prepare()]
                self._runner.start(self._program, arguments, self._environment)
                self._runner.call_later(CHECK_SECONDS, self._check_silence)
            else:  # a function that is connected to the signal has cancelled the job
                self._end(JobState.CANCELLED)
        except BadInputError as error:
            self._fail("bad-input", str(error))
        except BaseException as error:
            self._kill()
            self._fail("fault", f"{type(error).__name__}: {error}")
            raise

    def cancel(self) -> None:
        """Ask the worker to exit, and kill it if it does not. Takes less than two seconds."""
        if self.state not in (JobState.STARTING, JobState.RUNNING):
            return
        self._runner.write_line(CANCEL)
        self._runner.call_later(GRACE_SECONDS, self._kill)
        self._runner.call_later(GIVE_UP_SECONDS, lambda: self._end(JobState.CANCELLED))
        self._set_state(JobState.CANCELLING)

    def abort(self) -> None:
        """Kill the worker and return when it has ended; used when the window closes."""
        if not self.state.is_active:
            return
        self.state = JobState.CANCELLING
        self._kill()
        self._runner.wait_for_end(GRACE_SECONDS)
        self._end(JobState.CANCELLED)

    def wait(self) -> JobState:
        """Wait for the end and return the final state.

        Signals are emitted on this thread during the wait. An exception of a connected function, or
        Ctrl-C, ends the job and is raised here.
        """
        try:
            while self.state.is_active:
                self._runner.pump(0.2)
        except BaseException:
            self.abort()
            raise
        return self.state

    # Subclasses implement these methods.

    def _prepare(self) -> Sequence[str]:
        """Return the worker's arguments."""
        raise NotImplementedError

    def _receive(self, message: Message) -> None:
        """Handle a message about the work."""
        raise NotImplementedError

    def _take_result(self) -> None:
        """Build the result from the messages; raise BadInputError if one is missing."""
        raise NotImplementedError

    def _tidy(self) -> None:
        """Remove temporary files, if there are any."""

    # Callbacks of the runner.

    def _on_line(self, line: str) -> None:
        message = decode(line)
        self._checks_without_message = 0
        if not isinstance(message, Alive | Log):
            self._checks_without_progress = 0
        if isinstance(message, Log):
            self.logged.emit(_shortened(message.text))
        elif isinstance(message, Hello):
            self._greet(message)
        elif isinstance(message, Alive):
            return
        elif self.state not in (JobState.STARTING, JobState.RUNNING):
            return  # the job was cancelled while this message was on its way
        elif isinstance(message, Device):
            self.device = message
            self._set_state(JobState.RUNNING)
            self.device_reported.emit(message)
        elif isinstance(message, Failure):
            self.failure = JobFailure(message.kind, message.message, message.what_to_do)
        else:
            self._receive(message)

    def _check_silence(self) -> None:
        if self.state not in (JobState.STARTING, JobState.RUNNING):
            return
        self._runner.call_later(CHECK_SECONDS, self._check_silence)
        # Checks are counted instead of seconds, because a computer may sleep.
        self._checks_without_progress += 1
        self._checks_without_message += 1
        silence = Silence(
            CHECK_SECONDS * self._checks_without_progress,
            CHECK_SECONDS * self._checks_without_message,
        )
        if silence.without_progress >= SILENCE_SECONDS:
            self.silent.emit(silence)

    def _greet(self, hello: Hello) -> None:
        if hello.pid > 1 and hello.pid != os.getpid():
            self._worker_id = hello.pid
        if hello.protocol != PROTOCOL_VERSION and self.state is JobState.STARTING:
            self._kill()
            self._fail(
                "protocol",
                "The module was updated while this window was open.",
                "Save your work and restart Slicer.",
            )

    def _on_error_text(self, text: str) -> None:
        self._checks_without_message = 0
        lines = [_shortened(line) for line in text.splitlines()]
        self._error_tail.extend(lines)
        self.logged.emit("\n".join(lines))

    def _on_ended(self, exit_code: int | None, reason: str) -> None:
        if self.state.is_over:
            return
        if exit_code is None:
            self._kill_worker()
        if self.state is JobState.CANCELLING:
            self._end(JobState.CANCELLED)
        elif self.failure is not None:
            self._fail(self.failure.kind, self.failure.message, self.failure.what_to_do)
        elif exit_code == DONE:
            self._complete()
        elif exit_code is None and self._runner.process_id is None:
            self._fail(
                "not-started",
                f"The background process did not start: {reason}.",
                "Allow Slicer's Python in the virus scanner, or reinstall Slicer or the module.",
            )
        else:
            self._fail(
                "died",
                f"The background process stopped unexpectedly: {reason}.",
                "The scene is unchanged. Run it again. If the system killed it for lack of memory, "
                "choose fewer slices or close other programs.",
            )

    def _complete(self) -> None:
        try:
            self._take_result()
        except Exception as error:
            if is_out_of_memory(error):
                self._fail("out-of-memory", out_of_memory_message(error), OUT_OF_MEMORY_ADVICE)
            elif isinstance(error, BadInputError):
                self._fail("bad-result", str(error))
            else:  # the messages do not follow the protocol
                self._fail("bad-result", f"The result is damaged ({error!r}). Run it again.")
            return
        self._end(JobState.COMPLETED)

    def _fail(self, kind: str, message: str, what_to_do: str = "") -> None:
        if not self.state.is_over:
            self.failure = JobFailure(kind, message, what_to_do, "\n".join(self._error_tail))
            self._end(JobState.FAILED)

    def _end(self, state: JobState) -> None:
        if self.state.is_over:
            return
        if state is JobState.CANCELLED:
            self.failure = None
        self._tidy()
        try:
            self._set_state(state)
        finally:
            self.ended.emit(state)

    def _set_state(self, state: JobState) -> None:
        if state is not self.state:
            self.state = state
            self.state_changed.emit(state)

    def _kill(self) -> None:
        if not self.state.is_over:
            try:
                self._kill_worker()
            finally:
                self._runner.kill()

    def _kill_worker(self) -> None:
        """Kill the worker itself if the started process is only its launcher."""
        if self._worker_id not in (None, self._runner.process_id):
            _kill_tree(self._worker_id)


def _shortened(line: str) -> str:
    return line if len(line) <= LOGGED_CHARACTERS else f"{line[:LOGGED_CHARACTERS]}…"


def _kill_tree(process_id: int) -> None:
    with contextlib.suppress(OSError):  # the process has just ended
        if os.name == "nt":
            subprocess.run(
                ["taskkill", "/T", "/F", "/PID", str(process_id)],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                creationflags=subprocess.CREATE_NO_WINDOW,
            )
        else:
            os.kill(process_id, signal.SIGKILL)
