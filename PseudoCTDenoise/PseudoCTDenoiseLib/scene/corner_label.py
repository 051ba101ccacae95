"""Text in the corner of a slice view, independent of Slicer's own annotations.

Slicer overwrites the view's corner annotation whenever the view moves, so the label is an actor of
its own. A view has one label, whichever instance of the logic draws it.
"""

from __future__ import annotations

import vtk

DERIVED_NOTICE = "derived – research use only"
MARGIN = 0.015
"""Distance from the view's border, as a fraction of its size."""
ACTOR_NAME = "PseudoCTDenoise label"


def setLabel(sliceWidget, text: str) -> None:
    """Show a text in the top left corner of a slice view, instead of the text before."""
    actor = _actorIn(sliceWidget)
    if actor is None:
        actor = _newActor()
        _rendererOf(sliceWidget).AddViewProp(actor)
    actor.SetInput(text)
    sliceWidget.sliceView().scheduleRender()


def removeLabel(sliceWidget) -> None:
    """Remove the label of a slice view, if there is one."""
    actor = _actorIn(sliceWidget)
    if actor is not None:
        _rendererOf(sliceWidget).RemoveViewProp(actor)
        sliceWidget.sliceView().scheduleRender()


def _rendererOf(sliceWidget):
    return sliceWidget.sliceView().renderWindow().GetRenderers().GetFirstRenderer()


def _actorIn(sliceWidget):
    props = _rendererOf(sliceWidget).GetViewProps()
    actors = (props.GetItemAsObject(index) for index in range(props.GetNumberOfItems()))
    return next((actor for actor in actors if actor.GetObjectName() == ACTOR_NAME), None)


def _newActor():
    actor = vtk.vtkTextActor()
    actor.SetObjectName(ACTOR_NAME)
    actor.GetPositionCoordinate().SetCoordinateSystemToNormalizedViewport()
    actor.SetPosition(MARGIN, 1 - MARGIN)
    style = actor.GetTextProperty()
    style.SetFontSize(15)
    style.SetVerticalJustificationToTop()
    style.SetColor(1.0, 0.9, 0.55)
    style.ShadowOn()
    return actor
