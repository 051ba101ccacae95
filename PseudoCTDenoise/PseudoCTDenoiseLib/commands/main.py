"""The entry point of `pseudoct`: parses, runs a command, and turns its end into an exit code."""

from __future__ import annotations

import argparse
import importlib
import sys
import traceback

from .. import __version__
from ..engine.errors import BadInputError, Cancelled

DONE, FAULT, BAD_INPUT, CANCELLED = 0, 1, 2, 3

COMMANDS = {
    "denoise": "denoise a low-dose CT scan",
    "compare": "table of methods on pairs of LDCT and NDCT",
    "evaluate": "table of methods on scans at simulated low dose",
    "models": "list the models",
    "phantom": "make the torso phantom",
    "pretrain": "train a denoiser or a noise model",
    "simulate": "make a low-dose twin of a normal-dose scan",
}


def main(arguments: list[str] | None = None) -> int:
    """Run one command; returns 0 done, 1 a fault, 2 bad input, 3 cancelled."""
    try:
        parsed = _parse(arguments)
        return parsed.run(parsed) or DONE
    except BadInputError as error:
        print(f"pseudoct: {error}", file=sys.stderr)
        return BAD_INPUT
    except (KeyboardInterrupt, Cancelled):
        print("pseudoct: cancelled.", file=sys.stderr)
        return CANCELLED
    except SystemExit as end:
        return int(end.code or 0)
    except Exception:
        traceback.print_exc()
        return FAULT


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
