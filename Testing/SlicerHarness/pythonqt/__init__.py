"""Slicer's module ``qt``: PySide6's objects behind proxies that behave like PythonQt's.

The rules that differ from PySide6, each with a test in Testing/Harness:

- Properties are attributes, not methods.
- ``object.connect("clicked(bool)", f)`` works as well as ``object.clicked.connect(f)``.
- A callable gets as many of the signal's arguments as it accepts.
- Enum values are ints, and lists are returned as tuples.
- Reading or writing an unknown name raises an error.
"""
