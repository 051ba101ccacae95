"""Exceptions that nobody caught: in slots, VTK observers and overridden event handlers.

Qt and VTK print such an exception and go on, so does Slicer. Here they are kept, and the fixture
``scene`` fails the test that caused them.
"""

from __future__ import annotations

import sys
import traceback
from types import TracebackType

_faults: list[BaseException] = []
_formerHook = None


def record(error: BaseException) -> None:
    """Keeps an exception and prints it, as Slicer's Python console would."""
    _faults.append(error)
    traceback.print_exception(error)


def takeFaults() -> list[BaseException]:
    """The exceptions since the last call; they are forgotten by it."""
    taken = list(_faults)
    _faults.clear()
    return taken


def words(faults: list[BaseException]) -> str:
    """The exceptions with their tracebacks, for a test's report."""
    return "\n".join("".join(traceback.format_exception(fault)) for fault in faults)


def install() -> None:
    """From now on keeps what VTK and Qt hand to ``sys.excepthook``."""
    global _formerHook
    if _formerHook is None:
        _formerHook = sys.excepthook
        sys.excepthook = _hook


def _hook(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    if isinstance(error, Exception):
        record(error.with_traceback(trace))
    else:
        _formerHook(kind, error, trace)
