"""Functions that stand in for Qt's own: those that would block a test, or answer differently.

``dialogs.py`` fills the tables. Keys are (class name, function name).
"""

from __future__ import annotations

from collections.abc import Callable

methods: dict[tuple[str, str], Callable] = {}  # called with the PySide6 object first
statics: dict[tuple[str, str], Callable] = {}


def find(table: dict[tuple[str, str], Callable], cls: type, name: str) -> Callable | None:
    """The replacement for `name` in the class or the nearest of its bases."""
    for c in cls.__mro__:
        found = table.get((c.__name__, name))
        if found is not None:
            return found
    return None
