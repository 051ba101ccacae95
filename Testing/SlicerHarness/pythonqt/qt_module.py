"""The module ``qt``."""

from __future__ import annotations

import types
from typing import Any

from PySide6 import QtCore, QtGui, QtUiTools, QtWidgets

from .convert import Enum, ValueClass
from .names import QT_CLASSES
from .proxy import proxyClass

MODULES = (QtCore, QtGui, QtWidgets, QtUiTools)


class QtModule(types.ModuleType):
    """Looks up a class in PySide6 at its first use. Rejects classes not in the table of names."""

    def __getattr__(self, name: str) -> Any:
        if name == "Qt":
            value: Any = QtNamespace()
        elif name not in QT_CLASSES:
            raise AttributeError(
                f"module 'qt' has no attribute '{name}', or the harness has no list of its names: "
                "see SlicerHarness/names/pick_names.py"
            )
        else:
            found = next(getattr(m, name) for m in MODULES if hasattr(m, name))
            isObject = issubclass(found, QtCore.QObject)
            value = proxyClass(found) if isObject else ValueClass(found)
        setattr(self, name, value)
        return value


class QtNamespace:
    """``qt.Qt``, the namespace's enum values."""

    def __getattr__(self, name: str) -> Any:
        return Enum(getattr(QtCore.Qt, name))
