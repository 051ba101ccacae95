"""Simulate a user's mouse and keyboard, and wait for the results."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from PySide6 import QtCore, QtGui, QtTest, QtWidgets

Qt = QtCore.Qt
TICK = 10  # ms between two checks of a condition


def _widget(widget: Any) -> QtWidgets.QWidget:
    """Return the PySide6 widget, which must be visible and enabled."""
    q = getattr(widget, "_q", widget)
    name = q.objectName() or type(q).__name__
    assert q.isVisible(), f"{name} is not visible"
    assert q.isEnabled(), f"{name} is disabled"
    parent = q.parentWidget()
    while parent is not None and not isinstance(parent, QtWidgets.QScrollArea):
        parent = parent.parentWidget()
    if parent is not None:
        parent.ensureWidgetVisible(q)
    return q


def _modifier(name: str) -> Qt.KeyboardModifier:
    return Qt.KeyboardModifier[f"{name}Modifier"]


def click(widget: Any, x: int | None = None, y: int | None = None, modifier: str = "No") -> None:
    """Click with the left button at (x, y), or on the widget's clickable part.

    The modifiers of this and the following functions are "No", "Shift", "Control" and "Alt".
    """
    q = _widget(widget)
    at = q.rect().center()
    if isinstance(q, (QtWidgets.QCheckBox, QtWidgets.QRadioButton)):
        at.setX(8)
    elif hasattr(q, "_headerHeight"):
        at.setY(8)
    at = QtCore.QPoint(at.x() if x is None else x, at.y() if y is None else y)
    QtTest.QTest.mouseClick(q, Qt.MouseButton.LeftButton, _modifier(modifier), at)
    QtWidgets.QApplication.processEvents()


def pressKey(widget: Any, key: str, modifier: str = "No") -> None:
    """Press a key, given by its name, such as "A", "Space" or "PageUp"."""
    q = _widget(widget)
    q.setFocus()
    QtTest.QTest.keyClick(q, Qt.Key[f"Key_{key}"], _modifier(modifier))
    QtWidgets.QApplication.processEvents()


def enterText(widget: Any, text: str) -> None:
    """Replace the text of a line edit, a spin box or a slider's spin box, and press Return."""
    q = _widget(widget)
    for field in ("_spin", "_edit"):
        q = getattr(q, field, q)
    q.setFocus()
    q.selectAll()
    QtTest.QTest.keyClicks(q, text)
    QtTest.QTest.keyClick(q, Qt.Key.Key_Return)
    QtWidgets.QApplication.processEvents()


def choose(widget: Any, choice: Any) -> None:
    """Choose an entry of a combo box by its text, or a node in a node selector."""
    box = _widget(widget)
    q = getattr(box, "_combo", box)
    isNode = hasattr(choice, "GetID")
    index = q.findData(choice.GetID()) if isNode else q.findText(choice)
    entries = [q.itemText(i) for i in range(q.count())]
    assert index >= 0, f"no entry {choice.GetName() if isNode else choice!r} in {entries}"
    if q is not box:
        box.choose(index)
    else:
        q.setCurrentIndex(index)
        q.activated.emit(index)
    QtWidgets.QApplication.processEvents()


def drag(
    widget: Any,
    start: tuple[int, int],
    end: tuple[int, int],
    button: str = "Left",
    modifier: str = "No",
) -> None:
    """Press at `start`, move to `end` and release. Positions are pixels of the widget."""
    q = _widget(widget)
    held, keys = Qt.MouseButton[f"{button}Button"], _modifier(modifier)
    move(widget, start, modifier)
    QtTest.QTest.mousePress(q, held, keys, QtCore.QPoint(*start))
    for share in (0.5, 1.0):
        x, y = (a + share * (b - a) for a, b in zip(start, end, strict=True))
        _move(q, x, y, held, keys)
    QtTest.QTest.mouseRelease(q, held, keys, QtCore.QPoint(*end))
    QtWidgets.QApplication.processEvents()


def move(widget: Any, to: tuple[int, int], modifier: str = "No") -> None:
    """Move the mouse to a position from the pixel beside it, without a button."""
    q = _widget(widget)
    for x in (to[0] - 1, to[0]):
        _move(q, x, to[1], Qt.MouseButton.NoButton, _modifier(modifier))
    QtWidgets.QApplication.processEvents()


def _move(
    q: QtWidgets.QWidget, x: float, y: float, held: Qt.MouseButton, keys: Qt.KeyboardModifier
) -> None:
    kind, none, point = QtCore.QEvent.Type.MouseMove, Qt.MouseButton.NoButton, QtCore.QPointF(x, y)
    event = QtGui.QMouseEvent(kind, point, q.mapToGlobal(point), none, held, keys)
    QtWidgets.QApplication.sendEvent(q, event)


def scrollWheel(widget: Any, steps: int) -> None:
    """Turn the wheel over the widget's centre. Positive steps turn away from the user."""
    q = _widget(widget)
    middle = QtCore.QPointF(q.rect().center())
    for _ in range(abs(steps)):
        event = QtGui.QWheelEvent(
            middle,
            q.mapToGlobal(middle),
            QtCore.QPoint(),
            QtCore.QPoint(0, 120 if steps > 0 else -120),
            Qt.MouseButton.NoButton,
            Qt.KeyboardModifier.NoModifier,
            Qt.ScrollPhase.NoScrollPhase,
            False,
        )
        QtWidgets.QApplication.sendEvent(q, event)
    QtWidgets.QApplication.processEvents()


def waitUntil(condition: Callable[[], Any], seconds: float, what: str = "") -> Any:
    """Run the event loop until the condition is true, and return its value.

    Raises AssertionError after `seconds`.
    """
    end = time.monotonic() + seconds
    wake = QtCore.QTimer(interval=TICK)
    wake.start()  # the event loop sleeps between two ticks
    wait = QtCore.QEventLoop.ProcessEventsFlag.WaitForMoreEvents
    while not (value := condition()):
        assert time.monotonic() < end, f"waited {seconds} s for {what or 'a condition'}"
        QtWidgets.QApplication.processEvents(QtCore.QEventLoop.ProcessEventsFlag.AllEvents | wait)
    return value
