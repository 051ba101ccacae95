"""Run a DICOM node that denoises the CT series it receives and sends the results to a PACS.

Plain DICOM has neither encryption nor authentication: use the node in a trusted network only.
Ctrl-C or SIGTERM ends it; the next start goes on with the series in its folder. Research use only;
not for primary diagnosis.
"""

from __future__ import annotations

import argparse
import logging
import logging.handlers
import subprocess
import threading
from pathlib import Path

from ..errors import BadInputError, printable
from ..exit_codes import BAD_INPUT
from ..node.configuration import LOOPBACK, NodeConfiguration, read_configuration
from ..node.denoise_options import denoise_options
from ..node.denoising_child import child_environment, module_program
from ..node.log import LOG
from ..printed_words import ERROR
from ..temporary_files import with_cleanup
from .supervised import child_program

LOG_BYTES, LOG_FILES = 1 << 20, 4


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("configuration", type=Path, help="JSON file; Docs/hospital.md describes it")
    parser.add_argument(
        "--check",
        action="store_true",
        help="check the configuration and load its models, without starting the node",
    )


def run(arguments: argparse.Namespace) -> int | None:
    """Run the node until a signal ends it."""
    configuration = read_configuration(arguments.configuration)
    import pynetdicom  # noqa: F401 - says how to install it before anything starts

    if arguments.check:
        _check_denoise(arguments.configuration, configuration)
        print(f"{arguments.configuration} is right.")
        return None
    from ..node.listener import Listener

    listener = Listener(configuration, child_program())

    def work() -> None:
        _start_log(configuration)
        LOG.info("Listening. %s", _description(configuration))
        listener.run(threading.Event())

    try:
        with_cleanup(work, listener.close)
    except KeyboardInterrupt:
        LOG.info("Stopped.")
    return None


def _check_denoise(path: Path, configuration: NodeConfiguration) -> None:
    """Check the options of denoise and load the models, in a child that loads torch.

    Raises
    ------
    BadInputError
        If every denoising would fail.
    """
    program = module_program(f"{__package__}.options_check")
    ended = subprocess.run(
        [*program, *denoise_options(configuration.denoise)],
        stdin=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
        env=child_environment(),
    )
    last = ended.stderr.strip().rpartition("\n")[2]
    if ended.returncode == BAD_INPUT:
        reason = last.partition("error: ")[2] or last.removeprefix(ERROR)
        raise BadInputError(f"{path}: the options of denoise are wrong: {reason}")
    if ended.returncode:
        reason = last or f"the process ended with code {ended.returncode}"
        raise BadInputError(
            f"The options of denoise cannot be checked ({reason}): see whether "
            "pseudoct models --check works."
        )


def _make_printable(record: logging.LogRecord) -> bool:
    """Keep a message on one line, whatever an image or a sender brought into it; log it."""
    record.msg, record.args = printable(record.getMessage()), ()
    return True


def _start_log(configuration: NodeConfiguration) -> None:
    """Log to the standard error and to a file of limited size in the folder of the queue."""
    file = logging.handlers.RotatingFileHandler(
        configuration.folder / "listen.log",
        maxBytes=LOG_BYTES,
        backupCount=LOG_FILES,
        encoding="utf-8",
    )
    for handler in (logging.StreamHandler(), file):
        handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
        LOG.addHandler(handler)
    LOG.addFilter(_make_printable)
    LOG.setLevel(logging.INFO)


def _description(configuration: NodeConfiguration) -> str:
    to = configuration.send_to
    text = (
        f"{configuration.ae_title} on {configuration.address} port {configuration.port} accepts "
        f"{', '.join(configuration.accept)} and sends to {to.ae_title} ({to.address} port "
        f"{to.port}). Queue, log and status page: {configuration.folder}. Research use only."
    )
    if configuration.address != LOOPBACK:
        text += " Other machines can reach the node: DICOM is neither encrypted nor authenticated."
    return text
