"""Removal of the parts of a result together with the result.

The removed noise of a result has the size of the scan, and no list shows it. When the user deletes
the result, nobody could delete it any more, and it would be saved with the scene. The plots and
tables would stay, too, although they describe nothing.
"""

from __future__ import annotations

import slicer
import vtk

from . import provenance


class ResultCleanup:
    """Removes hidden parts, plots and tables of results that are removed, until :meth:`stop`."""

    def __init__(self):
        scene = slicer.mrmlScene
        self._orphans: dict[str, list[str]] = {}
        self._tags = [
            scene.AddObserver(scene.NodeAboutToBeRemovedEvent, self._onNodeAboutToBeRemoved),
            scene.AddObserver(scene.NodeRemovedEvent, self._onNodeRemoved),
        ]

    def stop(self) -> None:
        """Stop observing the scene."""
        for tag in self._tags:
            slicer.mrmlScene.RemoveObserver(tag)
        self._tags = []

    @vtk.calldata_type(vtk.VTK_OBJECT)
    def _onNodeAboutToBeRemoved(self, caller, event, node) -> None:
        if provenance.isResult(node) and not slicer.mrmlScene.IsClosing():
            self._orphans[node.GetID()] = hiddenParts(node) + plotsAndTables(node)

    @vtk.calldata_type(vtk.VTK_OBJECT)
    def _onNodeRemoved(self, caller, event, node) -> None:
        removeNodes(self._orphans.pop(node.GetID(), ()))


def plotsAndTables(result) -> list[str]:
    """Return the IDs of a result's provenance table and charts, with their series and tables.

    Those that another result refers to, such as a clone, are left out.
    """
    others = {node.GetID() for other in provenance.otherResults(result) for node in _figures(other)}
    found = []
    for node in _figures(result):
        if node.GetID() in others:
            continue
        found.append(node.GetID())
        if node.IsA("vtkMRMLPlotChartNode"):
            count = node.GetNumberOfPlotSeriesNodes()
            for series in filter(None, map(node.GetNthPlotSeriesNode, range(count))):
                found += [series.GetID(), series.GetTableNodeID()]
    return list(filter(None, found))


def _figures(result) -> list:
    """Return the charts of a result and its provenance table."""
    nodes = [
        result.GetNthNodeReference(role, index)
        for role in (provenance.CHARTS, provenance.PROVENANCE)
        for index in range(result.GetNumberOfNodeReferences(role))
    ]
    return [node for node in nodes if node is not None]


def hiddenParts(result) -> list[str]:
    """Return the IDs of the nodes of a result that no list shows and no other result refers to."""
    others = {
        other.GetNthNodeReferenceID(role, 0)
        for other in provenance.otherResults(result)
        for role in provenance.roles(other)
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


def removeNodes(nodeIDs) -> None:
    """Remove nodes from the scene; some are removed together with others."""
    for nodeID in nodeIDs:
        node = slicer.mrmlScene.GetNodeByID(nodeID)
        if node is not None:
            slicer.mrmlScene.RemoveNode(node)
