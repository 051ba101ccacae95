"""The entry point of `pseudoct`: parses, runs a command, and turns its end into an exit code."""

from __future__ import annotations

import _thread
import argparse
import importlib
import math
import os
import signal
import sys
import threading
import time
import traceback

from .. import __version__
from ..engine.errors import BadInputError, Cancelled
from ..engine.files.temporary import is_cleaning_up
from .exit_codes import BAD_INPUT, CANCELLED, DONE, FAULT

COMMANDS = {
    "denoise": "denoise a low-dose CT scan",
    "ablate": "what each setting of the paper's loop is worth",
    "bench": "time the methods on scans of many sizes, and show where the time goes",
    "compare": "table of methods on pairs of LDCT and NDCT",
    "evaluate": "table of methods on scans at simulated low dose, or the paper's table",
    "figures": "the paper's figures 2 and 3",
    "models": "list the models",
    "phantom": "make the torso phantom",
    "pretrain": "train a denoiser or a noise model",
    "quality": "noise, resolution, HU and detectability of a denoiser, on one page",
    "simulate": "make a low-dose twin of a normal-dose scan",
    "study": "what the default method is worth, by ingredient, start, dose and step",
    "trials": "compare networks and trainings by short runs",
}
TOOLS = ("matplotlib", "microct_iq_toolbox", "scipy", "skimage", "tqdm")
"""What comes with the extra `tools`."""
CANCELLED_TEXT = "pseudoct: cancelled."
SIGNALS = [signal.SIGINT, signal.SIGTERM]
if hasattr(signal, "SIGHUP"):  # the terminal was closed
    SIGNALS.append(signal.SIGHUP)
PATIENCE_SECONDS = 1.0
AGAIN_SECONDS = 0.01
"""Time until a finalizer or a cleanup has probably ended."""


def main(arguments: list[str] | None = None) -> int:
    """Run one command; returns one of :mod:`.exit_codes`.

    Without ``arguments`` it takes the process's own, and Ctrl-C, SIGTERM and SIGHUP cancel.
    """
    own_process = arguments is None
    code = None
    try:
        try:
            code = _run(arguments, own_process)
        finally:
            if own_process:  # the work is over, and nothing is left to cancel
                _on_signals(signal.SIG_IGN)
    except KeyboardInterrupt:  # it came while an end was being reported
        if own_process:
            _on_signals(signal.SIG_IGN)
        if code is None:
            code = _cancelled()
    return code


def _run(arguments: list[str] | None, own_process: bool) -> int:
    """Run one command and turn its end into an exit code."""
    if own_process:
        _on_signals(_leave)
        if sys.stdout is not None:  # a terminal that lacks a sign should not end the work
            sys.stdout.reconfigure(errors="replace")
    try:
        parsed = _parse(arguments)
        if own_process:
            cancelling = _Cancelling()
            sys.unraisablehook = cancelling.unraisable
            _on_signals(cancelling)
        return parsed.run(parsed) or DONE
    except BadInputError as error:
        return _bad_input(str(error))
    except (KeyboardInterrupt, Cancelled):
        return _cancelled()
    except SystemExit as end:
        return int(end.code or 0)
    except Exception as error:
        if isinstance(error, ModuleNotFoundError) and error.name in TOOLS:
            return _bad_input(f"{error.name} is missing: run 'make' in the checkout.")
        traceback.print_exc()
        return FAULT


def _cancelled() -> int:
    print(CANCELLED_TEXT, file=sys.stderr)
    return CANCELLED


def _bad_input(text: str) -> int:
    print("pseudoct:", " ".join(text.splitlines()), file=sys.stderr)
    return BAD_INPUT


def _on_signals(handler) -> None:
    for number in SIGNALS:
        if signal.getsignal(number) != signal.SIG_IGN:  # as under nohup
            signal.signal(number, handler)


def _leave(number, frame) -> None:
    """While modules load nothing is to be cleaned up, and an exception could abort torch."""
    print(CANCELLED_TEXT, file=sys.stderr, flush=True)
    os._exit(CANCELLED)


class _Cancelling:
    """A handler that cancels, but not twice: a second signal must not break into the cleanup.

    Python and its libraries lose some exceptions: those raised in a finalizer or in the callback of
    a weak reference, and those that a bare ``except`` takes. The handler then cancels again.
    """

    def __init__(self):
        self._latest = -math.inf

    def __call__(self, number, frame) -> None:
        before, now = self._latest, time.monotonic()
        if is_cleaning_up(frame):
            self._cancel_later(number, AGAIN_SECONDS)
        elif now - before > PATIENCE_SECONDS:
            self._latest = now
            self._cancel_later(number, PATIENCE_SECONDS + AGAIN_SECONDS)
            raise KeyboardInterrupt

    def unraisable(self, lost) -> None:
        """Cancel again soon; report any other exception as Python does."""
        if lost.exc_type is KeyboardInterrupt:
            self._latest = -math.inf
            for number in SIGNALS:
                if signal.getsignal(number) is self:
                    self._cancel_later(number, AGAIN_SECONDS)
                    break
        else:
            sys.__unraisablehook__(lost)

    def _cancel_later(self, number: int, seconds: float) -> None:
        def cancel() -> None:
            if signal.getsignal(number) is not self:  # the command has ended
                return
            if hasattr(signal, "pthread_kill"):  # it also ends waiting
                signal.pthread_kill(threading.main_thread().ident, number)
            else:
                _thread.interrupt_main(number)

        timer = threading.Timer(seconds, cancel)
        timer.daemon = True
        timer.start()


def _parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="pseudoct",
        description="Denoising of low-dose CT with pseudo-CT image pairs. Research use only; not "
        "for primary diagnosis.",
    )
    parser.add_argument("--version", action="version", version=f"pseudoct {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    arguments = sys.argv[1:] if arguments is None else arguments
    for name, summary in COMMANDS.items():
        command = commands.add_parser(name, help=summary)
        if name in arguments:  # importing torch takes seconds, and `--help` should not
            module = importlib.import_module(f".{name}", __package__)
            command.description = module.__doc__
            module.add_arguments(command)
            command.set_defaults(run=module.run)
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
