"""Runs a scripted Slicer module's panel without Slicer, for tests and pictures.

The MRML scene, its logics, the slice views and ``slicer.util`` are Slicer's own, from the wheel
``slicer-core``. ``qt`` is PySide6 with PythonQt's interface. CTK's and Slicer's own widgets, the
layout manager, the parameter node wrapper and the application are stand-ins. The stand-ins are
strict: they reject a name that Slicer does not have (``names/slicer_names.json``), and they record
an exception in a slot, an observer or an overridden event handler as a fault that fails the test.

In tests, from the folder's ``conftest.py``::

    from SlicerHarness.fixtures import loadModule, scene, slicerApp, user  # noqa: F401

and then ``def test_it(slicerApp, scene, loadModule): widget = loadModule(path) ...``. The first
fixture imports Qt and VTK. If a wheel or a display library is missing, the fixture skips the test
with the reason. Outside tests: ``from SlicerHarness.boot import boot; harness = boot()``.

The environment variable ``SLICER_SOURCE`` replaces some stand-ins with Slicer's own Python files
from a checkout of its sources, see ``slicer_source.py``.

Importing this package needs only the standard library.
"""
