"""A child process that denoises one series, with a time limit."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from ..duration import duration
from ..exit_codes import BAD_INPUT, DONE, FAULT, SUCCESSES
from ..printed_words import doubts_in, last_words

SAID_BYTES = 2**20
"""Length of the end of the child's messages that is read."""
LONGEST_WORDS = 4000
"""Maximum number of characters of the reason of a failure."""
KILL_SECONDS = 30
"""Maximum time that the operating system needs to end a killed process."""


class Outcome(NamedTuple):
    """End of a child: DONE, BAD_INPUT or FAULT, and what a person should know on one line.

    That is what may spoil a result, or why there is none.
    """

    code: int
    words: str


def child_environment() -> dict[str, str]:
    """Return the environment of a child that imports the same files as this process."""
    return {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}


def module_program(name: str) -> list[str]:
    """Return the start of a command line that runs a module in a child.

    Unlike ``python -m``, the child does not import files of the current folder.
    """
    start = (
        "import sys; sys.path[:] = filter(None, sys.path); from runpy import run_module; "
        f"run_module({name!r}, run_name='__main__', alter_sys=True)"
    )
    return [sys.executable, "-c", start]


class DenoisingChild:
    """`pseudoct denoise` in a process of its own, which returns its memory when it ends.

    Parameters
    ----------
    program : start of the command line, to which ``denoise`` and its arguments are added.
    source, output : folders of the series and of the derived series.
    work : existing folder for the messages and the report.
    options : further arguments of ``denoise``.
    seconds : time limit.
    """

    def __init__(
        self,
        program: Sequence[str],
        source: Path,
        output: Path,
        work: Path,
        options: Sequence[str],
        seconds: float,
    ):
        self._messages, self._seconds = work / "messages.txt", seconds
        self._deadline = time.monotonic() + seconds
        report = ["--report", os.fspath(work / "report.json")]
        folders = [os.fspath(source), os.fspath(output), "--format=dicom"]
        with open(self._messages, "wb") as messages:
            self._process = subprocess.Popen(
                [*program, "denoise", *folders, *report, *options],
                stdin=subprocess.PIPE,  # its end tells the child that this process has ended
                stdout=messages,
                stderr=messages,
                env=child_environment(),
            )

    def outcome(self) -> Outcome | None:
        """Return how the child ended, or None while it runs; end it after its time limit."""
        code = self._process.poll()
        if code is None:
            if time.monotonic() <= self._deadline:
                return None
            self.kill()
            return Outcome(
                FAULT,
                f"The denoising was stopped after its time limit of {duration(self._seconds)}: "
                "raise the limit, or choose fewer steps.",
            )
        self._process.stdin.close()
        printed = self._printed()
        if code in SUCCESSES:  # the files beside the series are not kept
            return Outcome(DONE, " ".join(doubts_in(printed)))
        words = last_words(printed)[-LONGEST_WORDS:]
        if code < 0:
            words = f"The process of the denoising was ended by signal {-code}. {words}".strip()
        return Outcome(BAD_INPUT if code == BAD_INPUT else FAULT, words)

    def wait(self) -> Outcome:
        """Return how the child ended, when it has ended."""
        while (outcome := self.outcome()) is None:
            left = max(self._deadline - time.monotonic(), 0.001)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(left)
        return outcome

    def kill(self) -> None:
        """End the process; may be repeated."""
        self._process.kill()
        self._process.wait(KILL_SECONDS)
        self._process.stdin.close()

    def _printed(self) -> str:
        with open(self._messages, "rb") as messages:
            messages.seek(0, os.SEEK_END)
            messages.seek(max(messages.tell() - SAID_BYTES, 0))
            return messages.read().decode("utf-8", "replace")
