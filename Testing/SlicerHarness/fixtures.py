"""Pytest fixtures: the running harness, an empty scene, and a loader that unloads its modules.

In a ``conftest.py``: ``from SlicerHarness.fixtures import loadModule, scene, slicerApp, user``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from . import faults
from .requirements import missingRequirement
from .slicer_source import slicerSource

standInOnly = pytest.mark.skipif(
    slicerSource() is not None, reason="tests a stand-in, and Slicer's own files run in its place"
)


@pytest.fixture(scope="session")
def slicerApp() -> Any:
    """The running ``Harness``. From then on ``slicer``, ``qt`` and ``ctk`` can be imported."""
    reason = missingRequirement()
    if reason is not None:
        pytest.skip(reason)
    from .boot import boot

    return boot()


@pytest.fixture
def scene(slicerApp: Any) -> Iterator[Any]:
    """The empty scene, cleared after the test. A fault or an unused answer fails the test."""
    with noFaults(slicerApp) as emptyScene:
        yield emptyScene


@contextmanager
def noFaults(harness: Any) -> Iterator[Any]:
    """Yield the empty scene, then clear it and fail on a fault or an unused answer."""
    import slicer

    slicer.app, slicer.mrmlScene = harness.wrap(harness._app), harness._app.mrmlScene()
    faults.takeFaults()
    harness.dialogs.clear()
    yield slicer.mrmlScene
    harness.clearScene()
    harness.setTestingEnabled(False)
    unused = harness.dialogs.unusedAnswers()
    harness.dialogs.clear()
    found = faults.takeFaults()
    if found:
        pytest.fail("uncaught exceptions:\n" + faults.words(found), pytrace=False)
    assert not unused, f"no dialog asked for the answers {unused}"


@pytest.fixture
def user(slicerApp: Any) -> Any:
    """The module ``user``, which acts with mouse and keyboard and waits."""
    from . import user

    return user


@pytest.fixture
def loadModule(slicerApp: Any, scene: Any) -> Iterator[Callable[[Path | str], Any]]:
    """A function that loads a module's file, shows its panel and returns its widget object."""
    loaded: list[str] = []

    def load(path: Path | str) -> Any:
        loaded.append(Path(path).stem)
        return slicerApp.load(path)

    yield load
    for name in loaded:
        slicerApp.unload(name)
