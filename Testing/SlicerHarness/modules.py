"""Load, show, reload and unload scripted modules in the running application."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import shiboken6
import slicer
from PySide6 import QtCore, QtGui, QtWidgets
from PySide6.QtCore import Property, Signal, Slot

from . import faults
from .pythonqt.convert import wrap
from .pythonqt.names import Native
from .widgets.mrml_widget import qSlicerWidget
from .widgets.stored_property import storedProperty


class qSlicerScriptedLoadableModuleWidget(qSlicerWidget):
    """The frame of a panel. ``self()`` returns the module's widget object."""

    def __init__(self, moduleName: str = "") -> None:
        super().__init__()
        self._moduleName, self._widget, self._entered = moduleName, None, False
        self.setLayout(QtWidgets.QVBoxLayout())

    moduleName = Property(str, lambda self: self._moduleName)
    isEntered = Property(bool, lambda self: self._entered)

    @Slot(result=object)
    def self(self) -> Any:
        return self._widget

    @Slot()
    def reload(self) -> None:
        """Make a new widget object from the module that is now in ``sys.modules``."""
        cls = getattr(sys.modules[self._moduleName], self._moduleName + "Widget")
        self._widget = cls(wrap(self))
        setattr(slicer.modules, self._moduleName + "Widget", self._widget)
        self._widget.setup()
        self.layout().addStretch(1)

    @Slot()
    def enter(self) -> None:
        self._entered = True
        self._call("enter")

    @Slot()
    def exit(self) -> None:
        self._entered = False
        self._call("exit")

    def _call(self, name: str) -> None:
        try:
            getattr(self._widget, name, lambda: None)()
        except Exception as error:
            faults.record(error)


class qSlicerScriptedLoadableModule(Native, QtCore.QObject):
    """A module, which its ``__init__`` gets as `parent`."""

    acknowledgementText = storedProperty(str, "")
    associatedNodeTypes = storedProperty("QStringList", [])
    categories = storedProperty("QStringList", [])
    contributors = storedProperty("QStringList", [])
    dependencies = storedProperty("QStringList", [])
    helpText = storedProperty(str, "")
    hidden = storedProperty(bool, False)
    icon = storedProperty(QtGui.QIcon, QtGui.QIcon())
    index = storedProperty(int, -1)
    title = storedProperty(str, "")

    def __init__(self, path: Path) -> None:
        super().__init__()
        self._path, self._panel = path, None

    name = Property(str, lambda self: self._path.stem)
    path = Property(str, lambda self: str(self._path))

    def hasPanel(self) -> bool:
        return self._panel is not None and shiboken6.isValid(self._panel)

    @Slot(result=object)
    def widgetRepresentation(self) -> qSlicerScriptedLoadableModuleWidget:
        """Return the panel, and make it at the first call."""
        if not self.hasPanel():
            self._panel = qSlicerScriptedLoadableModuleWidget(self._path.stem)
            self._panel.setMRMLScene(slicer.mrmlScene)
            self._panel.reload()
        return self._panel


class qSlicerModuleManager(Native, QtCore.QObject):
    moduleAboutToBeUnloaded = Signal(str)
    moduleLoaded = Signal(str)

    def __init__(self) -> None:
        super().__init__()
        self._loaded: dict[str, Any] = {}
        self._added: set[str] = set()  # modules whose folder was not on the path before

    @Slot(str, result=object)
    def module(self, name: str) -> Any:
        return self._loaded.get(name)

    def load(self, path: Path) -> qSlicerScriptedLoadableModule:
        """Execute the module's file and make its description, as Slicer does at start."""
        name = path.stem
        if str(path.parent) not in sys.path:
            sys.path.insert(0, str(path.parent))
            self._added.add(name)
        python = _execute(name, path)
        module = qSlicerScriptedLoadableModule(path)
        module._description = getattr(python, name)(wrap(module))
        self._loaded[name] = module
        setattr(slicer.modules, name.lower(), wrap(module))
        setattr(slicer.modules, name + "Instance", module._description)
        self.moduleLoaded.emit(name)
        return module

    def unload(self, name: str) -> None:
        """Call the panel's ``cleanup()``, then remove the panel and the module."""
        self.moduleAboutToBeUnloaded.emit(name)
        module = self._loaded.pop(name)
        if module.hasPanel():
            module._panel.deleteLater()
        for attribute in (name.lower(), name + "Instance", name + "Widget"):
            if hasattr(slicer.modules, attribute):
                delattr(slicer.modules, attribute)
        slicer.selfTests.pop(name, None)
        sys.modules.pop(name, None)
        if name in self._added:
            self._added.remove(name)
            sys.path.remove(str(module._path.parent))


def _execute(name: str, path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, path)
    python = importlib.util.module_from_spec(spec)
    sys.modules[name] = python
    spec.loader.exec_module(python)
    return python
