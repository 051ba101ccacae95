"""qMRMLTableWidget: shows the table of a table view node."""

from __future__ import annotations

from typing import Any

import vtk
from PySide6 import QtCore, QtWidgets
from PySide6.QtCore import Qt, Slot

from ..pythonqt.names import Native
from .view_frame import qMRMLAbstractViewWidget


class TableModel(QtCore.QAbstractTableModel):
    """A Qt model of the cells of a vtkTable, as text."""

    def __init__(self, parent: QtCore.QObject) -> None:
        super().__init__(parent)
        self._node = None

    def show(self, node: Any) -> None:
        self.beginResetModel()
        self._node = node
        self.endResetModel()

    def _table(self) -> Any:
        return self._node.GetTable() if self._node is not None else vtk.vtkTable()

    def rowCount(self, parent: Any = None) -> int:
        return self._table().GetNumberOfRows()

    def columnCount(self, parent: Any = None) -> int:
        return self._table().GetNumberOfColumns()

    def data(self, index: QtCore.QModelIndex, role: int = 0) -> Any:
        if role != Qt.ItemDataRole.DisplayRole:
            return None
        return self._node.GetCellText(index.row(), index.column())

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = 0) -> Any:
        if role != Qt.ItemDataRole.DisplayRole:
            return None
        if orientation == Qt.Orientation.Vertical:
            return str(section + 1)
        return self._table().GetColumnName(section)


class qMRMLTableView(Native, QtWidgets.QTableView):
    def __init__(self, parent: QtWidgets.QWidget | None = None) -> None:
        super().__init__(parent)
        self._node = None
        self._tag: int | None = None
        self._model = TableModel(self)
        self.setModel(self._model)
        self.setAlternatingRowColors(True)

    @Slot(object)
    def setMRMLTableNode(self, node: Any) -> None:
        if self._node is not None:
            self._node.RemoveObserver(self._tag)
        self._node = node
        if node is not None:
            self._tag = node.AddObserver(vtk.vtkCommand.ModifiedEvent, self._refresh)
        self._refresh()

    @Slot(result=object)
    def mrmlTableNode(self) -> Any:
        return self._node

    def _refresh(self, *unused: Any) -> None:
        self._model.show(self._node)
        self.resizeColumnsToContents()


class qMRMLTableWidget(qMRMLAbstractViewWidget):
    def __init__(self, app: Any, node: Any, label: str, color: str) -> None:
        super().__init__(node, qMRMLTableView(), label, color)
        self._title = QtWidgets.QLabel("")
        self._bar.layout().addWidget(self._title, 1)
        node.AddObserver(vtk.vtkCommand.ModifiedEvent, self._follow)
        self._follow()

    def _follow(self, *unused: Any) -> None:
        table = self._node.GetTableNode()
        self._title.setText(table.GetName() if table is not None else "")
        if table is not self._view.mrmlTableNode():
            self._view.setMRMLTableNode(table)

    def tableView(self) -> qMRMLTableView:
        return self._view
