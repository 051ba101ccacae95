"""``slicer.app``, the application with its scene, logics, main window and views."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import Any

import slicer
import vtk
from PySide6 import QtCore, QtWidgets
from PySide6.QtCore import Property, Signal, Slot

from .main_window import qSlicerMainWindow
from .modules import qSlicerModuleManager
from .pythonqt.names import Native
from .scene_files import qSlicerIOManager

VERSION = (5, 12)


class qSlicerCommandOptions(Native, QtCore.QObject):
    """``slicer.app.commandOptions()``, with the options that extensions read."""

    testingEnabled = Property(bool, lambda self: self.parent().testingEnabled())
    noMainWindow = Property(bool, lambda self: False)


class qSlicerApplication(Native, QtWidgets.QApplication):
    """The application of a user: ``testingEnabled()`` is False, so dialogs are shown."""

    startupCompleted = Signal()
    mrmlSceneChanged = Signal(object)

    def __init__(self) -> None:
        super().__init__(["Slicer"])
        self.setStyle("Fusion")
        self.setApplicationName("Slicer")
        self.setOrganizationName("SlicerHarness")
        self._folder = tempfile.TemporaryDirectory(prefix="SlicerHarness-")
        _keepSettingsIn(self._folder.name)
        self._testing = False
        self._startScene()
        self._modules = qSlicerModuleManager()
        self._io = qSlicerIOManager()
        self._options = qSlicerCommandOptions(self)
        self._window = qSlicerMainWindow()

    def _startScene(self) -> None:
        self._scene = slicer.vtkMRMLScene()
        crosshair = slicer.vtkMRMLCrosshairNode()
        crosshair.SetCrosshairName("default")
        self._scene.AddNode(crosshair)
        self._logic = slicer.vtkSlicerApplicationLogic()
        self._logic.SetMRMLScene(self._scene)
        self._logic.GetColorLogic().SetMRMLScene(self._scene)
        self._logic.GetColorLogic().AddDefaultColorNodes()
        self._logic.SetSliceLogics(vtk.vtkCollection())
        self._logic.SetViewLogics(vtk.vtkCollection())
        slicer.vtkMRMLSliceNode.AddDefaultSliceOrientationPresets(self._scene, True)
        self._link = slicer.vtkMRMLSliceLinkLogic()
        self._link.SetMRMLApplicationLogic(self._logic)
        self._link.SetMRMLScene(self._scene)
        self._startCache()

    def _startCache(self) -> None:
        """Set the cache folder, in which bundles (.mrb) are unpacked."""
        self._cache = Path(self._folder.name) / "cache"
        self._cache.mkdir()
        (self._cache / ".slicer-cache").touch()
        self._remote = slicer.vtkMRMLRemoteIOLogic()
        self._remote.SetMRMLScene(self._scene)
        self._remote.GetCacheManager().SetRemoteCacheDirectory(str(self._cache))
        self._remote.GetDataIOManager().SetCacheManager(self._remote.GetCacheManager())
        self._remote.AddDataIOToScene()

    def setLayoutManager(self, manager: QtCore.QObject) -> None:
        self._layoutManager = manager

    def module(self, name: str) -> Any:
        return self._modules.module(name)

    temporaryPath = Property(str, lambda self: self._folder.name)
    slicerHome = Property(str, lambda self: self._folder.name)
    majorVersion = Property(int, lambda self: VERSION[0])
    minorVersion = Property(int, lambda self: VERSION[1])
    revision = Property(str, lambda self: "33000")
    repositoryRevision = Property(str, lambda self: "33000")
    os = Property(str, lambda self: "linux")
    arch = Property(str, lambda self: "amd64")
    cachePath = Property(str, lambda self: str(self._cache))
    documentationBaseUrl = Property(
        str, lambda self: "https://slicer.readthedocs.io/en/" + ".".join(map(str, VERSION))
    )

    @Slot(str, result=str)
    def moduleDocumentationUrl(self, moduleName: str) -> str:
        return f"{self.documentationBaseUrl}/user_guide/modules/{moduleName.lower()}.html"

    @Slot(result=object)
    def layoutManager(self) -> Any:
        return self._layoutManager

    @Slot(result=object)
    def applicationLogic(self) -> Any:
        return self._logic

    @Slot(result=object)
    def mrmlScene(self) -> Any:
        return self._scene

    @Slot(result=object)
    def moduleManager(self) -> qSlicerModuleManager:
        return self._modules

    @Slot(result=object)
    def ioManager(self) -> qSlicerIOManager:
        return self._io

    @Slot(result=object)
    def coreIOManager(self) -> qSlicerIOManager:
        return self._io

    @Slot(result=object)
    def commandOptions(self) -> qSlicerCommandOptions:
        return self._options

    @Slot(result=object)
    def mainWindow(self) -> qSlicerMainWindow:
        return self._window

    @Slot(result=object)
    def testingEnabled(self) -> bool:
        return self._testing

    @Slot()
    def restart(self) -> None:
        raise NotImplementedError("the harness does not restart")

    @Slot(result=object)
    def userSettings(self) -> QtCore.QSettings:
        return QtCore.QSettings()

    @Slot(result=object)
    def settings(self) -> QtCore.QSettings:
        return QtCore.QSettings()

    @Slot(result=object)
    def startupEnvironment(self) -> QtCore.QProcessEnvironment:
        return QtCore.QProcessEnvironment.systemEnvironment()


def _keepSettingsIn(folder: str) -> None:
    """Keep all settings in a folder, apart from the user's own settings."""
    ini, user = QtCore.QSettings.Format.IniFormat, QtCore.QSettings.Scope.UserScope
    QtCore.QSettings.setDefaultFormat(ini)
    QtCore.QSettings.setPath(ini, user, os.path.join(folder, "settings"))
