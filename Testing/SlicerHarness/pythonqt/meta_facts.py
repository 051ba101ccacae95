"""What Qt's meta-object says of a class, copied.

PySide6 takes an object's meta-object for a part of the object and forgets it, the class's own one
included, when the object is deleted from Python. The copy is made when the class is first met.
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
    """Of a QObject class, its bases included."""
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
