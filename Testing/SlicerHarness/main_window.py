"""The main window, with the module's panel on the left, the views and a status bar."""

from __future__ import annotations

import slicer
from PySide6 import QtWidgets
from PySide6.QtCore import Property, Qt, Signal, Slot

from .pythonqt.names import Native


class qSlicerModuleSelectorToolBar(Native, QtWidgets.QToolBar):
    moduleSelected = Signal(str)
    _selected = ""

    @Slot(str)
    def selectModule(self, name: str) -> None:
        self._selected = name
        self.moduleSelected.emit(name)

    selectedModule = Property(str, lambda self: self._selected, selectModule)


class qSlicerMainWindow(Native, QtWidgets.QMainWindow):
    initialWindowShown = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.setObjectName("qSlicerMainWindow")
        self.setWindowTitle("3D Slicer (stand-in)")
        self._viewport = QtWidgets.QWidget()
        self.setCentralWidget(self._viewport)
        self._dock = QtWidgets.QDockWidget("Module")
        self._dock.setObjectName("PanelDockWidget")
        self._dock.setMinimumWidth(400)
        self._area = QtWidgets.QScrollArea(widgetResizable=True)
        self._area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self._dock.setWidget(self._area)
        self.addDockWidget(Qt.DockWidgetArea.LeftDockWidgetArea, self._dock)
        self._selector = qSlicerModuleSelectorToolBar()
        self._selector.moduleSelected.connect(self._showModule)
        self._shown = None
        self.statusBar()
        self._fileMenu = _fileMenu(self)

    @Slot(result=object)
    def moduleSelector(self) -> qSlicerModuleSelectorToolBar:
        return self._selector

    def _showModule(self, name: str) -> None:
        module = slicer.app._q.module(name)
        if module is None:
            raise RuntimeError(f"no module named {name} is loaded")
        if module is self._shown:
            return
        self.leaveModule()
        panel = module.widgetRepresentation()
        self._area.setWidget(panel)
        self._dock.setWindowTitle(module.title)
        panel.show()
        self._shown = module
        panel.enter()

    def leaveModule(self) -> None:
        """Remove the shown panel from the window. The module stays loaded."""
        module, self._shown = self._shown, None
        if module is not None and module.hasPanel():
            module.widgetRepresentation().exit()
        panel = self._area.takeWidget()
        if panel is not None:
            panel.hide()


def _fileMenu(window: QtWidgets.QMainWindow) -> QtWidgets.QMenu:
    """Return the menu to which modules add entries. The window shows no menu bar."""
    menu = QtWidgets.QMenu(window)
    menu.setObjectName("FileMenu")
    menu.addAction("Save Data").setObjectName("FileSaveSceneAction")
    return menu
