"""Write slicer_names.json, the names of PythonQt's, CTK's and Slicer's classes in use here.

    python Testing/SlicerHarness/names/pick_names.py FOLDER

FOLDER holds the full tables: ``pythonqt_qt_names.json`` (class -> names in PythonQt's wrapper) and
``slicer_ctk_names.json`` (class -> base, properties, signals, slots, invokables). Add a new
class to the lists below. Its bases are added automatically.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

TABLE = Path(__file__).parent / "slicer_names.json"

QT_CLASSES = """
QAbstractButton QAbstractItemView QAbstractScrollArea QAbstractSlider QAbstractSpinBox QAction
QApplication QBoxLayout QButtonGroup QByteArray QCheckBox QClipboard QColor QComboBox
QCoreApplication QCursor QDesktopServices QDialog QDialogButtonBox QDir QDockWidget QDoubleSpinBox
QEvent QFile QFileDialog QFont QFormLayout QFrame QGridLayout QGroupBox QHBoxLayout QHeaderView
QIODevice QIcon QInputDialog QKeySequence QLabel QLayout QLineEdit QMainWindow QMenu QMessageBox
QObject QPalette QPixmap QPlainTextEdit QPoint QProcess QProcessEnvironment QProgressBar
QProgressDialog QPushButton QRadioButton QRect QScrollArea QScrollBar QSettings QShortcut QSize
QSizePolicy QSlider QSpacerItem QSpinBox QSplitter QStackedWidget QStandardPaths QStatusBar
QTabWidget QTableView QTableWidget QTextCursor QTextDocument QTextEdit QTimer QToolBar QToolButton
QToolTip QUiLoader QUrl QVBoxLayout QWidget
""".split()  # noqa: SIM905

SLICER_CLASSES = """
ctkCollapsibleButton ctkMessageBox ctkSliderWidget ctkVTKChartView qMRMLCollapsibleButton
qMRMLNodeComboBox qMRMLPlotView qMRMLPlotViewControllerWidget qMRMLPlotWidget qMRMLSceneModel
qMRMLSliceControllerWidget qMRMLSliceView qMRMLSliceWidget qMRMLSortFilterProxyModel qMRMLTableView
qMRMLTableViewControllerWidget qMRMLTableWidget qMRMLThreeDView qMRMLThreeDWidget qMRMLWidget
qSlicerApplication qSlicerCommandOptions qSlicerIOManager qSlicerLayoutManager qSlicerModuleManager
qSlicerModuleSelectorToolBar qSlicerScriptedLoadableModule qSlicerScriptedLoadableModuleWidget
qSlicerWidget
""".split()  # noqa: SIM905

# Classes that Slicer's parameter node wrapper compares widgets with. They have no stand-ins.
SLICER_CLASSES += """
ctkCheckBox ctkCheckablePushButton ctkColorPickerButton ctkComboBox ctkDirectoryButton
ctkDoubleRangeSlider ctkDoubleSlider ctkDoubleSpinBox ctkPathLineEdit ctkRangeWidget
qMRMLRangeWidget qMRMLSliderWidget qMRMLSpinBox
""".split()  # noqa: SIM905

# Internal names of the wrapper: constructors, destructors, calls of a base's implementation.
MACHINERY = ("new_", "delete_", "py_q_", "operator_", "__")

# Names missing in the full tables, because other wrappers or the application declare them.
ADDED_QT_NAMES = {
    "QApplication": "clipboard keyboardModifiers mouseButtons overrideCursor primaryScreen "
    "restoreOverrideCursor screens setOverrideCursor",
    "QTableWidgetItem": "background data flags font foreground icon row column setBackground "
    "setData setFlags setFont setForeground setIcon setText setTextAlignment setToolTip text "
    "textAlignment toolTip",
}
ADDED_SLICER_CLASSES = {
    "qSlicerMainWindow": {
        "base": "QMainWindow",
        "names": ["moduleSelector", "pythonConsole"],
        "signals": ["initialWindowShown()"],
    },
    "qSlicerDICOMExportDialog": {
        "base": "QObject",
        "names": ["execDialog", "setMRMLScene", "showUpdatedDICOMBrowser"],
        "signals": [],
    },
    "qSlicerDICOMExportable": {
        "base": "QObject",
        "names": [
            *("confidence", "copyFromVtkExportable", "copyToVtkExportable", "directory", "name"),
            *("pluginClass", "setTag", "subjectHierarchyItemID", "tag", "tags", "tooltip"),
        ],
        "signals": [],
    },
    "qMRMLSubjectHierarchyComboBox": {"base": "ctkComboBox", "names": [], "signals": []},
    "qMRMLSubjectHierarchyTreeView": {"base": "QTreeView", "names": [], "signals": []},
}
ADDED_SLICER_NAMES = {
    "qSlicerApplication": ["commandOptions", "mainWindow", "testingEnabled"],
    "qSlicerScriptedLoadableModule": ["createNewWidgetRepresentation", "widgetRepresentation"],
}


def pickQt(full: dict[str, list[str]]) -> dict[str, str]:
    """Return the names of each chosen Qt class, in one line."""
    picked = {}
    for name in QT_CLASSES:
        names = [n for n in full[name] if not n.startswith(MACHINERY)]
        names += ADDED_QT_NAMES.get(name, "").split()
        picked[name] = " ".join(sorted(set(names)))
    for name in ADDED_QT_NAMES.keys() - picked.keys():
        picked[name] = ADDED_QT_NAMES[name]
    return dict(sorted(picked.items()))


def pickSlicer(full: dict[str, dict]) -> dict[str, dict]:
    """Return the chosen CTK and Slicer classes with bases, names and C++ signal signatures."""
    picked = dict(ADDED_SLICER_CLASSES)
    waiting = list(SLICER_CLASSES)
    while waiting:
        name = waiting.pop()
        if name in picked or name not in full:
            continue
        entry = full[name]
        names = [n for kind in ("properties", "slots", "invokables") for n in entry.get(kind, ())]
        names += ADDED_SLICER_NAMES.get(name, ())
        picked[name] = {
            "base": entry["base"],
            "names": sorted(set(names)),
            "signals": entry.get("signals", []),
        }
        waiting.append(entry["base"])
    return {
        name: {
            "base": entry["base"],
            "names": " ".join(entry["names"]),
            "signals": " ".join(entry["signals"]),
        }
        for name, entry in sorted(picked.items())
    }


def main(folder: Path) -> None:
    qt = json.loads((folder / "pythonqt_qt_names.json").read_text("utf-8"))
    slicer = json.loads((folder / "slicer_ctk_names.json").read_text("utf-8"))
    table = {"qt": pickQt(qt), "slicer": pickSlicer(slicer)}
    TABLE.write_text(json.dumps(table, indent=0) + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
