"""Bind parameters to widgets by Slicer's rules.

The widget's class must be exactly one of those below. Ranges and the entries of a combo box come
from the annotations and overwrite those of the .ui file.
"""

from __future__ import annotations

import enum
import typing
from collections.abc import Callable
from typing import Any

import slicer

from .annotations import UNIONS, first, split
from .validators import Choice, Maximum, Minimum, WithinRange


class Connector:
    """Reads and writes a widget, and reports the user's changes."""

    signal = ""

    def __init__(self, widget: Any) -> None:
        self.widget = widget
        self._callback: Callable[[], None] | None = None

    def onChanged(self, callback: Callable[[], None] | None) -> None:
        self._callback = callback
        signal = getattr(self.widget, self.signal)
        if callback is None:
            signal.disconnect(self.changed)
        else:
            signal.connect(self.changed)

    def changed(self) -> None:
        if self._callback:
            self._callback()

    def read(self) -> Any:
        raise NotImplementedError

    def write(self, value: Any) -> None:
        raise NotImplementedError


class PropertyConnector(Connector):
    """A connector to a property of the widget."""

    def __init__(self, widget: Any, name: str, signal: str) -> None:
        super().__init__(widget)
        self._name, self.signal = name, signal

    def read(self) -> Any:
        return getattr(self.widget, self._name)

    def write(self, value: Any) -> None:
        setattr(self.widget, self._name, value)


class ListConnector(Connector):
    """A connector to a combo box with an entry for each value."""

    signal = "currentIndexChanged"

    def __init__(self, widget: Any, values: list[Any], labels: list[str]) -> None:
        super().__init__(widget)
        self._values = values
        widget.clear()
        for label in labels:
            widget.addItem(label)

    def read(self) -> Any:
        return self._values[self.widget.currentIndex]

    def write(self, value: Any) -> None:
        if value not in self._values:
            raise ValueError(f"{value!r} is not one of {self._values}")
        self.widget.currentIndex = self._values.index(value)


class NodeConnector(Connector):
    signal = "currentNodeChanged"

    def __init__(self, widget: Any, classes: list[type]) -> None:
        super().__init__(widget)
        widget.nodeTypes = [c().GetClassName() for c in classes]

    def read(self) -> Any:
        return self.widget.currentNode()

    def write(self, value: Any) -> None:
        self.widget.setCurrentNode(value)


def connectorFor(widget: Any, annotated: Any) -> Connector:
    """Return the connector of a widget for a type.

    Raises RuntimeError if Slicer cannot bind this widget to this type.
    """
    import ctk
    import qt

    kind, extras = split(annotated)
    cls = type(widget)
    if kind is bool and cls is qt.QCheckBox:
        return PropertyConnector(widget, "checked", "stateChanged")
    if kind is int and cls is qt.QSpinBox:
        _setBounds(widget, extras, -(2**31), 2**31 - 1)
        return PropertyConnector(widget, "value", "valueChanged")
    if kind is float and cls is qt.QDoubleSpinBox:
        _setBounds(widget, extras, float("-inf"), float("inf"))
        return PropertyConnector(widget, "value", "valueChanged")
    if kind is float and cls is ctk.ctkSliderWidget:
        _setBounds(widget, extras, None, None)
        return PropertyConnector(widget, "value", "valueChanged")
    if kind in (int, float, str, bool) and cls is qt.QComboBox:
        choice = first(extras, Choice)
        if choice is None:
            raise RuntimeError("a combo box needs the annotation Choice")
        return ListConnector(widget, list(choice.choices), [str(c) for c in choice.choices])
    if isinstance(kind, type) and issubclass(kind, enum.Enum) and cls is qt.QComboBox:
        label = getattr(kind, "label", lambda member: member.name)
        return ListConnector(widget, list(kind), [label(member) for member in kind])
    if kind is str and cls is qt.QLineEdit:
        return PropertyConnector(widget, "text", "textChanged")
    classes = _nodeClasses(kind)
    if classes and cls is slicer.qMRMLNodeComboBox:
        return NodeConnector(widget, classes)
    raise RuntimeError(f"cannot bind a parameter of type {annotated} to a {cls.__name__}")


def _setBounds(widget: Any, extras: list[Any], low: float | None, high: float | None) -> None:
    """Set the annotated bounds, or `low` and `high`. A bound of None must be annotated."""
    within = first(extras, WithinRange)
    if within is not None:
        low, high = within.minimum, within.maximum
    else:
        minimum, maximum = first(extras, Minimum), first(extras, Maximum)
        low = low if minimum is None else minimum.minimum
        high = high if maximum is None else maximum.maximum
    if low is None or high is None:
        raise RuntimeError("a slider needs the annotation WithinRange, or Minimum and Maximum")
    widget.minimum = low
    widget.maximum = high


def _nodeClasses(kind: Any) -> list[type]:
    """Return the node classes of a node type, or of an Optional or Union of node types only."""
    isUnion = typing.get_origin(kind) in UNIONS
    kinds = [split(k)[0] for k in typing.get_args(kind)] if isUnion else [kind]
    kinds = [k for k in kinds if k is not type(None)]
    allNodes = all(isinstance(k, type) and issubclass(k, slicer.vtkMRMLNode) for k in kinds)
    return kinds if allNodes else []
