"""Entry point of `pseudoct`: parses the arguments, runs a command and returns its exit code."""

from __future__ import annotations

import _thread
import argparse
import importlib
import importlib.metadata
import itertools
import math
import os
import signal
import sys
import threading
import time
import traceback
import types
from collections.abc import Callable

from .. import __version__
from ..errors import (
    OUT_OF_MEMORY_ADVICE,
    BadInputError,
    Cancelled,
    is_out_of_memory,
    one_line,
    out_of_memory_message,
)
from ..exit_codes import BAD_INPUT, CANCELLED, DONE, FAULT
from ..printed_words import ERROR
from ..temporary_files import is_cleaning_up
from ..torch_cache import create_no_torch_cache
from .optional_packages import INSTALL_COMMANDS
from .printing import printing_without_errors

COMMANDS = {
    "cohort": ("PseudoCTDenoiseLib.cohort.command", "denoise many scans on many processors"),
    "denoise": (f"{__package__}.denoise", "denoise a low-dose CT scan"),
    "listen": (f"{__package__}.listen", "receive, denoise and send series of a PACS"),
    "models": (f"{__package__}.models", "list and check the models"),
    "repeat": (f"{__package__}.repeat", "make a result again and say what differs"),
    "route": (f"{__package__}.route", "denoise the series that a router puts into a folder"),
    "simulate": (f"{__package__}.simulate", "simulate a lower dose of a scan"),
}
"""Commands: name → (module with ``add_arguments`` and ``run``, summary)."""
ENTRY_POINTS = "pseudoct.commands"
"""Group of entry points that add commands.

The name of an entry point is a heading in ``--help``; its object is a dictionary like
:data:`COMMANDS`.
"""
CANCELLED_TEXT = f"{ERROR}cancelled."
SIGNALS = [signal.SIGINT, signal.SIGTERM]
if hasattr(signal, "SIGHUP"):  # the terminal was closed
    SIGNALS.append(signal.SIGHUP)
REPEAT_SECONDS = 1.0
"""Time after which a cancellation that had no effect is repeated."""
RETRY_SECONDS = 0.01
"""Time after which a finalizer or a cleanup has probably ended."""


def main(arguments: list[str] | None = None) -> int:
    """Run one command and return one of :mod:`.exit_codes`.

    The code says whether the work was done, including when its messages could not be printed.
    Without ``arguments``, the arguments of the process are used, and Ctrl-C, SIGTERM and SIGHUP
    cancel the command.
    """
    own_process = arguments is None
    with printing_without_errors(own_process):
        return _run_to_the_end(arguments, own_process)


def _run_to_the_end(arguments: list[str] | None, own_process: bool) -> int:
    """Run one command; return its exit code, including after a signal during its last steps."""
    code = None
    try:
        try:
            code = _run(arguments, own_process)
        finally:
            if own_process:  # the work has ended, so there is nothing to cancel
                _on_signals(signal.SIG_IGN)
    except KeyboardInterrupt:  # the signal came during the report of the result
        if own_process:
            _on_signals(signal.SIG_IGN)
        if code is None:
            code = _cancelled()
    return code


def _run(arguments: list[str] | None, own_process: bool) -> int:
    """Run one command; return its exit code, including after an exception."""
    if own_process:
        _on_signals(_leave)
    create_no_torch_cache()

    def parse_and_run() -> int | None:
        parsed = _parse(arguments)
        if own_process:
            cancelling = _CancelHandler()
            sys.unraisablehook = cancelling.unraisable
            _on_signals(cancelling)
        return parsed.run(parsed)

    return exit_code_of(parse_and_run)


def exit_code_of(work: Callable[[], int | None]) -> int:
    """Return the exit code that ``work()`` returns (None is DONE) or that its exception means.

    An exception is printed on standard error: in one line, or with its traceback if it is an
    internal error.
    """
    try:
        return work() or DONE
    except (KeyboardInterrupt, Cancelled):
        return _cancelled()
    except SystemExit as end:
        return int(end.code or 0)
    except Exception as error:
        return _failed(error)


def _failed(error: Exception) -> int:
    """Print the reason for an error; return the exit code."""
    if is_out_of_memory(error):
        print(f"{ERROR}{out_of_memory_message(error)} {OUT_OF_MEMORY_ADVICE}", file=sys.stderr)
        return FAULT
    if isinstance(error, BadInputError):
        return _bad_input(str(error))
    if isinstance(error, ModuleNotFoundError) and error.name in INSTALL_COMMANDS:
        return _bad_input(
            f"The package {error.name} is missing. Install it: {INSTALL_COMMANDS[error.name]}."
        )
    traceback.print_exception(error)
    return FAULT


def _cancelled() -> int:
    print(CANCELLED_TEXT, file=sys.stderr)
    return CANCELLED


def _bad_input(text: str) -> int:
    print(f"{ERROR}{text}", file=sys.stderr)
    return BAD_INPUT


def _on_signals(handler) -> None:
    """Install a handler for all signals that are not ignored."""
    for number in SIGNALS:
        if signal.getsignal(number) != signal.SIG_IGN:  # nohup ignores SIGHUP
            signal.signal(number, handler)


def _leave(number, frame) -> None:
    """Exit immediately, as there is nothing to clean up while modules load.

    An exception during the import of torch could abort the process.
    """
    print(CANCELLED_TEXT, file=sys.stderr, flush=True)
    os._exit(CANCELLED)


class _CancelHandler:
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


def _parse(arguments: list[str] | None) -> argparse.Namespace:
    arguments = sys.argv[1:] if arguments is None else arguments
    _check_not_empty(arguments)
    groups = _command_groups()
    modules = {
        name: module for group in groups.values() for name, (module, _summary) in group.items()
    }
    if arguments and not arguments[0].startswith("-") and arguments[0] not in modules:
        raise BadInputError(
            f"Unknown command '{arguments[0]}'. Choose one of {', '.join(modules)}."
        )
    parser = argparse.ArgumentParser(
        prog="pseudoct",
        usage="pseudoct [-h] [--version] COMMAND ...",
        description="Denoise low-dose CT with pseudo-CT image pairs. Research use only; not for "
        "primary diagnosis.",
        epilog="\n\n".join(map(_listing, groups, groups.values()))
        + "\n\n'pseudoct COMMAND --help' describes a command.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"pseudoct {__version__}")
    commands = parser.add_subparsers(
        dest="command", required=True, metavar="COMMAND", prog="pseudoct", help=argparse.SUPPRESS
    )
    for name, module_name in modules.items():
        command = commands.add_parser(name)
        if name in arguments:  # torch takes seconds to import, which `--help` must not wait for
            module = _loaded(name, module_name)
            command.description = module.__doc__
            module.add_arguments(command)
            command.set_defaults(run=module.run)
    return parser.parse_args(arguments)


def _loaded(name: str, module_name: str) -> types.ModuleType:
    """Import the module of a command; one line reports a damaged package, such as PyTorch."""
    try:
        return importlib.import_module(module_name)
    except (ImportError, OSError) as error:
        package = (getattr(error, "name", None) or "").partition(".")[0]
        own = __package__.partition(".")[0]
        if is_out_of_memory(error) or package == own or package in INSTALL_COMMANDS:
            raise
        raise BadInputError(
            f"A package that '{name}' needs, such as torch, is missing or damaged "
            f"({one_line(error)}). Install it again: pip install --force-reinstall PACKAGE."
        ) from error


def _check_not_empty(arguments: list[str]) -> None:
    """Reject empty arguments, such as variables of a shell that are not set.

    An empty path would stand for the current folder.
    """
    for previous, argument in itertools.pairwise(["pseudoct", *arguments]):
        option, equals, value = argument.partition("=")
        if not argument or option.startswith("-") and equals and not value:
            place = f"The argument {argument}" if argument else f"The argument after {previous}"
            raise BadInputError(f"{place} is empty: give a name or a value, or omit it.")


def _command_groups() -> dict[str, dict[str, tuple[str, str]]]:
    """Return the commands by heading: those of this package, then those of installed packages."""
    groups = {"Commands": COMMANDS}
    for entry in importlib.metadata.entry_points(group=ENTRY_POINTS):
        try:
            groups[entry.name] = entry.load()
        except Exception as error:  # its package is damaged or was moved
            print(
                f"Note: The package {entry.dist.name} cannot be loaded, so its commands are "
                f"missing ({error}). Install it again, or uninstall it.",
                file=sys.stderr,
            )
    return groups


def _listing(heading: str, commands: dict[str, tuple[str, str]]) -> str:
    """Return the part of the help with one heading and its commands."""
    lines = [f"  {name:<18}{summary}" for name, (_, summary) in commands.items()]
    return "\n".join([f"{heading}:", *lines])


if __name__ == "__main__":
    sys.exit(main())
