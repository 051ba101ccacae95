"""Qt properties that store a value and have no other effect."""

from __future__ import annotations

from typing import Any

from PySide6.QtCore import Property


def storedProperty(kind: Any, default: Any) -> Property:
    """Return a Qt property of the type `kind`, stored on its object."""
    field: list[str] = []

    def name(owner: Any) -> str:
        if not field:
            declared = next(
                n for c in type(owner).__mro__ for n, v in vars(c).items() if v is result
            )
            field.append(f"_stored_{declared}")
        return field[0]

    def get(owner: Any) -> Any:
        return getattr(owner, name(owner), default)

    def put(owner: Any, value: Any) -> None:
        setattr(owner, name(owner), value)

    result = Property(kind, get, put)
    return result
