"""Start the stand-in for Slicer, once per process."""

from __future__ import annotations

import os
import sys
import types
from pathlib import Path
from typing import Any

from .slicer_source import SAMPLE_DATA, importSlicerPackage, slicerSource

DEFAULT_SIZE = (1400, 900)


def _module(name: str, attributes: dict[str, Any]) -> types.ModuleType:
    module = types.ModuleType(name)
    module.__dict__.update(attributes)
    sys.modules[name] = module
    return module


_harness = None


def boot(desktop: bool = False) -> Any:
    """Return the running harness (``harness.Harness``), off screen or on the desktop."""
    global _harness
    if _harness is None:
        if not desktop:
            os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
            # Without this setting VTK warns about the missing X server before it chooses EGL.
            os.environ.setdefault("VTK_DEFAULT_OPENGL_WINDOW", "vtkEGLRenderWindow")
        _harness = _start(desktop)
    return _harness


def _start(desktop: bool) -> Any:
    import slicer
    from PySide6 import QtCore

    from . import dialogs, faults
    from .application import qSlicerApplication
    from .core_modules import coreModules
    from .harness import Harness
    from .pythonqt.convert import wrap
    from .views.layout_manager import qSlicerLayoutManager

    source = slicerSource()
    faults.install()
    QtCore.qInstallMessageHandler(_onQtMessage)
    shown = dialogs.Dialogs()
    if not desktop:  # on the desktop a person answers the dialogs
        dialogs.install(shown)
    _installQt()
    _installSlicerPackage(source)
    app = qSlicerApplication()
    slicer.app, slicer.mrmlScene = wrap(app), app.mrmlScene()
    slicer.selfTests = {}
    slicer.modules = types.SimpleNamespace(**coreModules(app.mrmlScene(), app.applicationLogic()))
    app.setLayoutManager(qSlicerLayoutManager(app, app.mainWindow().centralWidget()))
    _installModules(source, app.moduleManager())
    app.layoutManager().setLayout(slicer.vtkMRMLLayoutNode.SlicerLayoutOneUpRedSliceView)
    app.mainWindow().resize(*DEFAULT_SIZE)
    app.mainWindow().show()
    app.processEvents()
    return Harness(app, shown)


def _onQtMessage(kind: Any, context: Any, text: str) -> None:
    """Print a message of Qt, except the one that it writes for every off-screen window."""
    if "propagateSizeHints" not in text:
        print(text, file=sys.stderr)


def _installQt() -> None:
    """Install ``qt``, ``ctk`` and the widgets that Slicer keeps in ``slicer``."""
    import slicer

    from . import dicom, modules, widgets
    from .pythonqt.names import SLICER_CLASSES
    from .pythonqt.proxy import classWithoutStandIn, proxyClass
    from .pythonqt.qt_module import QtModule
    from .ui_loader import QUiLoader
    from .views import layout_manager, plot_widget, slice_view, slice_widget, table_widget

    qt = sys.modules["qt"] = QtModule("qt")
    qt.QUiLoader = proxyClass(QUiLoader)

    def missing(name: str) -> Any:
        if name in SLICER_CLASSES:
            return classWithoutStandIn(name)
        raise AttributeError(f"Slicer has no '{name}', or the harness does not know it")

    ctk = _module("ctk", {c.__name__: proxyClass(c) for c in widgets.CTK_WIDGETS})
    ctk.__getattr__ = missing
    slicer.__getattr__ = missing
    classes = [
        *widgets.SLICER_WIDGETS,
        *dicom.CLASSES,
        modules.qSlicerScriptedLoadableModule,
        modules.qSlicerScriptedLoadableModuleWidget,
        layout_manager.qSlicerLayoutManager,
        plot_widget.qMRMLPlotView,
        plot_widget.qMRMLPlotWidget,
        slice_view.qMRMLSliceView,
        slice_widget.qMRMLSliceWidget,
        table_widget.qMRMLTableView,
        table_widget.qMRMLTableWidget,
    ]
    for cls in classes:
        setattr(slicer, cls.__name__, proxyClass(cls))


def _installSlicerPackage(source: Path | None) -> None:
    """Install the Python modules of ``slicer``: from the sources, or the wheel and stand-ins."""
    import slicer
    import slicer.util

    if source is not None:
        importSlicerPackage(source)
        return
    from . import i18n, parameter_nodes, scripted_module

    sys.modules["slicer.i18n"] = slicer.i18n = i18n
    sys.modules["slicer.parameterNodeWrapper"] = parameter_nodes
    slicer.parameterNodeWrapper = parameter_nodes
    sys.modules["slicer.ScriptedLoadableModule"] = scripted_module
    slicer.ScriptedLoadableModule = scripted_module


def _installModules(source: Path | None, manager: Any) -> None:
    """Install the Python modules of Slicer's SampleData and DICOM and the PyTorch extension's."""
    import slicer

    from . import dicom, pytorch_utils, sample_data

    sys.modules["PyTorchUtils"] = pytorch_utils
    _module("DICOMLib", {"DICOMPlugin": dicom.DICOMPlugin})
    slicer.dicomDatabase = dicom.DicomDatabase()
    if source is not None:
        manager.load(source / SAMPLE_DATA)
        return
    slicer.modules.sampleDataSources = {}
    sys.modules["SampleData"] = sample_data
