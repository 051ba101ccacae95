"""Replacements of Qt functions that would block a test or behave differently.

``dialogs.py`` fills the tables. Keys are (class name, function name).
"""

from __future__ import annotations

from collections.abc import Callable

methods: dict[tuple[str, str], Callable] = {}  # called with the PySide6 object first
statics: dict[tuple[str, str], Callable] = {}


def find(table: dict[tuple[str, str], Callable], cls: type, name: str) -> Callable | None:
    """Return the replacement of `name` for the class or its nearest base, or None."""
    for c in cls.__mro__:
        found = table.get((c.__name__, name))
        if found is not None:
            return found
    return None
