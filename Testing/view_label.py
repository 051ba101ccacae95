"""The text in the corner of a slice view, read from what the view draws."""

from __future__ import annotations


def labelIn(viewName: str) -> str:  # noqa: N802
    """Return the label of a slice view of the layout."""
    import slicer

    return labelOf(slicer.app.layoutManager().sliceWidget(viewName))


def labelOf(sliceWidget) -> str:  # noqa: N802, N803
    """Return the label of a slice view; empty if it has none."""
    from PseudoCTDenoiseLib.scene.corner_label import ACTOR_NAME

    renderer = sliceWidget.sliceView().renderWindow().GetRenderers().GetFirstRenderer()
    texts = [p.GetInput() for p in renderer.GetViewProps() if p.GetObjectName() == ACTOR_NAME]
    return texts[0] or "" if texts else ""
