"""qMRMLSortFilterProxyModel: decides which nodes of the scene a widget lists."""

from __future__ import annotations

from typing import Any

from PySide6.QtCore import Property, QModelIndex, QSortFilterProxyModel, Slot

from ..pythonqt.names import Native


def _filter(kind: Any, field: str) -> Property:
    """Return a Qt property that applies the filter again when its value changes."""

    def put(self: qMRMLSortFilterProxyModel, value: Any) -> None:
        if value != getattr(self, field):
            self.beginFilterChange()
            setattr(self, field, value)
            self.endFilterChange()

    return Property(kind, lambda self: getattr(self, field), put)


class qMRMLSortFilterProxyModel(Native, QSortFilterProxyModel):
    """Filters by class, hidden flag, IDs and attributes.

    A node that changes is filtered again only if there is a filter by attribute, as in Slicer.
    """

    _nodeTypes: list[str] = []
    _hideChildNodeTypes: list[str] = []
    _hiddenNodeIDs: list[str] = []
    _visibleNodeIDs: list[str] = []
    _showHidden = False
    _showChildNodeTypes = True

    def __init__(self, parent: Any) -> None:
        super().__init__(parent)
        self._attributes: dict[str, tuple[str, str | None]] = {}

    def setSourceModel(self, model: Any) -> None:
        super().setSourceModel(model)
        model.nodeModified.connect(self._onNodeModified)

    @Slot(str, str, str)
    def addAttribute(self, nodeType: str, name: str, value: str | None = None) -> None:
        """Filter by an attribute; each node type has one at most. None accepts every value."""
        if nodeType in self._nodeTypes:
            self.beginFilterChange()
            self._attributes[nodeType] = (name, value)
            self.endFilterChange()

    @Slot(str, str)
    def removeAttribute(self, nodeType: str, name: str) -> None:
        if self._attributes.get(nodeType, ("", None))[0] == name:
            self.beginFilterChange()
            del self._attributes[nodeType]
            self.endFilterChange()

    def filterAcceptsRow(self, row: int, parent: QModelIndex) -> bool:
        model = self.sourceModel()
        node = model.node(model.index(row, 0, parent))
        if node is None:
            return True
        if node.GetID() in self._hiddenNodeIDs:
            return False
        if node.GetID() in self._visibleNodeIDs:
            model.observeNode(node)
            return True
        kind = self._typeOf(node)
        if kind is None or (node.GetHideFromEditors() and not self._showHidden):
            return False
        model.observeNode(node)
        return self._hasAttribute(node, kind)

    def _typeOf(self, node: Any) -> str | None:
        """Return the first of the types that the node is listed for."""
        for kind in self._nodeTypes:
            if self._showChildNodeTypes and node.IsA(kind):
                return None if any(map(node.IsA, self._hideChildNodeTypes)) else kind
            if node.GetClassName() == kind:
                return kind
        return None

    def _hasAttribute(self, node: Any, kind: str) -> bool:
        if kind not in self._attributes:
            return True
        name, wanted = self._attributes[kind]
        found = node.GetAttribute(name)
        return found is not None and wanted in (None, found)

    def _onNodeModified(self) -> None:
        if self._attributes:
            self.invalidate()

    nodeTypes = _filter("QStringList", "_nodeTypes")
    hideChildNodeTypes = _filter("QStringList", "_hideChildNodeTypes")
    hiddenNodeIDs = _filter("QStringList", "_hiddenNodeIDs")
    visibleNodeIDs = _filter("QStringList", "_visibleNodeIDs")
    showHidden = _filter(bool, "_showHidden")
    showChildNodeTypes = _filter(bool, "_showChildNodeTypes")
