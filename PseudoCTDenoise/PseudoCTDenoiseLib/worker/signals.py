"""Signals without Qt, so that a job tells its news in a script as it does in the window."""

from __future__ import annotations

from collections.abc import Callable, Iterable


class Signal:
    """Functions that are called with whatever is emitted, in the order they were connected.

    >>> ended = Signal()
    >>> ended.connect(print)
    >>> ended.emit("done")
    done
    """

    def __init__(self):
        self._slots: list[Callable] = []

    def connect(self, slot: Callable) -> None:
        self._slots.append(slot)

    def disconnect(self, slot: Callable | None = None) -> None:
        """Forget one function, or all; one that is not connected is no error."""
        self._slots = [one for one in self._slots if slot is not None and one != slot]

    def emit(self, *values: object) -> None:
        """Call every function. The first error is raised when all were called."""
        call_each(lambda slot: slot(*values), list(self._slots))


def call_each(function: Callable, items: Iterable) -> None:
    """Call for every item, even if one call fails; the first error is raised at the end.

    News of a process must all arrive: the line that is lost could be the last one.
    """
    first = None
    for item in items:
        try:
            function(item)
        except Exception as error:
            first = first or error
    if first is not None:
        raise first
