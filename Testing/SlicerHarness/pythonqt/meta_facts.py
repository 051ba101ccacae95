"""A copy of the facts in a class's Qt meta-object.

PySide6 treats the meta-object as part of an object and releases it, even that of the class, when
the object is deleted from Python. The copy is made when a class is first used.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from PySide6 import QtCore


@dataclass(frozen=True)
class MetaFacts:
    properties: dict[str, str]  # name -> C++ type
    readOnly: frozenset[str]  # names of properties
    methods: frozenset[str]  # names of public methods, slots and signals
    signals: frozenset[str]  # signatures, such as clicked(bool)


@cache
def factsOf(cls: type) -> MetaFacts:
    """Return the facts about a QObject class, including its bases."""
    meta = cls.staticMetaObject
    properties = [meta.property(i) for i in range(meta.propertyCount())]
    methods = [meta.method(i) for i in range(meta.methodCount())]
    public = QtCore.QMetaMethod.Access.Public
    signal = QtCore.QMetaMethod.MethodType.Signal
    return MetaFacts(
        {p.name(): p.typeName() for p in properties},
        frozenset(p.name() for p in properties if not p.isWritable()),
        frozenset(bytes(m.name()).decode() for m in methods if m.access() == public),
        frozenset(bytes(m.methodSignature()).decode() for m in methods if m.methodType() == signal),
    )
