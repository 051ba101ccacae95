"""The item of a sequence that a volume shows."""

from __future__ import annotations

import slicer


def browserOf(node):
    """Return the sequence browser that changes the content of a node, or None."""
    if node.GetID() is None:  # not in a scene; Slicer would crash
        return None
    for browser in slicer.util.getNodesByClass("vtkMRMLSequenceBrowserNode"):
        if browser.IsProxyNodeID(node.GetID()):
            return browser
    return None


def itemOf(node) -> str | None:
    """Return the item that a node shows, such as "time 0.5 s"; None without a sequence."""
    browser = browserOf(node)
    if browser is None or browser.GetSelectedItemNumber() < 0:
        return None
    return itemsOf(browser.GetMasterSequenceNode())[browser.GetSelectedItemNumber()]


def showItem(node, item: str) -> bool:
    """Show another item in a node; return False if its sequence no longer has this item."""
    browser = browserOf(node)
    items = [] if browser is None else itemsOf(browser.GetMasterSequenceNode())
    if item not in items:
        return False
    browser.SetSelectedItemNumber(items.index(item))
    return True


def nameWithItem(node) -> str:
    """Return the name of a node and of the item that it shows."""
    browser = browserOf(node)
    if browser is None or browser.GetOverwriteProxyName(browser.GetSequenceNode(node)):
        return node.GetName()  # the browser writes the item into the name
    return " ".join(filter(None, (node.GetName(), itemOf(node))))


def itemsOf(sequence) -> list[str]:
    """Return the items of a sequence, such as "time 0.5 s"."""
    name, unit = sequence.GetIndexName(), sequence.GetIndexUnit()
    values = [sequence.GetNthIndexValue(i) for i in range(sequence.GetNumberOfDataNodes())]
    return [" ".join(filter(None, (name, value, unit))) for value in values]
