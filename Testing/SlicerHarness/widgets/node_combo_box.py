"""qMRMLNodeComboBox: selects, creates, renames and deletes nodes of the scene."""

from __future__ import annotations

from typing import Any

import slicer
from PySide6 import QtWidgets
from PySide6.QtCore import Property, QModelIndex, Signal, Slot

from ..pythonqt import replacements
from ..pythonqt.names import Native
from .scene_model import ACTION, AFTER, BEFORE, UID, qMRMLSceneModel, typeName
from .sort_filter_proxy_model import qMRMLSortFilterProxyModel

CREATE, CREATE_AS, DELETE, RENAME = "CREATE/", "CREATE_AS/", "DELETE/", "RENAME/"


def _filter(kind: Any, name: str) -> Property:
    """Return a Qt property that the filter of the list has, too."""

    def put(self: qMRMLNodeComboBox, value: Any) -> None:
        self._filter.setProperty(name, value)
        self._listActions()

    return Property(kind, lambda self: self._filter.property(name), put)


def _entries(kind: Any, field: str) -> Property:
    """Return a Qt property that changes the entries before or after the nodes."""

    def put(self: qMRMLNodeComboBox, value: Any) -> None:
        setattr(self, field, value)
        self._listNone()
        self._listActions()

    return Property(kind, lambda self: getattr(self, field), put)


class qMRMLNodeComboBox(Native, QtWidgets.QWidget):
    """A combo box over the filtered tree of the scene, as in Slicer.

    Qt's combo box moves to the next entry when the current one is removed. Past the last node the
    box moves back to it, and with no node left to "None". ``currentNodeChanged`` is also emitted
    when the name of the current node changes.
    """

    currentNodeChanged = Signal(object)
    currentNodeChangedBool = Signal(bool)
    currentNodeIDChanged = Signal(str)
    currentNodeRenamed = Signal(str)
    nodeAboutToBeRemoved = Signal(object)
    nodeActivated = Signal(object)
    nodeAdded = Signal(object)
    nodeAddedByUser = Signal(object)
    nodeAddedByUserAction = Signal(object)
    mrmlSceneChanged = Signal(object)

    _noneDisplay = "None"
    _noneEnabled = _renameEnabled = False
    _addEnabled = _removeEnabled = _selectNodeUponCreation = True

    def __init__(self, parent: QtWidgets.QWidget | None = None) -> None:
        super().__init__(parent)
        self._baseNames: dict[str, str] = {}
        self._newAttributes: dict[str, str] = {}
        self._requested = ""
        self._switchingScene = False
        self._combo = QtWidgets.QComboBox()
        adjust = QtWidgets.QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon
        self._combo.setSizeAdjustPolicy(adjust)
        row = QtWidgets.QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(self._combo)
        self._model = qMRMLSceneModel(self)
        self._filter = qMRMLSortFilterProxyModel(self)
        self._filter.setSourceModel(self._model)
        self._combo.setModel(self._filter)
        # The combo box is connected first, so it has moved to another entry before these.
        self._filter.rowsInserted.connect(self._onRowsInserted)
        self._filter.rowsAboutToBeRemoved.connect(self._onRowsAboutToBeRemoved)
        for signal in ("rowsRemoved", "modelReset", "layoutChanged"):
            getattr(self._filter, signal).connect(self._onEntriesGone)
        self._combo.currentTextChanged.connect(self._onCurrent)
        self._combo.activated.connect(self._onActivated)
        self._combo.view().clicked.connect(self._onEntryClicked)
        self.setEnabled(False)

    @Slot(object)
    def setMRMLScene(self, scene: Any) -> None:
        if scene is self.mrmlScene():
            return
        hadNodes, former = self.nodeCount() > 0, self._combo.currentData(UID)
        self._switchingScene = True
        self._model.setMRMLScene(scene)
        self._switchingScene = False
        self._listNone()
        self._listActions()
        self._combo.setRootModelIndex(self._filter.index(0, 0))
        self._select(former if hadNodes else self._requested or self.currentNodeID)
        self._requested = ""
        self.setEnabled(scene is not None)
        self.mrmlSceneChanged.emit(scene)

    @Slot(result=object)
    def mrmlScene(self) -> Any:
        return self._model.mrmlScene()

    @Slot(result=object)
    def sortFilterProxyModel(self) -> qMRMLSortFilterProxyModel:
        return self._filter

    @Slot(str, result=str)
    def nodeTypeLabel(self, nodeType: str) -> str:
        return typeName(self.mrmlScene(), nodeType)

    def _listNone(self) -> None:
        none = [(self._noneDisplay, self._noneDisplay)] if self._noneEnabled else []
        self._model.setExtras(BEFORE, none)

    def _listActions(self) -> None:
        index = self._combo.currentIndex()
        self._model.setExtras(AFTER, self._actions() if self.mrmlScene() is not None else [])
        self._combo.setCurrentIndex(index)

    def _actions(self) -> list[tuple[str, str]]:
        kinds = self.nodeTypes
        current = self.nodeTypeLabel(kinds[0] if len(kinds) == 1 else "")
        actions = []
        if self._renameEnabled:
            actions.append((f"Rename current {current}", RENAME))
        for kind in kinds if self._addEnabled else ():
            label = self.nodeTypeLabel(kind)
            actions.append((f"Create new {label}", CREATE + kind))
            if self._renameEnabled:
                actions.append((f"Create new {label} as...", CREATE_AS + kind))
        if self._removeEnabled:
            actions.append((f"Delete current {current}", DELETE))
        return [("separator", "SEPARATOR"), *actions] if actions else []

    def choose(self, index: int) -> None:
        """Act on a click on an entry, as the list does: an action is not selected."""
        entry = self._filter.index(index, 0, self._combo.rootModelIndex())
        if entry.data(UID) != AFTER:
            self._combo.setCurrentIndex(index)
            self._combo.activated.emit(index)
        self._combo.view().clicked.emit(entry)

    def _onEntryClicked(self, entry: QModelIndex) -> None:
        action = entry.data(ACTION) or ""
        if action.startswith((CREATE, CREATE_AS)):
            name = self._askName("Create new node") if action.startswith(CREATE_AS) else None
            if name == "":
                return
            node = self.addNode(action.partition("/")[2])
            if name is not None:
                node.SetName(name)
            self.setCurrentNode(node)
            self.nodeAddedByUserAction.emit(node)
        elif action == DELETE:
            self.removeCurrentNode()
        elif action == RENAME:
            self.renameCurrentNode()

    def _onActivated(self, index: int) -> None:
        if self._node(index) is not None or (self._noneEnabled and index == 0):
            self.nodeActivated.emit(self._node(index))

    def _onCurrent(self, text: str) -> None:
        if self._switchingScene:
            return
        index, node = self._combo.currentIndex(), self.currentNode()
        if node is None and index != (0 if self._noneEnabled else -1):
            last = self.nodeFromIndex(self.nodeCount() - 1)
            if last is not None:
                self.setCurrentNode(last)
            return
        self.currentNodeChanged.emit(node)
        self.currentNodeChangedBool.emit(node is not None)
        self.currentNodeIDChanged.emit(node.GetID() if node is not None else "")

    def _onEntriesGone(self) -> None:
        if self.currentNode() is None:
            self._select("")

    def _onRowsInserted(self, parent: QModelIndex, first: int, last: int) -> None:
        for node in self._nodes(parent, first, last):
            self.nodeAdded.emit(node)

    def _onRowsAboutToBeRemoved(self, parent: QModelIndex, first: int, last: int) -> None:
        for node in self._nodes(parent, first, last):
            self.nodeAboutToBeRemoved.emit(node)

    def _nodes(self, parent: QModelIndex, first: int, last: int) -> list[Any]:
        entries = [self._filter.index(row, 0, parent) for row in range(first, last + 1)]
        nodes = [self._model.node(self._filter.mapToSource(entry)) for entry in entries]
        return [node for node in nodes if node is not None]

    def _select(self, nodeID: str) -> None:
        index = self._combo.findData(nodeID, UID) if nodeID else -1
        if index == -1:
            self._combo.setRootModelIndex(self._filter.index(0, 0))
            index = 0 if self._noneEnabled else -1
        self._combo.setCurrentIndex(index)

    @Slot(object)
    def setCurrentNode(self, node: Any) -> None:
        if node is None or isinstance(node, str):
            self.currentNodeID = node or ""
        elif isinstance(node, slicer.vtkMRMLNode):
            self.currentNodeID = node.GetID() or ""
        else:
            raise ValueError(f"Called setCurrentNode(vtkMRMLNode*) with wrong arguments: {node!r}")

    @Slot(result=object)
    def currentNode(self) -> Any:
        return self._node(self._combo.currentIndex())

    def _node(self, row: int) -> Any:
        entry = self._filter.index(row, 0, self._combo.rootModelIndex())
        return self._model.node(self._filter.mapToSource(entry))

    @Slot(result=int)
    def nodeCount(self) -> int:
        return self._combo.count() - self._model.extraCount() if self.mrmlScene() else 0

    @Slot(int, result=object)
    def nodeFromIndex(self, index: int) -> Any:
        return self._node(index + self._noneEnabled)

    @Slot(result=object)
    def addNode(self, nodeType: str | None = None) -> Any:
        kind, scene = nodeType or self.nodeTypes[0], self.mrmlScene()
        node = scene.CreateNodeByClass(kind)
        node.UnRegister(None)
        name = self._baseNames.get(kind) or node.GetDefaultNodeNamePrefix()
        node.SetName(scene.GetUniqueNameByString(name))
        for attribute, value in self._newAttributes.items():
            node.SetAttribute(attribute, value)
        scene.AddNode(node)
        if self._selectNodeUponCreation:
            self.setCurrentNode(node)
        self.nodeAddedByUser.emit(node)
        return node

    @Slot()
    def removeCurrentNode(self) -> None:
        self.mrmlScene().RemoveNode(self.currentNode())

    @Slot()
    def renameCurrentNode(self) -> None:
        node = self.currentNode()
        name = self._askName(f"Rename {node.GetName()}") if node is not None else ""
        if name:
            node.SetName(name)
            self.currentNodeRenamed.emit(name)

    def _askName(self, title: str) -> str:
        return replacements.statics["QInputDialog", "getText"](self, title, "New name:")

    @Slot(str, str, str)
    def addAttribute(self, nodeType: str, name: str, value: str | None = None) -> None:
        """List only nodes with the attribute. Nodes that the user creates here get it, too."""
        self._newAttributes[name] = value or ""
        self._filter.addAttribute(nodeType, name, value)

    @Slot(str, str)
    def removeAttribute(self, nodeType: str, name: str) -> None:
        self._newAttributes.pop(name, None)
        self._filter.removeAttribute(nodeType, name)

    def _setCurrentNodeID(self, nodeID: str) -> None:
        if self.mrmlScene() is None:
            self._requested = nodeID
        self._select(nodeID)

    def _currentNodeID(self) -> str:
        node = self.currentNode()
        return node.GetID() if node is not None else ""

    def _setBaseName(self, name: str) -> None:
        self._baseNames = dict.fromkeys(self.nodeTypes, name)

    nodeTypes = _filter("QStringList", "nodeTypes")
    hideChildNodeTypes = _filter("QStringList", "hideChildNodeTypes")
    showHidden = _filter(bool, "showHidden")
    showChildNodeTypes = _filter(bool, "showChildNodeTypes")
    noneEnabled = _entries(bool, "_noneEnabled")
    noneDisplay = _entries(str, "_noneDisplay")
    addEnabled = _entries(bool, "_addEnabled")
    removeEnabled = _entries(bool, "_removeEnabled")
    renameEnabled = _entries(bool, "_renameEnabled")
    selectNodeUponCreation = _entries(bool, "_selectNodeUponCreation")
    baseName = Property(str, lambda self: next(iter(self._baseNames.values()), ""), _setBaseName)
    currentNodeID = Property(str, _currentNodeID, _setCurrentNodeID)
