"""qMRMLSceneModel: the scene as a tree of items, and the entries around its nodes."""

from __future__ import annotations

from typing import Any

import shiboken6
import slicer
import vtk
from PySide6.QtCore import QModelIndex, QObject, Qt, Signal, Slot
from PySide6.QtGui import QStandardItem, QStandardItemModel

from ..pythonqt.names import Native

UID = Qt.ItemDataRole.UserRole
"""Role of an item's kind: the ID of a node, SCENE, or the place of an entry that is not a node."""
ACTION = Qt.ItemDataRole.UserRole + 1
SCENE, BEFORE, AFTER = "scene", "preItem", "postItem"


class qMRMLSceneModel(Native, QStandardItemModel):
    """One item for the scene. Its children are the entries before, all nodes, the entries after.

    Nodes that are added during an import are listed at its end, when all nodes are listed again.
    """

    nodeModified = Signal()

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        self._scene: Any = None
        self._sceneTags: list[int] = []
        self._nodeTags: dict[str, tuple[Any, int]] = {}
        self._extras: dict[str, list[tuple[str, str]]] = {BEFORE: [], AFTER: []}
        self.setColumnCount(1)

    @Slot(result=object)
    def mrmlScene(self) -> Any:
        return self._scene

    @Slot(object)
    def setMRMLScene(self, scene: Any) -> None:
        if scene is self._scene:
            return
        self._stopObserving()
        self._scene = scene
        self._update()
        if scene is None:
            return
        for event, callback, priority in (
            (scene.NodeAddedEvent, self._onNodeAdded, 10.0),
            (scene.NodeAboutToBeRemovedEvent, self._onNodeAboutToBeRemoved, -10.0),
            (scene.EndCloseEvent, self._onNewContent, 0.0),
            (scene.EndImportEvent, self._onNewContent, 0.0),
        ):
            self._sceneTags.append(scene.AddObserver(event, callback, priority))

    def sceneItem(self) -> QStandardItem | None:
        return self.item(0)

    def extraCount(self) -> int:
        """Return the number of entries that are not nodes."""
        return sum(map(len, self._extras.values()))

    def setExtras(self, place: str, entries: list[tuple[str, str]]) -> None:
        """Replace the entries (text, action) before or after the nodes, if there is a scene."""
        top = self.sceneItem()
        if top is None or entries == self._extras[place]:
            return
        first = 0 if place == BEFORE else top.rowCount() - len(self._extras[AFTER])
        top.removeRows(first, len(self._extras[place]))
        for row, (text, action) in enumerate(entries, first):
            item = QStandardItem(text)
            item.setData(place, UID)
            item.setData(action, ACTION)
            selectable = Qt.ItemFlag.ItemIsSelectable if place == BEFORE else Qt.ItemFlag(0)
            item.setFlags(Qt.ItemFlag.ItemIsEnabled | selectable)
            top.insertRow(row, [item])
        self._extras[place] = entries

    def node(self, index: QModelIndex) -> Any:
        """Return the node of an item, or None."""
        uid = index.data(UID)
        if self._scene is None or uid in (None, SCENE, BEFORE, AFTER):
            return None
        return self._scene.GetNodeByID(uid)

    def observeNode(self, node: Any) -> None:
        """Follow the name of a node. Slicer does this only for nodes of the listed types."""
        if node.GetID() not in self._nodeTags:
            tag = node.AddObserver(vtk.vtkCommand.ModifiedEvent, self._onNodeModified)
            self._nodeTags[node.GetID()] = (node, tag)

    def _update(self) -> None:
        """Remove the items of all nodes, and list the nodes of the scene again."""
        self._forgetNodes()
        if self._scene is None:
            self.removeRows(0, self.rowCount())
            self._extras = {BEFORE: [], AFTER: []}
            return
        if self.sceneItem() is None:
            top = QStandardItem("Scene")
            top.setData(SCENE, UID)
            self.appendRow(top)
        top = self.sceneItem()
        top.removeRows(len(self._extras[BEFORE]), top.rowCount() - self.extraCount())
        for index in range(self._scene.GetNumberOfNodes()):
            self._insert(self._scene.GetNthNode(index), index)

    def _insert(self, node: Any, index: int) -> None:
        item = QStandardItem(node.GetName())
        item.setData(node.GetID(), UID)
        top = self.sceneItem()
        last = top.rowCount() - len(self._extras[AFTER])
        top.insertRow(min(len(self._extras[BEFORE]) + index, last), [item])

    def _itemOf(self, node: Any) -> QStandardItem | None:
        top = self.sceneItem()
        rows = range(top.rowCount())
        return next((top.child(r) for r in rows if top.child(r).data(UID) == node.GetID()), None)

    @vtk.calldata_type(vtk.VTK_OBJECT)
    def _onNodeAdded(self, caller: Any, event: str, node: Any) -> None:
        if self._isAlive() and not self._scene.IsImporting() and self._itemOf(node) is None:
            nodes = self._scene.GetNodes()
            self._insert(node, nodes.IsItemPresent(node) - 1)

    @vtk.calldata_type(vtk.VTK_OBJECT)
    def _onNodeAboutToBeRemoved(self, caller: Any, event: str, node: Any) -> None:
        if not self._isAlive() or self._scene.IsClosing():
            return
        observed, tag = self._nodeTags.pop(node.GetID(), (None, 0))
        if observed is not None:
            observed.RemoveObserver(tag)
        item = self._itemOf(node)
        if item is not None:
            self.sceneItem().removeRow(item.row())

    def _onNewContent(self, caller: Any, event: str) -> None:
        if self._isAlive():
            self._update()

    def _onNodeModified(self, node: Any, event: str) -> None:
        if not self._isAlive() or self._scene.IsClosing() or self._scene.IsImporting():
            return
        item = self._itemOf(node)
        if item is not None:
            item.setText(node.GetName())
            self.nodeModified.emit()

    def _isAlive(self) -> bool:
        """Return True unless Qt has deleted this object, whose observers are then removed."""
        if not shiboken6.isValid(self):
            self._stopObserving()
            return False
        return True

    def _stopObserving(self) -> None:
        for tag in self._sceneTags:
            self._scene.RemoveObserver(tag)
        self._sceneTags = []
        self._forgetNodes()

    def _forgetNodes(self) -> None:
        for node, tag in self._nodeTags.values():
            node.RemoveObserver(tag)
        self._nodeTags = {}


def typeName(scene: Any, className: str) -> str:
    """Return the words for a node class, such as "Volume"."""
    known = isinstance(scene, slicer.vtkMRMLScene)
    return (known and scene.GetTypeDisplayNameByClassName(className)) or "node"
