"""Conversion of values between Slicer scripts and PySide6.

Enums become ints, lists become tuples, and QObjects become proxies.
"""

from __future__ import annotations

import enum
import math
import types
from functools import cache
from typing import Any

from PySide6 import QtCore

from .names import isVisible


class Enum(int):
    """An enum value or flag as an int, as in PythonQt, with PySide6's member."""

    def __new__(cls, member: enum.Enum) -> Enum:
        self = int.__new__(cls, member.value)
        self.member = member
        return self

    def __or__(self, other: Any) -> Any:
        return wrap(self.member | unwrap(other))

    __ror__ = __or__

    def __and__(self, other: Any) -> Any:
        return wrap(self.member & unwrap(other))

    __rand__ = __and__

    def __repr__(self) -> str:
        return f"{self.member.name} ({int(self)})"


class Value:
    """An object other than a QObject: QSize, QIcon, QByteArray, an event, a layout's item."""

    def __init__(self, value: Any) -> None:
        object.__setattr__(self, "_v", value)

    def __getattr__(self, name: str) -> Any:
        value = object.__getattribute__(self, "_v")
        if not isVisible(type(value), name):
            raise AttributeError(f"{type(value).__name__} has no attribute named '{name}'")
        return present(getattr(value, name), name)

    def __setattr__(self, name: str, value: Any) -> None:
        raise AttributeError(f"attributes of {type(self._v).__name__} cannot be set")

    def __repr__(self) -> str:
        return f"{type(self._v).__name__} {self._v!r}"

    def __eq__(self, other: object) -> bool:
        return self._v == unwrap(other)


class ValueClass:
    """A class that does not derive from QObject. Calls and isinstance work as with a type."""

    def __init__(self, cls: type) -> None:
        self._c = cls

    def __call__(self, *args: Any) -> Value:
        return Value(self._c(*unwrap(args)))

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") or not isVisible(self._c, name):
            raise AttributeError(f"{self._c.__name__} has no attribute named '{name}'")
        return present(getattr(self._c, name), name)

    def __instancecheck__(self, instance: object) -> bool:
        return isinstance(unwrap(instance), self._c)

    def __mro_entries__(self, bases: tuple) -> tuple[type]:
        """Return the base of a script's subclass, whose objects may have other attributes."""
        return (_baseOfSubclasses(self),)


@cache
def _baseOfSubclasses(cls: ValueClass) -> type:
    def init(self: Value, *args: Any) -> None:
        object.__setattr__(self, "_v", unwrap(cls(*args)))

    body = {"__init__": init, "__setattr__": object.__setattr__}
    return type(cls._c.__name__, (Value,), body)


class SlotFunction:
    """A method of Qt that takes and returns proxies."""

    def __init__(self, raw: Any, name: str) -> None:
        self._raw, self.__name__ = raw, name

    def __call__(self, *args: Any) -> Any:
        return wrap(self._raw(*unwrap(args)))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, SlotFunction) and self._raw == other._raw

    def __hash__(self) -> int:
        return hash(self._raw)

    def __repr__(self) -> str:
        return f"<built-in qt slot {self.__name__}>"


def present(value: Any, name: str) -> Any:
    """Return the value that a script receives for an attribute."""
    if isinstance(value, enum.Enum):
        return Enum(value)
    if callable(value):
        return SlotFunction(value, name)
    return wrap(value)


def wrap(value: Any) -> Any:
    """Convert a value from PySide6 to its form in a script."""
    from .proxy import wrapObject

    if isinstance(value, QtCore.QObject):
        return wrapObject(value)
    if isinstance(value, enum.Enum):
        return Enum(value)
    if isinstance(value, (list, tuple)):
        return tuple(wrap(v) for v in value)
    if type(value).__module__.startswith("PySide6."):
        return Value(value)
    return value


def unwrap(value: Any) -> Any:
    """Convert a value from a script to its form in PySide6."""
    from .proxy import Proxy, ProxyMeta
    from .signals import slotFor

    if isinstance(value, Proxy):
        return value._q
    if isinstance(value, Enum):
        return value.member
    if isinstance(value, ProxyMeta):
        return value._qclass
    if isinstance(value, Value):
        return value._v
    if isinstance(value, ValueClass):
        return value._c
    if isinstance(value, SlotFunction):
        return value._raw
    if isinstance(value, (list, tuple)):
        return type(value)(unwrap(v) for v in value)
    if isinstance(value, (types.FunctionType, types.MethodType)):
        return slotFor(value)
    return value


_NUMBERS = {"int", "uint", "qlonglong"}


def convertForProperty(typeName: str, value: Any) -> Any:
    """Convert a value as PythonQt does when it writes a property.

    Raises TypeError or ValueError for a value that PythonQt rejects.
    """
    if typeName in _NUMBERS:
        return math.floor(value) if isinstance(value, float) else int(value)
    if typeName in ("double", "float"):
        return float(value)
    if typeName == "bool":
        return bool(value)
    if typeName == "QString":
        return str(value)  # None becomes "None" in PythonQt as well
    if typeName == "QStringList":
        if isinstance(value, str):
            raise TypeError("a string is not a list of strings")
        return [str(v) for v in value]
    return unwrap(value)
