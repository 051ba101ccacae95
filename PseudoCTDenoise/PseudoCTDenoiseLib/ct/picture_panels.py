"""Panels of a picture: images on black, with labels, scale bars and colour bars, to the pixel."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import numpy as np

from ..temporary_files import write_whole

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

DERIVED = "Derived – research use only"

DPI = 128
"""A power of two, so that inches times dots are again whole pixels."""
LABEL_PT = 7.5
PANEL_PX = 512
GAP_PX = 8
DIFFERENCE_COLOURS = ("#bfe6ff", "#3a8fd0", "#123a5c", "#000000", "#5c2a10", "#d0703a", "#ffe0c2")
"""Cold below zero, warm above, black at zero: it is read on black, beside grey images."""
PLATE = {"facecolor": "black", "alpha": 0.65, "linewidth": 0, "pad": 1.5}
"""What lies under a label, so that it stays legible on bright and on coloured pixels."""
LEVELS = 511
"""Odd, so that a difference of zero has a level of its own."""


def difference_map():
    """Colours of a difference, from minus to plus the same."""
    from matplotlib.colors import LinearSegmentedColormap

    return LinearSegmentedColormap.from_list("difference", DIFFERENCE_COLOURS, N=LEVELS)


def black_figure(width: int, height: int):
    """A black figure of so many pixels, and a function that places axes in it by pixels."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width / DPI, height / DPI), dpi=DPI, facecolor="black")

    def place(left: int, top: int, w: int, h: int) -> Axes:
        bottom = height - top - h
        return figure.add_axes((left / width, bottom / height, w / width, h / height))

    return figure, place


def show(axes: Axes, image: np.ndarray, look: dict[str, Any]):
    """An image over all of the axes; ``look`` is of matplotlib's imshow."""
    axes.set_axis_off()
    return axes.imshow(image, interpolation="nearest", aspect="auto", **look)


def label(axes: Axes, text: str, x: int, y: int) -> None:
    """Text in the corner (x, y) of a panel."""
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
        bbox=PLATE,
    )


def headline(figure: Figure, text: str, head_px: int) -> None:
    """Text over the panels, in a bar of ``head_px`` pixels."""
    width, height = figure.bbox.size
    figure.text(
        GAP_PX / width,
        1 - head_px / 2 / height,
        text,
        va="center_baseline",
        color="white",
        fontsize=LABEL_PT + 2,
    )


def outline(axes: Axes, top: int, left: int, rows: int, columns: int) -> None:
    """A frame around a part of an image."""
    from matplotlib.patches import Rectangle

    axes.add_patch(
        Rectangle(
            (left - 0.5, top - 0.5), columns, rows, fill=False, edgecolor="#ffd34d", linewidth=0.8
        )
    )


def scale_bar(axes: Axes, pixel_mm: float) -> None:
    """5 cm where that is at most a third of the panel, else 1 cm or 5 mm."""
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
        bbox=PLATE,
    )


def colour_bar(figure: Figure, axes: Axes, drawn, label: str) -> None:
    """The scale of what :func:`show` drew, in axes of its own."""
    bar = figure.colorbar(drawn, cax=axes)
    bar.set_label(label, color="white", fontsize=LABEL_PT)
    bar.outline.set_edgecolor("#666666")
    axes.tick_params(colors="white", labelsize=LABEL_PT, length=3)


def save(figure: Figure, path: str | os.PathLike) -> None:
    """Write a figure as PNG, whole or not at all."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    FigureCanvasAgg(figure)
    options = {"dpi": figure.dpi, "facecolor": figure.get_facecolor(), "format": "png"}
    write_whole(path, lambda temporary: figure.savefig(temporary, **options))
