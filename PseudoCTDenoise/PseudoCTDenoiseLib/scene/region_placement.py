"""Drawing of a region in the views."""

from __future__ import annotations

import slicer


def placeRegion(name: str, region=None):
    """Let the user draw a box (ROI) with two clicks in a slice view, and return its node.

    Parameters
    ----------
    name : name of a new node.
    region : node to draw if it is a box that is not drawn yet; otherwise a new one is created.
    """
    if not _isEmptyBox(region):
        logic = slicer.modules.markups.logic()
        name = slicer.mrmlScene.GenerateUniqueName(name)
        region = logic.AddNewMarkupsNode("vtkMRMLMarkupsROINode", name)
    slicer.modules.markups.logic().SetActiveList(region)
    interaction = slicer.app.applicationLogic().GetInteractionNode()
    interaction.SetPlaceModePersistence(0)  # one region, then the mouse moves the views again
    interaction.SetCurrentInteractionMode(interaction.Place)
    return region


def _isEmptyBox(region) -> bool:
    return (
        region is not None
        and region.IsA("vtkMRMLMarkupsROINode")
        and region.GetNumberOfDefinedControlPoints() == 0
    )
