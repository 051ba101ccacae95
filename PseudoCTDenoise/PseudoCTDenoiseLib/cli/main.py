"""Entry point of `pseudoct`: parses the arguments, runs a command and returns its exit code."""

from __future__ import annotations

import argparse
import importlib
import importlib.metadata
import itertools
import sys
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
from ..exit_codes import BAD_INPUT, DONE, FAULT
from ..printed_words import ERROR
from ..torch_cache import create_no_torch_cache
from . import cancelling
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


def main(arguments: list[str] | None = None) -> int:
    """Run one command and return one of :mod:`.exit_codes`.

    The code says whether the work was done, including when its messages could not be printed.
    Without ``arguments``, the arguments of the process are used, and Ctrl-C, SIGTERM and SIGHUP
    cancel the command.
    """
    own_process = arguments is None
    with printing_without_errors(own_process):
        return cancelling.run_to_the_end(lambda: _run(arguments, own_process), own_process)


def _run(arguments: list[str] | None, own_process: bool) -> int:
    """Run one command; return its exit code, including after an exception."""
    if own_process:
        cancelling.on_signals(cancelling.leave)
    create_no_torch_cache()

    def parse_and_run() -> int | None:
        parsed = _parse(arguments)
        if own_process:
            handler = cancelling.CancelHandler()
            sys.unraisablehook = handler.unraisable
            cancelling.on_signals(handler)
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
        return cancelling.cancelled()
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


def _bad_input(text: str) -> int:
    print(f"{ERROR}{text}", file=sys.stderr)
    return BAD_INPUT


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
