"""ctkMessageBox: the message box of ``slicer.util.errorDisplay`` and similar functions."""

from __future__ import annotations

from PySide6 import QtWidgets

from ..pythonqt.names import Native
from .stored_property import storedProperty


class ctkMessageBox(Native, QtWidgets.QMessageBox):
    dontShowAgainSettingsKey = storedProperty(str, "")
