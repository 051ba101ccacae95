"""What a test holds: loads modules, looks at dialogs and faults, grabs pictures."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import slicer
from PySide6 import QtCore

from . import faults
from .dialogs import Dialogs
from .parameter_nodes.wrapper import forgetWrappers
from .pythonqt.convert import wrap
from .pythonqt.proxy import forgetDeleted


class Harness:
    """The running stand-in for Slicer; ``boot.boot()`` makes it."""

    def __init__(self, app: Any, dialogs: Dialogs) -> None:
        self._app = app
        self.dialogs = dialogs
        self._formerModules: dict[str, dict[str, Any]] = {}

    @property
    def mainWindow(self) -> Any:
        """The main window as PySide6 has it."""
        return self._app.mainWindow()

    def takeFaults(self) -> list[BaseException]:
        """The exceptions nobody caught so far; a test that expects some takes them away."""
        return faults.takeFaults()

    def setTestingEnabled(self, enabled: bool) -> None:
        """As if Slicer ran with ``--testing``: its dialogs answer themselves."""
        self._app._testing = enabled

    def load(self, path: Path | str, show: bool = True) -> Any:
        """Loads a scripted module as Slicer's start does; its widget object if it is shown."""
        path = Path(path).resolve()
        self._formerModules[path.stem] = _modulesUnder(path.parent)
        self._app.moduleManager().load(path)
        self.completeStartup()
        return self.select(path.stem) if show else None

    def completeStartup(self) -> None:
        """What waits for ``startupCompleted()`` runs; in Slicer that comes once."""
        self._app.startupCompleted.emit()
        slicer.app.disconnect("startupCompleted()")

    def select(self, name: str) -> Any:
        """Shows the module's panel, as the user would; its widget object."""
        slicer.util.selectModule(name)
        self.processEvents()
        return self.widget(name)

    def leave(self) -> None:
        """The user goes to another module; the panel stays loaded."""
        self.mainWindow.leaveModule()
        self.processEvents()

    def widget(self, name: str) -> Any:
        """The module's widget object as it is now; a reload makes another."""
        return self._app.module(name).widgetRepresentation().self()

    def reload(self, name: str) -> Any:
        """The button "Reload" of developer mode; the new widget object."""
        self.widget(name).onReload()
        self.processEvents()
        return self.widget(name)

    def unload(self, name: str) -> None:
        """Closes the panel as Slicer does when it ends."""
        self.mainWindow.leaveModule()
        self._app.moduleManager().unload(name)
        self.processEvents()
        self._restoreModules(name)
        forgetDeleted()

    def _restoreModules(self, name: str) -> None:
        """A reload has replaced the library's modules; other tests hold the former ones."""
        former = self._formerModules.pop(name)
        folder = former.pop("folder")
        for imported in _modulesUnder(folder):
            sys.modules.pop(imported, None)
        sys.modules.update(former)

    def run(self) -> int:
        """The event loop, until a person closes the window; the exit status."""
        return self._app.exec()

    def processEvents(self) -> None:
        """What is due now, deletions included."""
        self._app.processEvents()
        QtCore.QCoreApplication.sendPostedEvents(None, QtCore.QEvent.Type.DeferredDelete)
        self._app.processEvents()

    def clearScene(self) -> None:
        """The scene and the layout of the start; parameter nodes go too."""
        slicer.mrmlScene.Clear(0)
        for node in slicer.util.getNodesByClass("vtkMRMLScriptedModuleNode"):
            slicer.mrmlScene.RemoveNode(node)
        forgetWrappers()
        layout = slicer.vtkMRMLLayoutNode.SlicerLayoutOneUpRedSliceView
        self._app.layoutManager().setLayout(layout)
        self.processEvents()

    def grab(self, path: Path | str | None = None, widget: Any = None) -> Any:
        """A picture of the main window or a widget, all views drawn; saved if a path is given."""
        self.processEvents()
        self.processEvents()  # labels that wrap ask for their height once they have a width
        slicer.util.forceRenderAllViews()
        target = self.mainWindow if widget is None else getattr(widget, "_q", widget)
        picture = target.grab()
        if path is not None and not picture.save(str(path)):
            raise OSError(f"the picture could not be written to {path}")
        return picture.toImage()

    def wrap(self, q: Any) -> Any:
        """PySide6's object as scripts see it."""
        return wrap(q)


def _modulesUnder(folder: Path) -> dict[str, Any]:
    """The imported modules whose files lie in a folder; ``folder`` among them is the folder."""
    found = {
        name: module
        for name, module in list(sys.modules.items())
        if (getattr(module, "__file__", None) or "").startswith(str(folder))
    }
    found["folder"] = folder
    return found
