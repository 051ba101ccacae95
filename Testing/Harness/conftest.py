"""The harness as a module would meet it."""

from __future__ import annotations

import types
from pathlib import Path
from typing import Any

import pytest
from SlicerHarness.fixtures import loadModule, scene, slicerApp, user  # noqa: F401


@pytest.fixture
def slicer(scene: Any) -> types.ModuleType:  # noqa: F811
    """``slicer``, with an empty scene."""
    import slicer

    return slicer


@pytest.fixture
def qt(scene: Any) -> types.ModuleType:  # noqa: F811
    import qt

    return qt


@pytest.fixture
def ctk(scene: Any) -> types.ModuleType:  # noqa: F811
    import ctk

    return ctk


@pytest.fixture
def examplePath() -> Path:
    """A small scripted module."""
    return Path(__file__).parent / "Example" / "HarnessExample.py"
