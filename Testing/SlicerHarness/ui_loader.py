"""Load .ui files that contain CTK's and Slicer's widgets and connections between them."""

from __future__ import annotations

import xml.etree.ElementTree as ET

from PySide6 import QtCore, QtUiTools, QtWidgets

from .widgets import CTK_WIDGETS, SLICER_WIDGETS


class QUiLoader(QtUiTools.QUiLoader):
    def createWidget(
        self, className: str, parent: QtWidgets.QWidget | None = None, name: str = ""
    ) -> QtWidgets.QWidget:
        for cls in (*CTK_WIDGETS, *SLICER_WIDGETS):
            if cls.__name__ == className:
                widget = cls(parent) if parent is not None else cls()
                widget.setObjectName(name)
                self._made.append(widget)
                return widget
        if className not in self.availableWidgets():
            raise LookupError(f"the .ui file uses {className}; add a stand-in for it")
        return super().createWidget(className, parent, name)

    def load(
        self, device: QtCore.QIODevice, parent: QtWidgets.QWidget | None = None
    ) -> QtWidgets.QWidget:
        self._made: list[QtWidgets.QWidget] = []
        tree = ET.fromstring(bytes(device.readAll()).decode())
        connections = tree.find("connections")
        # Qt's loader does not know the base classes and the signals of promoted classes.
        for part in (connections, tree.find("customwidgets")):
            if part is not None:
                tree.remove(part)
        buffer = QtCore.QBuffer()
        buffer.setData(ET.tostring(tree))
        buffer.open(QtCore.QIODevice.OpenModeFlag.ReadOnly)
        root = super().load(buffer, parent)
        root._madeHere = self._made  # keeps the Python objects alive as long as the panel
        for connection in connections if connections is not None else ():
            _connect(root, connection)
        return root


def _connect(root: QtWidgets.QWidget, connection: ET.Element) -> None:
    ends = []
    for end in ("sender", "receiver"):
        name = connection.findtext(end)
        found = root if root.objectName() == name else root.findChild(QtCore.QObject, name)
        if found is None:
            raise LookupError(f"a connection in the .ui file names a missing object: {name}")
        ends.append(found)
    signal = connection.findtext("signal").split("(")[0]
    slot = connection.findtext("slot").split("(")[0]
    getattr(ends[0], signal).connect(getattr(ends[1], slot))
