"""The class decorator ``parameterNodeWrapper``."""

from __future__ import annotations

import logging
import typing
import weakref
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import slicer
import vtk

from .annotations import Default, first
from .connectors import Connector, connectorFor
from .storage import Checked, checkedStorage

PROPERTY = "SlicerParameterName"


@dataclass(frozen=True)
class Parameter:
    """An annotated member of the wrapper class."""

    name: str
    storage: Checked
    default: Default
    annotated: Any


class Slot:
    """A parameter of a node with a cached value, which is read again when the node is modified."""

    def __init__(self, parameter: Parameter, node: Any) -> None:
        self.parameter, self._node = parameter, node
        self._writing = True
        # The observer must not keep the slot alive, which removes the observer when it is deleted.
        refresh = weakref.WeakMethod(self._refresh)
        self._tag = node.AddObserver(vtk.vtkCommand.ModifiedEvent, lambda *unused: refresh()())
        self._value = self._readNode()
        self._writing = False

    def __del__(self) -> None:
        self._node.RemoveObserver(self._tag)

    def _readNode(self) -> Any:
        name, storage = self.parameter.name, self.parameter.storage
        if not storage.isIn(self._node, name):
            storage.write(self._node, name, self.parameter.default.value)
        return storage.read(self._node, name)

    def _refresh(self) -> None:
        if not self._writing:
            self._value = self._readNode()

    def read(self) -> Any:
        return self._value

    def write(self, value: Any) -> None:
        self._writing = True
        try:
            # The cache is updated before the observers of the node are called.
            with slicer.util.NodeModify(self._node):
                self.parameter.storage.write(self._node, self.parameter.name, value)
                self._value = self._readNode()
        finally:
            self._writing = False


class WrapperMethods:
    """Methods that the decorator adds to the class. No parameter may have such a name."""

    def default(self, name: str) -> Default:
        return self._slot(name).parameter.default

    def getValue(self, name: str) -> Any:
        return self._slot(name).read()

    def setValue(self, name: str, value: Any) -> None:
        self._slot(name).write(value)

    def _slot(self, name: str) -> Slot:
        self._parameterNamed(name)
        return self._slots[name]

    @classmethod
    def _parameterNamed(cls, name: str) -> Parameter:
        if name not in cls.allParameters:
            raise ValueError(f"no parameter is named {name}; choose from {list(cls.allParameters)}")
        return cls.allParameters[name]

    @classmethod
    def dataType(cls, name: str) -> Any:
        return cls._parameterNamed(name).annotated

    def StartModify(self) -> int:
        return self.parameterNode.StartModify()

    def EndModify(self, wasModifying: int) -> int:
        return self.parameterNode.EndModify(wasModifying)

    def Modified(self) -> None:
        self.parameterNode.Modified()

    def AddObserver(self, event: Any, callback: Callable, priority: float = 0.0) -> int:
        return self.parameterNode.AddObserver(event, callback, priority)

    def RemoveObserver(self, tag: int) -> None:
        self.parameterNode.RemoveObserver(tag)

    def connectGui(self, gui: Any) -> int:
        """Bind the widgets with the dynamic property. Return the tag for :meth:`disconnectGui`.

        `gui` is a widget or the loaded ``ui``.
        """
        if getattr(gui, "isWidgetType", lambda: False)():
            import qt

            widgets = gui.findChildren(qt.QWidget)
        else:
            widgets = gui.__dict__.values()
        named = {w.property(PROPERTY): w for w in widgets if w.property(PROPERTY)}
        return self.connectParametersToGui(named)

    def connectParametersToGui(self, mapping: dict[str, Any]) -> int:
        for name in mapping:
            self._parameterNamed(name)
        connectors = {
            name: widget
            if isinstance(widget, Connector)
            else connectorFor(widget, self.dataType(name))
            for name, widget in mapping.items()
        }
        tag = self._nextTag
        self._nextTag += 1
        self._connected[tag] = connectors
        for name, connector in connectors.items():
            connector.write(self.getValue(name))
            connector.onChanged(self._readerOf(name, connector))
        self._observers[tag] = self.AddObserver(
            vtk.vtkCommand.ModifiedEvent, lambda caller, event: self._updateGui()
        )
        return tag

    def disconnectGui(self, tag: int) -> None:
        for connector in self._connected.pop(tag, {}).values():
            connector.onChanged(None)
        if tag in self._observers:
            self.RemoveObserver(self._observers.pop(tag))

    def _readerOf(self, name: str, connector: Connector) -> Callable[[], None]:
        def widgetChanged() -> None:
            with slicer.util.NodeModify(self):
                if not self._updatingGui:
                    self.setValue(name, connector.read())

        return widgetChanged

    def _updateGui(self) -> None:
        if self._updatingGui:
            return
        self._updatingGui = True
        try:
            with slicer.util.NodeModify(self):
                for connectors in list(self._connected.values()):
                    for name, connector in connectors.items():
                        connector.write(self.getValue(name))
        finally:
            self._updatingGui = False


def _init(self: Any, parameterNode: Any) -> None:
    """Write the defaults of missing parameters. Keep the parameters that the node has."""
    self.parameterNode = parameterNode
    self._connected: dict[int, dict[str, Connector]] = {}
    self._observers: dict[int, int] = {}
    self._nextTag, self._updatingGui = 0, False
    self._slots = {
        name: Slot(parameter, parameterNode) for name, parameter in self.allParameters.items()
    }


def _property(name: str) -> property:
    return property(
        lambda self: self._slots[name].read(),
        lambda self, value: self._slots[name].write(value),
    )


def _wrap(cls: type) -> type:
    parameters: dict[str, Parameter] = {}
    for name, annotated in typing.get_type_hints(cls, include_extras=True).items():
        try:
            storage, extras = checkedStorage(annotated)
        except (TypeError, StopIteration) as error:
            raise Exception(f"cannot store {cls.__name__}.{name}: {error}") from error
        if hasattr(cls, name):
            default = Default(getattr(cls, name))
        else:
            default = first(extras, Default) or Default(storage.storage.fallback)
            extras = [e for e in extras if not isinstance(e, Default)]
        if extras:
            logging.warning("unknown annotations: %s", extras)
        parameters[name] = Parameter(name, storage, default, annotated)
        setattr(cls, name, _property(name))
    methods = {n: m for n, m in vars(WrapperMethods).items() if not n.startswith("__")}
    for name in ("allParameters", *methods):
        if hasattr(cls, name):
            raise ValueError(f"'{name}' is reserved in a parameterNodeWrapper")
    cls.__init__ = _init
    cls.allParameters = parameters
    cls._isParameterNodeWrapper = True
    for name, method in methods.items():
        setattr(cls, name, method)
    return cls


def parameterNodeWrapper(cls: type | None = None) -> Any:
    """Decorate a class, with or without parentheses."""
    return _wrap if cls is None else _wrap(cls)


def isParameterNodeWrapper(classOrObject: Any) -> bool:
    return getattr(classOrObject, "_isParameterNodeWrapper", False)
