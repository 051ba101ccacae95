"""A line of text in the corner of a slice view, apart from Slicer's own annotations."""

from __future__ import annotations

import vtk

DERIVED_NOTICE = "derived – research use only"
MARGIN = 0.015
"""From the view's border, as a share of its size."""


class CornerLabel:
    """Text in the top left corner of a slice view's own renderer.

    Slicer writes its annotations into the view's corner annotation anew whenever the view moves;
    an actor of our own stays.
    """

    def __init__(self, sliceWidget):
        self._view = sliceWidget.sliceView()
        self._actor = vtk.vtkTextActor()
        self._actor.GetPositionCoordinate().SetCoordinateSystemToNormalizedViewport()
        self._actor.SetPosition(MARGIN, 1 - MARGIN)
        style = self._actor.GetTextProperty()
        style.SetFontSize(15)
        style.SetVerticalJustificationToTop()
        style.SetColor(1.0, 0.9, 0.55)
        style.ShadowOn()
        self._renderer = self._view.renderWindow().GetRenderers().GetFirstRenderer()
        self._renderer.AddViewProp(self._actor)

    def setText(self, text: str) -> None:
        self._actor.SetInput(text)
        self._view.scheduleRender()

    @property
    def text(self) -> str:
        return self._actor.GetInput() or ""

    def remove(self) -> None:
        self._renderer.RemoveViewProp(self._actor)
        self._view.scheduleRender()
