"""qMRMLNodeComboBox: selects, creates, renames and deletes nodes of the scene."""

from __future__ import annotations

from typing import Any

import shiboken6
import slicer
import vtk
from PySide6 import QtWidgets
from PySide6.QtCore import Property, Signal, Slot

from ..pythonqt import replacements
from ..pythonqt.names import Native

ADD, REMOVE, RENAME = "+add ", "+remove", "+rename"


def _setting(kind: Any, field: str) -> Property:
    """Return a Qt property that rebuilds the list of entries when it is set."""

    def put(self: qMRMLNodeComboBox, value: Any) -> None:
        setattr(self, field, value)
        self._rebuild()

    return Property(kind, lambda self: getattr(self, field), put)


class qMRMLNodeComboBox(Native, QtWidgets.QWidget):
    """Without ``noneEnabled`` the box selects the first suitable node, as in Slicer."""

    currentNodeChanged = Signal(object)
    currentNodeChangedBool = Signal(bool)
    currentNodeIDChanged = Signal(str)
    currentNodeRenamed = Signal(str)
    nodeActivated = Signal(object)
    nodeAdded = Signal(object)
    nodeAddedByUser = Signal(object)
    mrmlSceneChanged = Signal(object)

    _nodeTypes: list[str] = []
    _hideChildNodeTypes: list[str] = []
    _baseName, _noneDisplay = "", "None"
    _noneEnabled = _renameEnabled = _showHidden = False
    _addEnabled = _removeEnabled = _selectNodeUponCreation = _showChildNodeTypes = True

    def __init__(self, parent: QtWidgets.QWidget | None = None) -> None:
        super().__init__(parent)
        self._scene, self._sceneTags = None, []
        self._nodeTags: list[tuple[Any, int]] = []
        self._ids: list[str] = []
        self._current = ""
        self._attributes: list[tuple[str, str, str | None]] = []
        self._combo = QtWidgets.QComboBox()
        adjust = QtWidgets.QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon
        self._combo.setSizeAdjustPolicy(adjust)
        row = QtWidgets.QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(self._combo)
        self._combo.activated.connect(self._activated)

    @Slot(object)
    def setMRMLScene(self, scene: Any) -> None:
        if scene is self._scene:
            return
        self._stopObserving()
        self._scene = scene
        if scene is not None:
            kind = slicer.vtkMRMLScene
            events = (
                kind.NodeAddedEvent,
                kind.NodeRemovedEvent,
                kind.EndBatchProcessEvent,
                kind.EndCloseEvent,
                kind.EndImportEvent,
            )
            self._sceneTags = [(scene, scene.AddObserver(e, self._sceneChanged)) for e in events]
        self._rebuild()
        self.mrmlSceneChanged.emit(scene)

    @Slot(result=object)
    def mrmlScene(self) -> Any:
        return self._scene

    def _stopObserving(self) -> None:
        for observed, tag in self._sceneTags + self._nodeTags:
            observed.RemoveObserver(tag)
        self._sceneTags, self._nodeTags = [], []

    def _sceneChanged(self, caller: Any, event: str) -> None:
        if not shiboken6.isValid(self):
            self._stopObserving()
            return
        if self._scene.IsBatchProcessing() or self._scene.IsClosing():
            return
        before = set(self._ids)
        self._rebuild()
        for nodeID in self._ids:
            if nodeID not in before:
                self.nodeAdded.emit(self._scene.GetNodeByID(nodeID))

    def _fits(self, node: Any) -> bool:
        if node.GetHideFromEditors() and not self._showHidden:
            return False
        return any(
            self._isOfType(node, kind)
            and all(self._hasAttribute(node, n, v) for k, n, v in self._attributes if k == kind)
            for kind in self._nodeTypes
        )

    def _isOfType(self, node: Any, kind: str) -> bool:
        if node.GetClassName() == kind:
            return True
        hidden = any(node.IsA(h) for h in self._hideChildNodeTypes)
        return self._showChildNodeTypes and node.IsA(kind) and not hidden

    @staticmethod
    def _hasAttribute(node: Any, name: str, value: str | None) -> bool:
        found = node.GetAttribute(name)
        return found is not None if value is None else found == value

    def _rebuild(self) -> None:
        """List the nodes that fit. Keep the selected node if it is still listed."""
        scene, nodes = self._scene, []
        for node, tag in self._nodeTags:
            node.RemoveObserver(tag)
        self._nodeTags = []
        if scene is not None:
            everyNode = [scene.GetNthNode(i) for i in range(scene.GetNumberOfNodes())]
            ours = [n for n in everyNode if any(n.IsA(kind) for kind in self._nodeTypes)]
            modified = vtk.vtkCommand.ModifiedEvent
            self._nodeTags = [(n, n.AddObserver(modified, self._sceneChanged)) for n in ours]
            nodes = [n for n in ours if self._fits(n)]
        self._ids = [n.GetID() for n in nodes]
        self._list(nodes)
        kept = self._current if self._current in self._ids else ""
        if not kept and self._ids and not self._noneEnabled:
            kept = self._ids[0]
        self._select(kept)

    def _list(self, nodes: list[Any]) -> None:
        entries = [(self._noneDisplay, "")] if self._noneEnabled else []
        entries += [(n.GetName(), n.GetID()) for n in nodes]
        entries += self._actions()
        combo = self._combo
        if entries != [(combo.itemText(i), combo.itemData(i)) for i in range(combo.count())]:
            combo.clear()
            for text, data in entries:
                combo.addItem(text, data)

    def _actions(self) -> list[tuple[str, str]]:
        labels = [k.replace("vtkMRML", "").replace("Node", "") for k in self._nodeTypes]
        actions = []
        if self._addEnabled:
            pairs = zip(labels, self._nodeTypes, strict=True)
            actions += [(f"Create new {label}", ADD + kind) for label, kind in pairs]
        if self._renameEnabled and self._ids:
            actions.append((f"Rename current {labels[0]}", RENAME))
        if self._removeEnabled and self._ids:
            actions.append((f"Delete current {labels[0]}", REMOVE))
        return actions

    def _activated(self, index: int) -> None:
        """Handle the entry that the user chose."""
        data = self._combo.itemData(index)
        if data.startswith(ADD):
            self.nodeAddedByUser.emit(self.addNode(data.removeprefix(ADD)))
        elif data == REMOVE:
            self.removeCurrentNode()
        elif data == RENAME:
            self.renameCurrentNode()
        else:
            self._select(data)
            self.nodeActivated.emit(self.currentNode())
        self._combo.setCurrentIndex(self._combo.findData(self._current))

    def _select(self, nodeID: str | None) -> None:
        nodeID = nodeID if nodeID in self._ids else ""
        self._combo.setCurrentIndex(self._combo.findData(nodeID))
        if nodeID != self._current:
            self._current = nodeID
            node = self.currentNode()
            self.currentNodeChanged.emit(node)
            self.currentNodeChangedBool.emit(node is not None)
            self.currentNodeIDChanged.emit(nodeID)

    @Slot(object)
    def setCurrentNode(self, node: Any) -> None:
        if node is None or isinstance(node, str):
            self._select(node)
        elif isinstance(node, slicer.vtkMRMLNode):
            self._select(node.GetID())
        else:
            raise ValueError(f"Called setCurrentNode(vtkMRMLNode*) with wrong arguments: {node!r}")

    @Slot(result=object)
    def currentNode(self) -> Any:
        return self._scene.GetNodeByID(self._current) if self._current else None

    @Slot(result=int)
    def nodeCount(self) -> int:
        return len(self._ids)

    @Slot(int, result=object)
    def nodeFromIndex(self, index: int) -> Any:
        return self._scene.GetNodeByID(self._ids[index])

    @Slot(result=object)
    def addNode(self, nodeType: str | None = None) -> Any:
        kind = nodeType or self._nodeTypes[0]
        name = self._scene.GenerateUniqueName(
            self._baseName or self._scene.GetTagByClassName(kind) or "Node"
        )
        node = self._scene.AddNewNodeByClass(kind, name)
        if self._selectNodeUponCreation:
            self._select(node.GetID())
        return node

    @Slot()
    def removeCurrentNode(self) -> None:
        if self._current:
            self._scene.RemoveNode(self.currentNode())

    @Slot()
    def renameCurrentNode(self) -> None:
        node = self.currentNode()
        if node is not None:
            ask = replacements.statics["QInputDialog", "getText"]
            node.SetName(ask(self, f"Rename {node.GetName()}", "New name:"))
            self.currentNodeRenamed.emit(node.GetName())

    @Slot(str, str, str)
    def addAttribute(self, nodeType: str, name: str, value: str | None = None) -> None:
        self._attributes.append((nodeType, name, value))
        self._rebuild()

    nodeTypes = _setting("QStringList", "_nodeTypes")
    hideChildNodeTypes = _setting("QStringList", "_hideChildNodeTypes")
    noneEnabled = _setting(bool, "_noneEnabled")
    addEnabled = _setting(bool, "_addEnabled")
    removeEnabled = _setting(bool, "_removeEnabled")
    renameEnabled = _setting(bool, "_renameEnabled")
    showHidden = _setting(bool, "_showHidden")
    showChildNodeTypes = _setting(bool, "_showChildNodeTypes")
    selectNodeUponCreation = _setting(bool, "_selectNodeUponCreation")
    baseName = _setting(str, "_baseName")
    noneDisplay = _setting(str, "_noneDisplay")
    currentNodeID = Property(str, lambda self: self._current, lambda self, v: self._select(v))
