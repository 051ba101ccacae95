"""Tests marked ``new_process`` run in a process of their own, where no thread has drawn patches."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

_INSIDE = "PSEUDOCT_TEST_IN_NEW_PROCESS"


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    if pyfuncitem.get_closest_marker("new_process") is None or _INSIDE in os.environ:
        return None
    ended = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-p", "no:xdist"]
        + [pyfuncitem.nodeid],
        cwd=pyfuncitem.config.rootpath,
        env=os.environ | {_INSIDE: "1"},
        capture_output=True,
        encoding="utf-8",
        timeout=300,
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "1 passed" in ended.stdout
    return True
