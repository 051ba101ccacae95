"""The worker runs in Slicer's Python with Slicer's environment, or in another with its own."""

from __future__ import annotations

import os
import stat
import sys
import types

import pytest
from PseudoCTDenoiseLib.worker.python_program import WORKER, python_program, worker_environment

ALWAYS = {"PYTHONUTF8": "1", "PYTHONUNBUFFERED": "1"}


@pytest.fixture
def in_slicer(monkeypatch):
    """Make this process look like Slicer, with an environment variable of Slicer."""
    slicer, util = types.ModuleType("slicer"), types.ModuleType("slicer.util")
    slicer.app, slicer.util = object(), util
    util.startupEnvironment = lambda: {"PATH": "/usr/bin"}
    monkeypatch.setitem(sys.modules, "slicer", slicer)
    monkeypatch.setitem(sys.modules, "slicer.util", util)
    monkeypatch.setenv("SLICER_HOME", "/opt/Slicer")


@pytest.fixture(autouse=True)
def no_virtual_environment(monkeypatch):
    monkeypatch.setattr(sys, "prefix", sys.base_prefix)


@pytest.fixture
def outside(monkeypatch):
    monkeypatch.delitem(sys.modules, "slicer", raising=False)
    monkeypatch.setenv("MINE", "é")


def test_the_worker_is_a_file_beside():
    assert WORKER.is_file() and WORKER.is_absolute()


def test_slicers_python_is_taken_where_it_is_found(monkeypatch, tmp_path):
    program = tmp_path / "PythonSlicer"
    program.write_text("#!/bin/sh\n", encoding="utf-8")
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    assert python_program() == str(program)
    monkeypatch.setattr(sys, "prefix", "/home/me/.venv")
    assert python_program() == sys.executable


def test_elsewhere_it_is_the_python_that_runs_this(monkeypatch, tmp_path):
    with monkeypatch.context() as without:
        without.setenv("PATH", str(tmp_path))
        assert python_program() == sys.executable


@pytest.mark.parametrize("program", ["/opt/Slicer/bin/PythonSlicer", "/Slicer/PythonSlicer.exe"])
def test_slicers_python_has_slicers_environment(in_slicer, program):
    environment = worker_environment(program)
    assert environment["SLICER_HOME"] == "/opt/Slicer"
    assert environment.items() >= ALWAYS.items()


def test_another_python_has_that_from_before_slicer(in_slicer):
    assert worker_environment("/usr/bin/python3") == {"PATH": "/usr/bin", **ALWAYS}


def test_without_slicer_the_environment_is_this_processs(outside):
    environment = worker_environment("/usr/bin/python3")
    assert environment["MINE"] == "é" and environment.items() >= ALWAYS.items()
