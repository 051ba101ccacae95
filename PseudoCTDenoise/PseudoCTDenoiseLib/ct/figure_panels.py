"""Panels of a figure: images on black with labels, scale bars and colour bars.

All positions are in whole pixels.
"""

from __future__ import annotations

import os
import warnings
from typing import TYPE_CHECKING, Any

import numpy as np

from ..temporary_files import write_atomically
from .io.derived_note import SOFTWARE

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

DERIVED_NOTICE = "Derived – research use only"

DPI = 128
"""Dots per inch. A power of two makes inches times dots exact whole pixels."""
LABEL_PT = 7.5
PANEL_PX = 512
GAP_PX = 8
DIFFERENCE_COLOURS = ("#bfe6ff", "#3a8fd0", "#123a5c", "#000000", "#5c2a10", "#d0703a", "#ffe0c2")
"""Colours of a difference: cold below zero, black at zero, warm above."""
LABEL_BACKGROUND = {"facecolor": "black", "alpha": 0.65, "linewidth": 0, "pad": 1.5}
"""Background of a label, which keeps it legible on bright and coloured pixels."""
LEVELS = 511
"""Number of colour levels. It is odd, so zero has its own level."""


def difference_colormap():
    """Return the matplotlib colormap of a difference whose window is symmetric about zero."""
    from matplotlib.colors import LinearSegmentedColormap

    return LinearSegmentedColormap.from_list("difference", DIFFERENCE_COLOURS, N=LEVELS)


def black_figure(width: int, height: int):
    """Return a black figure of width x height pixels and a function that adds axes to it.

    The function takes left, top, width and height in pixels.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width / DPI, height / DPI), dpi=DPI, facecolor="black")

    def place(left: int, top: int, w: int, h: int) -> Axes:
        bottom = height - top - h
        return figure.add_axes((left / width, bottom / height, w / width, h / height))

    return figure, place


def show(axes: Axes, image: np.ndarray, look: dict[str, Any]):
    """Draw an image over the whole axes; ``look`` holds keywords of matplotlib's imshow."""
    axes.set_axis_off()
    return axes.imshow(image, interpolation="nearest", aspect="auto", **look)


def label(axes: Axes, text: str, x: int, y: int) -> None:
    """Write text in a corner of a panel; x is 0 (left) or 1, y is 0 (bottom) or 1."""
    axes.annotate(
        text,
        (x, y),
        xycoords="axes fraction",
        xytext=(6 - 12 * x, 6 - 12 * y),
        textcoords="offset pixels",
        ha="right" if x else "left",
        va="top" if y else "bottom",
        color="white",
        fontsize=LABEL_PT,
        bbox=LABEL_BACKGROUND,
        parse_math=False,
    )


def headline(figure: Figure, text: str, head_px: int) -> None:
    """Write a title above the panels, in a bar of ``head_px`` pixels.

    Characters that cannot be drawn, such as line breaks in a file name, become question marks.
    """
    text = "".join(letter if letter.isprintable() else "?" for letter in text)
    width, height = figure.bbox.size
    figure.text(
        GAP_PX / width,
        1 - head_px / 2 / height,
        text,
        va="center_baseline",
        color="white",
        fontsize=LABEL_PT + 2,
        parse_math=False,
    )


def outline(axes: Axes, top: int, left: int, rows: int, columns: int) -> None:
    """Draw a frame around a part of an image."""
    from matplotlib.patches import Rectangle

    axes.add_patch(
        Rectangle(
            (left - 0.5, top - 0.5), columns, rows, fill=False, edgecolor="#ffd34d", linewidth=0.8
        )
    )


def scale_bar(axes: Axes, pixel_mm: float) -> None:
    """Draw a scale bar: 5 cm, 1 cm or 5 mm, the longest within a third of the panel; else 1 mm."""
    from matplotlib.patheffects import withStroke

    left, right = axes.get_xlim()
    bottom, top = axes.get_ylim()
    columns, rows = right - left, bottom - top
    length = next((mm for mm in (50, 10, 5) if mm / pixel_mm <= columns / 3), 1)
    x, y = right - 0.03 * columns, bottom - 0.03 * rows
    edge = [withStroke(linewidth=3, foreground="black")]
    axes.plot(
        [x - length / pixel_mm, x],
        [y, y],
        color="white",
        linewidth=1.5,
        solid_capstyle="butt",
        path_effects=edge,
    )
    axes.set(xlim=(left, right), ylim=(bottom, top))
    axes.annotate(
        f"{length // 10} cm" if length >= 10 else f"{length} mm",
        (x - length / pixel_mm / 2, y),
        xytext=(0, 6),
        textcoords="offset pixels",
        ha="center",
        va="bottom",
        color="white",
        fontsize=LABEL_PT,
        bbox=LABEL_BACKGROUND,
    )


def colour_bar(figure: Figure, axes: Axes, drawn, label: str) -> None:
    """Draw in separate axes the colour bar of an image that :func:`show` returned."""
    bar = figure.colorbar(drawn, cax=axes)
    bar.set_label(label, color="white", fontsize=LABEL_PT)
    bar.outline.set_edgecolor("#666666")
    axes.tick_params(colors="white", labelsize=LABEL_PT, length=3)


def save(figure: Figure, path: str | os.PathLike) -> None:
    """Write a figure as PNG, completely or not at all."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    FigureCanvasAgg(figure)
    options = {"dpi": figure.dpi, "facecolor": figure.get_facecolor(), "format": "png"}
    options["metadata"] = {"Software": SOFTWARE}
    with warnings.catch_warnings():
        # Letters that the font lacks are drawn as boxes.
        warnings.filterwarnings("ignore", message="Glyph .* missing from", category=UserWarning)
        write_atomically(path, lambda temporary: figure.savefig(temporary, **options))
