"""Runs a scripted Slicer module's panel without Slicer, for tests and pictures.

Real are the MRML scene, its logics, the slice views and ``slicer.util`` (all from the wheel
``slicer-core``); ``qt`` is PySide6 in PythonQt's dress; CTK's and Slicer's own widgets, the layout
manager, the parameter node wrapper and the application are stand-ins. They are strict: a name that
Slicer does not have is refused here too (``names/slicer_names.json``), and an exception in a slot,
in an observer or in an overridden event handler is kept as a fault that fails the test.

In tests, from the folder's ``conftest.py``::

    from SlicerHarness.fixtures import loadModule, scene, slicerApp, user  # noqa: F401

and then ``def test_it(slicerApp, scene, loadModule): widget = loadModule(path) ...``. Nothing is
imported before a fixture is asked for; where a wheel or a display library is missing, the fixture
skips the test and says why. By hand: ``from SlicerHarness.boot import boot; harness = boot()``.

Importing this package needs nothing but the standard library.
"""
