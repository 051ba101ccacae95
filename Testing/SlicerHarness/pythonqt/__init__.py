"""The module ``qt`` as Slicer has it: PySide6's objects behind proxies that behave as PythonQt's.

Rules that differ from PySide6, each held by a test in Testing/Harness: properties are attributes,
not methods; ``object.connect("clicked(bool)", f)`` as well as ``object.clicked.connect(f)``; a
callable gets as many of the signal's arguments as it takes; enum values are ints; lists come out as
tuples; unknown names are refused, on reading and on writing.
"""
