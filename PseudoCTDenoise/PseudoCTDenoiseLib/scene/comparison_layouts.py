"""Layouts of the comparison: their ids, files and views."""

from __future__ import annotations

from pathlib import Path

import slicer

FOLDER = Path(__file__).resolve().parents[2] / "Resources" / "Layouts"

TWO_VIEWS, THREE_VIEWS, PLOT_AND_TABLE = 58741, 58742, 58743
FILES = {
    TWO_VIEWS: "PseudoCTDenoise_TwoViews.xml",
    THREE_VIEWS: "PseudoCTDenoise_ThreeViews.xml",
    PLOT_AND_TABLE: "PseudoCTDenoise_TwoViewsAndFigures.xml",
}
ORIGINAL, DENOISED, NOISE = (
    "PseudoCTDenoiseOriginal",
    "PseudoCTDenoiseDenoised",
    "PseudoCTDenoiseNoise",
)
PLOT, TABLE = "PseudoCTDenoisePlot", "PseudoCTDenoiseTable"
VIEWS = {
    TWO_VIEWS: (ORIGINAL, DENOISED),
    THREE_VIEWS: (ORIGINAL, DENOISED, NOISE),
    PLOT_AND_TABLE: (ORIGINAL, DENOISED),
}
VIEW_GROUP = TWO_VIEWS
"""Group of the slice views: a number that no other layout uses."""


def registerLayouts() -> None:
    """Register the layouts, so that a saved scene finds them; repeated calls have no effect."""
    manager = slicer.app.layoutManager()
    if manager is None:  # Slicer runs without a main window
        return
    node = manager.layoutLogic().GetLayoutNode()
    for layout, file in FILES.items():
        text = (FOLDER / file).read_text(encoding="utf-8")
        if node.IsLayoutDescription(layout):
            node.SetLayoutDescription(layout, text)
        else:
            node.AddLayoutDescription(layout, text)
