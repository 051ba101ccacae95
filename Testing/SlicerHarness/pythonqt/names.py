"""Decide which names of an object a script in Slicer can see.

PySide6 has names that PythonQt lacks (functions new in Qt 6, static helpers), and a stand-in has
Python helpers that the C++ class lacks. The table ``names/slicer_names.json`` lists the names.
"""

from __future__ import annotations

import enum
import json
from functools import cache
from pathlib import Path

from PySide6 import QtCore, QtGui, QtWidgets

from .meta_facts import factsOf

_TABLE = json.loads(
    (Path(__file__).parent.parent / "names" / "slicer_names.json").read_text("utf-8")
)
QT_CLASSES = frozenset(_TABLE["qt"])
SLICER_CLASSES = frozenset(_TABLE["slicer"])

# Names that PythonQt adds to every object, and QObject's functions that its tables lack.
EVERYWHERE = frozenset(
    """
    blockSignals children className connect delete deleteLater disconnect exec_ findChild
    findChildren help inherits isWidgetType metaObject objectName parent property setObjectName
    setParent setProperty signalsBlocked
    """.split()  # noqa: SIM905
)

# Properties, signals and slots that are new in Qt 6. The meta-object does not mark them.
NEW_IN_QT6 = {
    "QAction": "checkableChanged enabledChanged visibleChanged resetEnabled",
    "QCheckBox": "checkStateChanged",
    "QComboBox": "labelDrawingMode setLabelDrawingMode",
    "QMessageBox": "options setOption setOptions testOption",
    "QTabWidget": "isTabVisible setTabVisible",
}


class Native:
    """The base of a stand-in for a class of CTK or Slicer, which has that class's name.

    Scripts see only the names that the table lists for the C++ class.
    """


@cache
def namesOfQtClass(className: str) -> frozenset[str]:
    return frozenset(_TABLE["qt"].get(className, "").split())


@cache
def newInQt6(className: str) -> frozenset[str]:
    return frozenset(NEW_IN_QT6.get(className, "").split())


@cache
def slicerChain(className: str) -> tuple[str, ...]:
    """Return the class and its bases, as far as they are CTK's or Slicer's."""
    chain = []
    while className in _TABLE["slicer"]:
        chain.append(className)
        className = _TABLE["slicer"][className]["base"]
    return tuple(chain)


@cache
def namesOfSlicerClass(className: str) -> frozenset[str]:
    """Return the properties, slots and invokables, including those of the bases."""
    return frozenset(
        name for c in slicerChain(className) for name in _TABLE["slicer"][c]["names"].split()
    )


@cache
def signalsOfSlicerClass(className: str) -> tuple[str, ...]:
    """Return the C++ signatures, such as ``currentNodeChanged(vtkMRMLNode*)``."""
    return tuple(s for c in slicerChain(className) for s in _TABLE["slicer"][c]["signals"].split())


@cache
def qtBaseOfSlicerClass(className: str) -> type:
    """Return the first Qt class among the bases, or QWidget if that is not a class of Qt."""
    base = _TABLE["slicer"][slicerChain(className)[-1]]["base"]
    for module in (QtWidgets, QtGui, QtCore):
        found = getattr(module, base, None)
        if found is not None:
            return found
    return QtWidgets.QWidget


@cache
def nativeClass(cls: type) -> type | None:
    """Return the stand-in that `cls` is or derives from, or None for a class of Qt."""
    if not issubclass(cls, Native):
        return None
    for c in cls.__mro__:
        if c.__name__ in SLICER_CLASSES:
            return c
    raise LookupError(f"{cls.__name__} is not in slicer_names.json; add it with pick_names.py")


@cache
def signalsOf(cls: type) -> tuple[str, ...]:
    native = nativeClass(cls)
    return signalsOfSlicerClass(native.__name__) if native is not None else ()


@cache
def isVisible(cls: type, name: str) -> bool:
    """Return True if PythonQt shows `name` on an object of this PySide6 or stand-in class."""
    if name in EVERYWHERE:
        return True
    if name.startswith("_"):
        return False
    native = nativeClass(cls)
    if native is None:
        return _qtHas(_firstQtClass(cls), name)
    if name in namesOfSlicerClass(native.__name__):
        return True
    if any(s.split("(")[0] == name for s in signalsOfSlicerClass(native.__name__)):
        return True
    return _qtHas(qtBaseOfSlicerClass(native.__name__), name)


def _firstQtClass(cls: type) -> type:
    return next(c for c in cls.__mro__ if c.__module__.startswith("PySide6."))


def _qtHas(cls: type, name: str) -> bool:
    for c in cls.__mro__:
        if name in newInQt6(c.__name__):
            return False
        if name in namesOfQtClass(c.__name__):
            return True
    value = getattr(cls, name, None)
    if isinstance(value, enum.Enum):
        return True
    if not issubclass(cls, QtCore.QObject):
        return cls.__name__ not in QT_CLASSES
    facts = factsOf(cls)
    return name in facts.properties or name in facts.methods
