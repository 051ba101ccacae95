"""Signals without Qt, so that jobs work in scripts and in Slicer's window alike."""

from __future__ import annotations

from collections.abc import Callable, Iterable


class Signal:
    """Calls the connected functions with the emitted values, in the order of connection.

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
        """Disconnect one function, or all; it is not an error if it is not connected."""
        self._slots = [known for known in self._slots if slot is not None and known != slot]

    def emit(self, *values: object) -> None:
        """Call every function, then raise the first error if there was one."""
        call_each(lambda slot: slot(*values), list(self._slots))


def call_each(function: Callable, items: Iterable) -> None:
    """Call ``function`` for every item, then raise the first error if there was one.

    Every event of a process must be delivered, because the lost one could be its end.
    """
    first = None
    for item in items:
        try:
            function(item)
        except Exception as error:
            first = first or error
    if first is not None:
        raise first
