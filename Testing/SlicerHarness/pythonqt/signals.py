"""Signals: ``object.connect("clicked(bool)", f)`` and ``object.clicked.connect(f)``."""

from __future__ import annotations

import contextlib
import inspect
import types
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from PySide6 import QtCore

from .. import faults
from .convert import SlotFunction, unwrap, wrap
from .meta_facts import factsOf
from .names import isVisible, nativeClass, signalsOf

if TYPE_CHECKING:
    from .proxy import Proxy


def slotFor(function: Callable) -> Callable:
    """Return a slot for PySide6 that passes the arguments `function` accepts and records faults."""
    count = _argumentCount(function)

    def slot(*args: Any) -> None:
        try:
            function(*[wrap(a) for a in args][:count])
        except Exception as error:
            faults.record(error)

    return slot


def _argumentCount(function: Callable) -> int | None:
    """Return the number of arguments that PythonQt passes, or None for all of them."""
    bound = isinstance(function, types.MethodType)
    code = getattr(function.__func__ if bound else function, "__code__", None)
    if code is None or code.co_flags & inspect.CO_VARARGS:
        return None
    return code.co_argcount - (1 if bound else 0)


class SignalFunction:
    """A signal of one object."""

    def __init__(self, owner: Proxy, bound: Any, name: str, count: int | None = None) -> None:
        self._owner, self._bound, self._name, self._count = owner, bound, name, count

    def connect(self, target: Any) -> bool:
        if not callable(target):
            raise ValueError(f"cannot connect {self._name} to {target!r}")
        if isinstance(target, SignalFunction):
            slot = target._bound
        elif isinstance(target, SlotFunction):
            slot = target._raw
        else:
            slot = slotFor(target)
        if self._count is not None:
            slot = _shortened(slot, self._count)
        self._owner._connections.append((self._name, target, slot, self._bound))
        self._bound.connect(slot)
        self._owner._keep()
        return True

    def disconnect(self, target: Any = None) -> bool:
        found = False
        for entry in list(self._owner._connections):
            name, itsTarget, slot, bound = entry
            if name == self._name and (target is None or itsTarget == target):
                bound.disconnect(slot)
                self._owner._connections.remove(entry)
                found = True
        return found

    def emit(self, *args: Any) -> None:
        self._bound.emit(*unwrap(args))

    __call__ = emit

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, SignalFunction)
            and self._owner is other._owner
            and self._name == other._name
        )

    def __hash__(self) -> int:
        return hash((id(self._owner), self._name))


def _shortened(slot: Callable, count: int) -> Callable:
    def cut(*args: Any) -> None:
        slot(*args[:count])

    return cut


def signalOf(proxy: Proxy, signature: str) -> SignalFunction:
    """Return the signal of that name or C++ signature.

    Raises ValueError if the class does not have it.
    """
    q = proxy._q
    name = signature.split("(")[0]
    if not isVisible(type(q), name) or not isinstance(
        getattr(q, name, None), QtCore.SignalInstance
    ):
        raise ValueError(f"{proxy.className()} has no signal '{signature}'")
    bound = getattr(q, name)
    if "(" not in signature:
        return SignalFunction(proxy, bound, name)
    normal = bytes(QtCore.QMetaObject.normalizedSignature(signature)).decode()
    listed = [s for s in signalsOf(type(q)) if s.split("(")[0] == name]
    if listed and nativeClass(type(q)) is not None:
        return _slicerSignal(proxy, bound, signature, normal, listed)
    if normal not in factsOf(type(q)).signals:
        raise ValueError(f"{proxy.className()} has no signal '{signature}'")
    arguments = tuple(a for a in normal[len(name) + 1 : -1].split(",") if a)
    if not arguments:
        return SignalFunction(proxy, bound, signature, count=0)
    # If PySide6 has another name for the argument's type, there is only one overload.
    with contextlib.suppress(KeyError, IndexError, TypeError):
        bound = bound[arguments if len(arguments) > 1 else arguments[0]]
    return SignalFunction(proxy, bound, signature)


def _slicerSignal(
    proxy: Proxy, bound: Any, signature: str, normal: str, listed: list[str]
) -> SignalFunction:
    """Return a stand-in's signal. A second overload ``x(bool)`` is declared as ``xBool``."""
    if normal not in listed:
        raise ValueError(f"{proxy.className()} has no signal '{signature}'; it has {listed}")
    if normal.endswith("(bool)") and len(listed) > 1:
        bound = getattr(proxy._q, normal.split("(")[0] + "Bool")
    return SignalFunction(proxy, bound, signature)
