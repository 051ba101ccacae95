"""Cancellation of a command by Ctrl-C, SIGTERM and SIGHUP."""

from __future__ import annotations

import _thread
import math
import os
import signal
import sys
import threading
import time
from collections.abc import Callable

from ..exit_codes import CANCELLED
from ..printed_words import ERROR
from ..temporary_files import is_cleaning_up

CANCELLED_TEXT = f"{ERROR}cancelled."
SIGNALS = [signal.SIGINT, signal.SIGTERM]
if hasattr(signal, "SIGHUP"):  # the terminal was closed
    SIGNALS.append(signal.SIGHUP)
REPEAT_SECONDS = 1.0
"""Time after which a cancellation that had no effect is repeated."""
RETRY_SECONDS = 0.01
"""Time after which a finalizer or a cleanup has probably ended."""


def run_to_the_end(work: Callable[[], int], own_process: bool) -> int:
    """Return the exit code of ``work()``, including after a signal during its last steps.

    Signals that come later are ignored if the command has a process of its own.
    """
    code = None
    try:
        try:
            code = work()
        finally:
            if own_process:  # the work has ended, so there is nothing to cancel
                on_signals(signal.SIG_IGN)
    except KeyboardInterrupt:  # the signal came during the report of the result
        if own_process:
            on_signals(signal.SIG_IGN)
        if code is None:
            code = cancelled()
    return code


def cancelled() -> int:
    """Print that the command was cancelled; return the exit code."""
    print(CANCELLED_TEXT, file=sys.stderr)
    return CANCELLED


def on_signals(handler) -> None:
    """Install a handler for all signals that are not ignored."""
    for number in SIGNALS:
        if signal.getsignal(number) != signal.SIG_IGN:  # nohup ignores SIGHUP
            signal.signal(number, handler)


def leave(number, frame) -> None:
    """Exit immediately, as there is nothing to clean up while modules load.

    An exception during the import of torch could abort the process.
    """
    print(CANCELLED_TEXT, file=sys.stderr, flush=True)
    os._exit(CANCELLED)


class CancelHandler:
    """Signal handler that cancels the command once, so a second signal cannot stop the cleanup.

    Python and its libraries lose exceptions in finalizers, in callbacks of weak references and in a
    bare ``except``. The handler then cancels again.
    """

    def __init__(self):
        self._latest = -math.inf

    def __call__(self, number, frame) -> None:
        before, now = self._latest, time.monotonic()
        if is_cleaning_up(frame):
            self._cancel_later(number, RETRY_SECONDS)
        elif now - before > REPEAT_SECONDS:
            self._latest = now
            self._cancel_later(number, REPEAT_SECONDS + RETRY_SECONDS)
            raise KeyboardInterrupt

    def unraisable(self, lost) -> None:
        """Cancel again after a lost KeyboardInterrupt; report other exceptions as Python does."""
        if lost.exc_type is KeyboardInterrupt:
            self._latest = -math.inf
            for number in SIGNALS:
                if signal.getsignal(number) is self:
                    self._cancel_later(number, RETRY_SECONDS)
                    break
        else:
            sys.__unraisablehook__(lost)

    def _cancel_later(self, number: int, seconds: float) -> None:
        def cancel() -> None:
            if signal.getsignal(number) is not self:  # the command has ended
                return
            if hasattr(signal, "pthread_kill"):  # this also ends a blocking wait
                signal.pthread_kill(threading.main_thread().ident, number)
            else:
                _thread.interrupt_main(number)

        timer = threading.Timer(seconds, cancel)
        timer.daemon = True
        timer.start()
