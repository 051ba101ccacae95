"""The entry point of `pseudoct`: parses, runs a command, and turns its end into an exit code."""

from __future__ import annotations

import _thread
import argparse
import importlib
import importlib.metadata
import math
import os
import signal
import sys
import threading
import time
import traceback

from .. import __version__
from ..errors import BadInputError, Cancelled
from ..exit_codes import BAD_INPUT, CANCELLED, DONE, FAULT
from ..temporary_files import is_cleaning_up

COMMANDS = {
    "denoise": (f"{__package__}.denoise", "denoise a low-dose CT scan"),
    "models": (f"{__package__}.models", "list the models"),
    "simulate": (f"{__package__}.simulate", "simulate a lower dose of a scan"),
}
"""Name → (module with ``add_arguments`` and ``run``, summary)."""
ENTRY_POINTS = "pseudoct.commands"
"""Group of entry points that add commands: the name is a heading in ``--help``, the object a
dictionary like :data:`COMMANDS`."""
EXTRA_PACKAGES = ("matplotlib", "skimage", "tqdm", "scipy", "microct_iq_toolbox")
"""Packages that some options and the research commands need."""
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
        if isinstance(error, ModuleNotFoundError) and error.name in EXTRA_PACKAGES:
            return _bad_input(
                f"The package {error.name} is missing. Install it: pip install "
                "'pseudoctdenoise[tools]'."
            )
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
    arguments = sys.argv[1:] if arguments is None else arguments
    groups = {"Commands": COMMANDS}
    for entry in importlib.metadata.entry_points(group=ENTRY_POINTS):
        groups[entry.name] = entry.load()
    parser = argparse.ArgumentParser(
        prog="pseudoct",
        description="Denoising of low-dose CT with pseudo-CT image pairs. Research use only; not "
        "for primary diagnosis.",
        epilog="\n\n".join(map(_listing, groups, groups.values())),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"pseudoct {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, (module_name, _) in {
        k: v for group in groups.values() for k, v in group.items()
    }.items():
        command = commands.add_parser(name)
        if name in arguments:  # importing torch takes seconds, and `--help` should not
            module = importlib.import_module(module_name)
            command.description = module.__doc__
            module.add_arguments(command)
            command.set_defaults(run=module.run)
    return parser.parse_args(arguments)


def _listing(heading: str, commands: dict[str, tuple[str, str]]) -> str:
    lines = [f"  {name:<18}{summary}" for name, (_, summary) in commands.items()]
    return "\n".join([f"{heading}:", *lines])


if __name__ == "__main__":
    sys.exit(main())
