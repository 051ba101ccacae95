"""Text in the corner of a slice view, independent of Slicer's own annotations."""

from __future__ import annotations

import vtk

DERIVED_NOTICE = "derived – research use only"
MARGIN = 0.015
"""Distance from the view's border, as a fraction of its size."""


class CornerLabel:
    """Text in the top left corner of a slice view.

    Slicer overwrites the view's corner annotation whenever the view moves, so the label is an
    actor of its own.
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
        """Show another text."""
        self._actor.SetInput(text)
        self._view.scheduleRender()

    @property
    def text(self) -> str:
        """The text on screen."""
        return self._actor.GetInput() or ""

    def remove(self) -> None:
        """Remove the label from the view."""
        self._renderer.RemoveViewProp(self._actor)
        self._view.scheduleRender()
