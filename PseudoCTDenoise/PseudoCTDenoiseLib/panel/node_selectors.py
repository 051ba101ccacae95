"""Filters of the volume selectors, and deselection of nodes that are removed."""

from __future__ import annotations

import slicer
import vtk

from ..scene import provenance

VOLUME = "vtkMRMLScalarVolumeNode"


class NodeSelectors:
    """Lists only suitable volumes, and selects nothing when a selected node is removed.

    Inputs are all volumes that this module did not make. Outputs are results and volumes without
    an image. Without this class, Slicer's selectors choose the next node of the list when theirs
    is removed.
    """

    def __init__(self, ui):
        self._ui = ui
        self._selectors = (
            ui.inputSelector,
            ui.outputSelector,
            ui.regionSelector,
            ui.backgroundSelector,
        )
        scene = slicer.mrmlScene
        # Slicer's selectors have the priority -10 here, so they find the node deselected.
        self._sceneTags = [
            scene.AddObserver(scene.NodeAddedEvent, self._onNodeAdded),
            scene.AddObserver(scene.NodeAboutToBeRemovedEvent, self._onNodeAboutToBeRemoved),
            scene.AddObserver(scene.EndCloseEvent, self._onSceneEndClose),
        ]
        self._volumeTags: dict[str, int] = {}
        self.refresh()

    def refresh(self, caller=None, event=None) -> None:
        """List the suitable volumes, after volumes were added or changed."""
        if slicer.mrmlScene.IsImporting():  # IDs are not final; the panel refreshes after it
            return
        volumes = slicer.util.getNodesByClass(VOLUME)
        for volume in volumes:
            if volume.GetID() not in self._volumeTags:
                tag = volume.AddObserver(vtk.vtkCommand.ModifiedEvent, self.refresh)
                self._volumeTags[volume.GetID()] = tag
        _hide(self._ui.inputSelector, filter(provenance.isDerived, volumes))
        _hide(self._ui.outputSelector, (v for v in volumes if not _isOutput(v)))

    def cleanup(self) -> None:
        """Stop observing the scene and its volumes."""
        for tag in self._sceneTags:
            slicer.mrmlScene.RemoveObserver(tag)
        for nodeID, tag in self._volumeTags.items():
            slicer.mrmlScene.GetNodeByID(nodeID).RemoveObserver(tag)
        self._sceneTags, self._volumeTags = [], {}

    @vtk.calldata_type(vtk.VTK_OBJECT)
    def _onNodeAdded(self, caller, event, node) -> None:
        if node.IsA(VOLUME):
            self.refresh()

    @vtk.calldata_type(vtk.VTK_OBJECT)
    def _onNodeAboutToBeRemoved(self, caller, event, node) -> None:
        for selector in self._selectors:
            if selector.currentNodeID == node.GetID():
                selector.setCurrentNode(None)
        tag = self._volumeTags.pop(node.GetID(), None)
        if tag is not None:
            node.RemoveObserver(tag)

    def _onSceneEndClose(self, caller, event) -> None:
        self._volumeTags = {}
        self.refresh()


def _isOutput(volume) -> bool:
    return volume.GetImageData() is None or provenance.isResult(volume)


def _hide(selector, volumes) -> None:
    hidden = [volume.GetID() for volume in volumes]
    if selector.currentNodeID in hidden:
        selector.setCurrentNode(None)
    selector.sortFilterProxyModel().hiddenNodeIDs = hidden
