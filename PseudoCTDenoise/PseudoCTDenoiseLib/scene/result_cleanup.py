"""Removal of the parts of a result together with the result.

The removed noise of a result has the size of the scan, and no list shows it. When the user deletes
the result, nobody could delete it any more, and it would be saved with the scene. The plots and
tables would stay, too, although they describe nothing.
"""

from __future__ import annotations

import slicer
import vtk

from . import provenance

DIALOG_MS = 100
"""Interval at which a cleanup looks whether a dialog is still open."""


class ResultCleanup:
    """Removes hidden parts, plots and tables of results that are removed, until :meth:`stop`.

    They go when the event loop runs again and no dialog is open. While Slicer removes a list of
    nodes, it may ask the user about each, and it reports an error for each that has already gone.
    """

    def __init__(self):
        import qt

        self._qt = qt
        scene = slicer.mrmlScene
        self._parts: dict[str, list[str]] = {}
        self._orphans: list = []
        self._timer = qt.QTimer()
        self._timer.setSingleShot(True)
        self._timer.connect("timeout()", self._removeOrphans)
        self._tags = [
            scene.AddObserver(scene.NodeAboutToBeRemovedEvent, self._onNodeAboutToBeRemoved),
            scene.AddObserver(scene.NodeRemovedEvent, self._onNodeRemoved),
        ]

    def stop(self) -> None:
        """Stop observing the scene. Parts of results that have already gone are still removed."""
        for tag in self._tags:
            slicer.mrmlScene.RemoveObserver(tag)
        self._tags = []

    @vtk.calldata_type(vtk.VTK_OBJECT)
    def _onNodeAboutToBeRemoved(self, caller, event, node) -> None:
        if provenance.isResult(node) and not slicer.mrmlScene.IsClosing():
            self._parts[node.GetID()] = hiddenParts(node) + plotsAndTables(node)

    @vtk.calldata_type(vtk.VTK_OBJECT)
    def _onNodeRemoved(self, caller, event, node) -> None:
        parts = map(slicer.mrmlScene.GetNodeByID, self._parts.pop(node.GetID(), ()))
        self._orphans += filter(None, parts)
        if self._orphans:
            _waiting.add(self)
            self._timer.start(0)

    def _removeOrphans(self) -> None:
        if self._qt.QApplication.activeModalWidget() is not None:
            self._timer.start(DIALOG_MS)
            return
        orphans, self._orphans = self._orphans, []
        _waiting.discard(self)
        scene = slicer.mrmlScene
        used = {nodeID for result in provenance.results() for nodeID in _nodesOf(result)}
        for node in orphans:  # nodes, because another scene may give their IDs to its own
            if scene.IsNodePresent(node) and node.GetID() not in used:
                scene.RemoveNode(node)


_waiting: set[ResultCleanup] = set()
"""Cleanups whose timers run, kept because the panel may be closed before."""


def plotsAndTables(result) -> list[str]:
    """Return the IDs of a result's provenance table and charts, with their series and tables.

    Those that another result refers to, such as a clone, are left out.
    """
    others = {node.GetID() for other in provenance.otherResults(result) for node in _figures(other)}
    figures = [node for node in _figures(result) if node.GetID() not in others]
    return [nodeID for node in figures for nodeID in _withSeries(node)]


def _figures(result) -> list:
    """Return the charts of a result and its provenance table."""
    nodes = [
        result.GetNthNodeReference(role, index)
        for role in (provenance.CHARTS, provenance.PROVENANCE)
        for index in range(result.GetNumberOfNodeReferences(role))
    ]
    return [node for node in nodes if node is not None]


def _withSeries(figure) -> list[str]:
    """Return the IDs of a table, or of a chart with its series and their tables."""
    found = [figure.GetID()]
    if figure.IsA("vtkMRMLPlotChartNode"):
        count = figure.GetNumberOfPlotSeriesNodes()
        for series in filter(None, map(figure.GetNthPlotSeriesNode, range(count))):
            found += [series.GetID(), series.GetTableNodeID()]
    return list(filter(None, found))


def hiddenParts(result) -> list[str]:
    """Return the IDs of the nodes of a result that no list shows and no other result refers to."""
    others = {
        nodeID for other in provenance.otherResults(result) for nodeID in referredNodes(other)
    }
    nodes = [result.GetNodeReference(role) for role in provenance.roles(result)]
    return [
        node.GetID()
        for node in nodes
        if node is not None
        and node.GetHideFromEditors()
        and provenance.isDerived(node)
        and node.GetID() not in others
    ]


def referredNodes(result) -> list[str]:
    """Return the ID of the first node of each of a result's roles."""
    return [result.GetNthNodeReferenceID(role, 0) for role in provenance.roles(result)]


def _nodesOf(result) -> list[str]:
    """Return the IDs of all nodes that a result consists of."""
    figures = [nodeID for node in _figures(result) for nodeID in _withSeries(node)]
    return referredNodes(result) + figures


def removeNodes(nodeIDs) -> None:
    """Remove nodes from the scene; some are removed together with others."""
    for nodeID in nodeIDs:
        node = slicer.mrmlScene.GetNodeByID(nodeID)
        if node is not None:
            slicer.mrmlScene.RemoveNode(node)
