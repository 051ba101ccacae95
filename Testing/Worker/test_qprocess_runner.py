"""Behaviour on Qt's event loop: nested events, and runners without a reference."""

from __future__ import annotations

import gc
import os
import sys
import weakref

import pytest


@pytest.fixture
def start(scene):
    """Return a function that starts a Python with a few lines and returns its runner."""
    from PseudoCTDenoiseLib.worker.qprocess_runner import QProcessRunner

    def begin(code, runner=None):
        runner = runner or QProcessRunner()
        runner.start(sys.executable, ["-SEc", code], dict(os.environ))
        return runner

    begin.runner = QProcessRunner
    return begin


@pytest.fixture
def process_events(slicerApp):
    """Return a function that runs Qt's event loop until a condition is met."""
    import slicer

    def until(condition, wait_until):
        return wait_until(lambda: slicer.app.processEvents() or condition())

    return until


def test_news_come_in_order_where_a_callback_runs_the_event_loop(start, process_events, wait_until):
    """Progress callbacks may run the event loop; meanwhile the program continues and ends."""
    import qt

    runner, seen = start.runner(), []

    def take(line):
        if line == "a":
            assert process_events(
                lambda: runner._process.state() == qt.QProcess.NotRunning, wait_until
            )
        seen.append(line)

    runner.on_line = take
    runner.on_ended = lambda exit_code, reason: seen.append(exit_code)
    start("print('a\\nb\\nc')", runner)
    assert process_events(lambda: 0 in seen, wait_until)
    assert seen == ["a", "b", "c", 0]


def test_the_event_loop_alone_brings_the_end(start, process_events, wait_until):
    seen = []
    runner = start.runner()
    runner.on_ended = lambda exit_code, reason: seen.append(exit_code)
    start("raise SystemExit(3)", runner)
    assert process_events(lambda: seen, wait_until)
    assert seen == [3]


def test_a_runner_that_nobody_holds_is_kept_until_its_program_ends(
    start, process_events, wait_until
):
    ended = []
    runner = start("print(input())")
    runner.on_ended = lambda exit_code, reason: ended.append(exit_code)
    watched = weakref.ref(runner)
    del runner
    gc.collect()
    assert watched() in kept()
    watched().write_line("go")
    assert process_events(lambda: ended == [0], wait_until)
    assert process_events(lambda: gc.collect() >= 0 and watched() not in kept(), wait_until)


def kept():
    from PseudoCTDenoiseLib.worker import qprocess_runner

    return qprocess_runner._kept
