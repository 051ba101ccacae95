"""Signals call the connected functions, even if one of them fails."""

from __future__ import annotations

import pytest
from PseudoCTDenoiseLib.worker.signals import Signal, call_each


def test_functions_are_called_in_the_order_they_were_connected():
    signal, seen = Signal(), []
    signal.connect(lambda a, b: seen.append(("first", a, b)))
    signal.connect(lambda a, b: seen.append(("second", a, b)))
    signal.emit(1, 2)
    assert seen == [("first", 1, 2), ("second", 1, 2)]


def test_one_function_is_disconnected_or_all_are():
    signal, seen = Signal(), []
    signal.connect(seen.append)
    signal.connect(print)
    signal.disconnect(print)
    signal.disconnect(print)
    signal.emit(1)
    signal.disconnect()
    signal.emit(2)
    assert seen == [1]


def test_a_function_may_disconnect_itself():
    signal, seen = Signal(), []

    def once(value):
        seen.append(value)
        signal.disconnect(once)

    signal.connect(once)
    signal.connect(seen.append)
    signal.emit(1)
    signal.emit(2)
    assert seen == [1, 1, 2]


def test_all_are_called_before_the_first_error_is_raised():
    signal, seen = Signal(), []

    def fail(value):
        raise KeyError(value)

    signal.connect(fail)
    signal.connect(seen.append)
    with pytest.raises(KeyError, match="news"):
        signal.emit("news")
    assert seen == ["news"]


def test_call_each_reaches_the_last_item_too():
    seen = []

    def take(item):
        seen.append(item)
        if item < 3:
            raise ValueError(item)

    with pytest.raises(ValueError, match="1"):
        call_each(take, [1, 2, 3])
    assert seen == [1, 2, 3]
