"""The harness of a test: it loads modules, gives access to dialogs and faults, grabs images."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import slicer
from PySide6 import QtCore

from . import faults
from .dialogs import Dialogs
from .pythonqt.convert import wrap
from .pythonqt.proxy import forgetDeleted


class Harness:
    """The running stand-in for Slicer. ``boot.boot()`` makes it."""

    def __init__(self, app: Any, dialogs: Dialogs) -> None:
        self._app = app
        self.dialogs = dialogs
        self._formerModules: dict[str, dict[str, Any]] = {}

    @property
    def mainWindow(self) -> Any:
        """The main window as a PySide6 object."""
        return self._app.mainWindow()

    def takeFaults(self) -> list[BaseException]:
        """Return and clear the uncaught exceptions. A test that expects some calls this."""
        return faults.takeFaults()

    def setTestingEnabled(self, enabled: bool) -> None:
        """Behave as Slicer with ``--testing``, whose dialogs answer themselves."""
        self._app._testing = enabled

    def load(self, path: Path | str, show: bool = True) -> Any:
        """Load a scripted module as Slicer does at start; return its widget object if shown."""
        path = Path(path).resolve()
        self._formerModules[path.stem] = _modulesUnder(path.parent)
        self._app.moduleManager().load(path)
        self.completeStartup()
        return self.select(path.stem) if show else None

    def completeStartup(self) -> None:
        """Emit ``startupCompleted()``, which Slicer emits once, and drop its connections."""
        self._app.startupCompleted.emit()
        slicer.app.disconnect("startupCompleted()")

    def select(self, name: str) -> Any:
        """Show the module's panel as the user would, and return its widget object."""
        slicer.util.selectModule(name)
        self.processEvents()
        return self.widget(name)

    def leave(self) -> None:
        """Leave the module as the user would. The panel stays loaded."""
        self.mainWindow.leaveModule()
        self.processEvents()

    def widget(self, name: str) -> Any:
        """Return the module's current widget object. A reload makes another one."""
        return self._app.module(name).widgetRepresentation().self()

    def reload(self, name: str) -> Any:
        """Reload as the button of developer mode does, and return the new widget object."""
        self.widget(name).onReload()
        self.processEvents()
        return self.widget(name)

    def unload(self, name: str) -> None:
        """Close the panel and unload the module, as Slicer does when it ends."""
        self.mainWindow.leaveModule()
        self._app.moduleManager().unload(name)
        self.processEvents()
        self._restoreModules(name)
        forgetDeleted()

    def _restoreModules(self, name: str) -> None:
        """Restore the library's modules from before a reload, which other tests still use."""
        former = self._formerModules.pop(name)
        folder = former.pop("folder")
        imported = _modulesUnder(folder)
        for moduleName in imported:
            sys.modules.pop(moduleName, None)
        sys.modules.update(former)
        for moduleName in imported:  # `from package import module` looks at the package first
            parent, _, child = moduleName.rpartition(".")
            if parent in sys.modules:
                vars(sys.modules[parent]).pop(child, None)
                if moduleName in sys.modules:
                    setattr(sys.modules[parent], child, sys.modules[moduleName])

    def run(self) -> int:
        """Run the event loop until a person closes the window, and return the exit status."""
        return self._app.exec()

    def processEvents(self) -> None:
        """Process all pending events, including deferred deletions."""
        self._app.processEvents()
        QtCore.QCoreApplication.sendPostedEvents(None, QtCore.QEvent.Type.DeferredDelete)
        self._app.processEvents()

    def clearScene(self) -> None:
        """Clear the scene and its parameter nodes, and restore the first layout."""
        slicer.mrmlScene.Clear(0)
        for node in slicer.util.getNodesByClass("vtkMRMLScriptedModuleNode"):
            slicer.mrmlScene.RemoveNode(node)
        layout = slicer.vtkMRMLLayoutNode.SlicerLayoutOneUpRedSliceView
        self._app.layoutManager().setLayout(layout)
        self.processEvents()

    def grab(self, path: Path | str | None = None, widget: Any = None) -> Any:
        """Render all views, return an image of the main window or a widget, and save it to `path`.

        Raises OSError if the file cannot be written.
        """
        self.processEvents()
        self.processEvents()  # wrapped labels set their height after they get a width
        slicer.util.forceRenderAllViews()
        target = self.mainWindow if widget is None else getattr(widget, "_q", widget)
        image = target.grab()
        if path is not None and not image.save(str(path)):
            raise OSError(f"the image cannot be written to {path}")
        return image.toImage()

    def wrap(self, q: Any) -> Any:
        """Return a PySide6 object as scripts see it."""
        return wrap(q)


def _modulesUnder(folder: Path) -> dict[str, Any]:
    """Return the imported modules with files in a folder, and the folder as ``folder``."""
    found = {
        name: module
        for name, module in list(sys.modules.items())
        if (getattr(module, "__file__", None) or "").startswith(str(folder))
    }
    found["folder"] = folder
    return found
