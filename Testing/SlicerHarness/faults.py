"""Uncaught exceptions in slots, VTK observers and overridden event handlers.

Qt, VTK and Slicer print such an exception and continue. The harness records it, and the fixture
``scene`` fails the test that caused it.
"""

from __future__ import annotations

import sys
import traceback
from types import TracebackType

_faults: list[BaseException] = []
_formerHook = None


def record(error: BaseException) -> None:
    """Record an exception and print it, as Slicer's Python console does."""
    _faults.append(error)
    traceback.print_exception(error)


def takeFaults() -> list[BaseException]:
    """Return the exceptions since the last call, and clear them."""
    taken = list(_faults)
    _faults.clear()
    return taken


def words(faults: list[BaseException]) -> str:
    """Return the exceptions with their tracebacks as text for a test's report."""
    return "\n".join("".join(traceback.format_exception(fault)) for fault in faults)


def install() -> None:
    """Record the exceptions that VTK and Qt pass to ``sys.excepthook`` from now on."""
    global _formerHook
    if _formerHook is None:
        _formerHook = sys.excepthook
        sys.excepthook = _hook


def _hook(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    if isinstance(error, Exception):
        record(error.with_traceback(trace))
    else:
        _formerHook(kind, error, trace)
