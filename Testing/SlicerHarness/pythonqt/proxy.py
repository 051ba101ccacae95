"""Proxies of QObjects, which scripts use in place of PySide6's objects."""

from __future__ import annotations

import types
import weakref
from functools import cache, partial
from typing import Any

import shiboken6
from PySide6 import QtCore

from .. import faults
from . import replacements
from .convert import SlotFunction, convertForProperty, present, unwrap, wrap
from .meta_facts import factsOf
from .names import Native, isVisible
from .signals import SignalFunction, signalOf

_proxyClasses: dict[type, type] = {}  # PySide6 or stand-in class -> proxy class
_live: dict[int, weakref.ref] = {}  # C++ address -> proxy
_kept: dict[int, Proxy] = {}  # proxies whose connections must outlive the script's references


class NotEmulated(AttributeError, NotImplementedError):
    """The error for a name that Slicer's class has and its stand-in lacks."""


class ProxyMeta(type):
    """Enums, static functions and unbound calls of a base's implementation."""

    def __getattr__(cls, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        qclass = next(c.__dict__["_qclass"] for c in cls.__mro__ if "_qclass" in c.__dict__)
        replaced = replacements.find(replacements.statics, qclass, name)
        if replaced is not None:
            return SlotFunction(replaced, name)
        if not isVisible(qclass, name) or not hasattr(qclass, name):
            raise AttributeError(f"type object '{cls.__name__}' has no attribute '{name}'")
        return present(getattr(qclass, name), name)


class Proxy(metaclass=ProxyMeta):
    """A QObject as PythonQt shows it. The harness uses PySide6's object, ``_q``."""

    def __init__(self, *args: Any) -> None:
        cls = type(self)
        own = "_qclass" in cls.__dict__
        qclass = cls.__dict__["_qclass"] if own else _shellClass(cls)
        q = _construct(qclass, unwrap(args))
        if not own:
            q._proxy = self
        _adopt(self, q)

    def className(self) -> str:
        native = isinstance(self._q, Native)
        return type(self._q).__name__ if native else self._q.metaObject().className()

    def inherits(self, name: str) -> bool:
        return any(c.__name__ == name for c in type(self._q).__mro__) or self._q.inherits(name)

    def delete(self) -> None:
        shiboken6.delete(self._q)

    def connect(self, signal: str, *target: Any) -> bool:
        return signalOf(self, signal).connect(*target)

    def disconnect(self, signal: str, *target: Any) -> bool:
        return signalOf(self, signal).disconnect(*target)

    def exec_(self, *args: Any) -> Any:
        return self.exec(*args)

    def children(self) -> tuple:
        return wrap(self._q.children())

    def _keep(self) -> None:
        _kept[shiboken6.getCppPointer(self._q)[0]] = self

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") or name == "_q":
            raise AttributeError(name)
        q = self._q
        if not shiboken6.isValid(q):
            raise ValueError(f"Trying to use '{name}' of a destroyed {type(self).__name__} object")
        name_ = _realName(q, name)
        if isVisible(type(q), name_):
            replaced = replacements.find(replacements.methods, type(q), name_)
            if replaced is not None:
                return SlotFunction(partial(replaced, q), name_)
            if name_ in factsOf(type(q)).properties:
                return wrap(q.property(name_))
            value = getattr(q, name_, None)
            if isinstance(value, QtCore.SignalInstance):
                return SignalFunction(self, value, name_)
            if value is not None:
                return present(value, name_)
            if isinstance(q, Native) and not hasattr(q, name_):
                raise NotEmulated(f"the stand-in for {self.className()} has no '{name}' yet")
        if name_.encode() in [bytes(n) for n in q.dynamicPropertyNames()]:
            return wrap(q.property(name_))
        for child in q.children():
            if child.objectName() == name_:
                return wrapObject(child)
        raise AttributeError(f"{self.className()} has no attribute named '{name}'")

    def __setattr__(self, name: str, value: Any) -> None:
        q = self._q
        name_ = _realName(q, name)
        if name_ in factsOf(type(q)).properties and isVisible(type(q), name_):
            _writeProperty(q, name_, value)
        elif isVisible(type(q), name_) and hasattr(type(q), name_):
            raise AttributeError(
                f"Slot '{name}' can not be overwritten on {type(self).__name__} object"
            )
        elif name_.encode() in [bytes(n) for n in q.dynamicPropertyNames()]:
            q.setProperty(name_, unwrap(value))
        elif "_qclass" in type(self).__dict__:
            raise AttributeError(
                f"'{name}' does not exist on {type(self).__name__} and creating new attributes "
                "on C++ objects is not allowed"
            )
        else:
            object.__setattr__(self, name, value)


def _construct(qclass: type, args: tuple) -> QtCore.QObject:
    """Return a new object. PythonQt passes an object that is not Qt's as its text."""
    try:
        return qclass(*args)
    except TypeError:
        texts = [a if _isKnownToQt(a) else str(a) for a in args]
        if texts == list(args):
            raise
        return qclass(*texts)


def _isKnownToQt(value: Any) -> bool:
    """Return True for an object or a value of Qt, or a value of Python's own types."""
    known = type(value).__module__.split(".")[0] in ("builtins", "PySide6")
    return known or isinstance(value, QtCore.QObject)


def _realName(q: QtCore.QObject, name: str) -> str:
    """Return "objectName" for "name", unless the class has its own ``name``, as PythonQt does."""
    own = name in factsOf(type(q)).properties
    return "objectName" if name == "name" and not own else name


def _writeProperty(q: QtCore.QObject, name: str, value: Any) -> None:
    facts = factsOf(type(q))
    if name in facts.readOnly:
        raise AttributeError(f"Property '{name}' of {type(q).__name__} object is not writable")
    typeName = facts.properties[name]
    try:
        accepted = q.setProperty(name, convertForProperty(typeName, value))
    except (TypeError, ValueError, OverflowError):
        accepted = False
    if not accepted:
        raise AttributeError(
            f"Property '{name}' of type '{typeName}' does not accept an object of type "
            f"{type(value).__name__} ({value!r})"
        )


def wrapObject(q: QtCore.QObject) -> Proxy | None:
    """Return the proxy of an object, always the same one while it exists."""
    if not shiboken6.isValid(q):
        return None
    reference = _live.get(shiboken6.getCppPointer(q)[0])
    proxy = reference() if reference else None
    if (
        proxy is not None
        and shiboken6.isValid(proxy._q)
        and proxy._q.metaObject().className() == q.metaObject().className()
    ):
        return proxy
    proxy = object.__new__(proxyClass(type(q)))
    _adopt(proxy, q)
    return proxy


def _adopt(proxy: Proxy, q: QtCore.QObject) -> None:
    object.__setattr__(proxy, "_q", q)
    object.__setattr__(proxy, "_connections", [])
    _live[shiboken6.getCppPointer(q)[0]] = weakref.ref(proxy)


def forgetDeleted() -> None:
    """Release the proxies whose C++ objects are deleted."""
    for table in (_kept, _live):
        for address, entry in list(table.items()):
            proxy = entry() if isinstance(entry, weakref.ref) else entry
            if proxy is None or not shiboken6.isValid(proxy._q):
                del table[address]


def proxyClass(qclass: type) -> type:
    """Return the proxy class of a PySide6 or stand-in class."""
    known = _proxyClasses.get(qclass)
    if known is None:
        factsOf(qclass)
        bases = [proxyClass(b) for b in qclass.__bases__ if issubclass(b, QtCore.QObject)]
        body = {"_qclass": qclass, "__module__": "PythonQt"}
        known = ProxyMeta(qclass.__name__, tuple(bases or [Proxy]), body)
        _proxyClasses[qclass] = known
    return known


@cache
def classWithoutStandIn(name: str) -> type:
    """Return a class to compare with. Making an object of it raises NotEmulated."""

    def refuse(self: Any, *args: Any) -> None:
        raise NotEmulated(f"the harness has no stand-in for {name} yet")

    return type(name, (), {"__init__": refuse, "__module__": "PythonQt"})


def _shellClass(cls: type) -> type:
    """Return a PySide6 class whose virtual functions call the overrides in the class `cls`."""
    if "_shell" in cls.__dict__:
        return cls.__dict__["_shell"]
    qclass = next(c.__dict__["_qclass"] for c in cls.__mro__ if "_qclass" in c.__dict__)
    body: dict[str, Any] = {}
    for c in cls.__mro__:
        if "_qclass" in c.__dict__:
            break
        for name, function in c.__dict__.items():
            virtual = isinstance(function, types.FunctionType) and hasattr(qclass, name)
            if virtual and not name.startswith("__"):
                body.setdefault(name, _override(name))
    shell = type(qclass)(cls.__name__, (qclass,), body)
    type.__setattr__(cls, "_shell", shell)
    _proxyClasses[shell] = cls
    return shell


def _override(name: str) -> Any:
    def override(self: QtCore.QObject, *args: Any) -> Any:
        try:
            return unwrap(getattr(self._proxy, name)(*[wrap(a) for a in args]))
        except Exception as error:
            faults.record(error)

    return override
