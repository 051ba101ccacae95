"""Figures of coronal views, curves and spectra, drawn without a display."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from PseudoCTDenoiseLib.ct.figure_panels import (
    GAP_PX,
    black_figure,
    label,
    save,
    show,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_INK = "#222222"
_COLOURS = (
    *("#0b5394", "#c55a11", "#3a7d44", "#7a4b94", "#8a6d00", "#b0306a", "#1b9aaa", "#555555"),
)
_GREYS = ("#7f7f7f", "#4d4d4d", "#a8a8a8")
_DASHES = ("-", "--", ":", "-.")


def coronal_picture(
    path: str | os.PathLike,
    scans: Mapping[str, np.ndarray],
    spacing_mm: tuple[float, float],
) -> None:
    """Draw the middle coronal view of scans, (slices, rows, columns) HU, one below the other.

    Parameters
    ----------
    scans : label → scan, with the lowest slice first.
    spacing_mm : pixel spacing and slice spacing in mm.
    """
    pixel_mm, slice_mm = spacing_mm
    views = {name: hu[::-1, hu.shape[1] // 2] for name, hu in scans.items()}
    slices, columns = next(iter(views.values())).shape
    width = 2 * columns
    height = round(2 * slices * slice_mm / pixel_mm)
    figure, place = black_figure(width + 2 * GAP_PX, len(views) * (height + GAP_PX) + GAP_PX)
    look = {"cmap": "gray", "vmin": -160, "vmax": 240}
    for number, (name, view) in enumerate(views.items()):
        panel = place(GAP_PX, GAP_PX + number * (height + GAP_PX), width, height)
        show(panel, view, look)
        label(panel, name, 0, 1)
    save(figure, path)


# --------------------------------------------------------------- graphs


def curve_picture(
    path: str | os.PathLike,
    rows: Iterable[Mapping[str, Any]],
    series: Mapping[str, str],
    *,
    y_label: str,
    title: str = "",
    linear_to: float | None = None,
) -> None:
    """Draw curves over the steps from the rows of a CSV file.

    Parameters
    ----------
    rows : rows as csv.DictReader yields them, with the column ``step``; curves skip empty cells.
    series : name in the legend → column of the rows.
    linear_to : step from which on the axis is logarithmic; None for a linear axis.
    """
    rows = list(rows)
    figure, axes = _graph("Step", y_label, title)
    if linear_to is not None:
        axes.set_xscale("symlog", linthresh=linear_to)
        axes.xaxis.set_major_formatter("{x:g}")
    for (name, column), colour in zip(series.items(), itertools.cycle(_COLOURS), strict=False):
        values = [(r["step"], r.get(column)) for r in rows]
        points = [(float(step), float(value)) for step, value in values if value not in (None, "")]
        marker = "o" if len(points) <= 40 else ""
        axes.plot(*np.array(points).T, label=name, color=colour, marker=marker, markersize=3)
    _legend(axes)
    save(figure, path)


def cost_picture(path: str | os.PathLike, rows: Iterable[Mapping[str, Any]]) -> None:
    """Draw time over number of slices, both on logarithmic axes, from :func:`.compare_speed`.

    A marker is the median of the runs; a line joins the markers of a method.
    """
    rows = list(rows)
    figure, axes = _graph("Slices", "Seconds, median", "")
    styles = zip(itertools.cycle(_COLOURS), itertools.cycle("os^Dv"), strict=False)
    for name, (colour, marker) in zip(
        dict.fromkeys(r["method"] for r in rows), styles, strict=False
    ):
        points = [(r["slices"], r["median_seconds"]) for r in rows if r["method"] == name]
        axes.loglog(*np.array(points).T, label=name, color=colour, marker=marker, markersize=4)
    sizes = sorted({row["slices"] for row in rows})
    axes.set_xticks(sizes, [f"{size:,}" for size in sizes])
    axes.minorticks_off()
    _legend(axes)
    save(figure, path)


def spectra_picture(
    path: str | os.PathLike,
    measured: Mapping[str, tuple[np.ndarray, np.ndarray]],
    real: Mapping[str, tuple[np.ndarray, np.ndarray]],
    *,
    title: str = "",
) -> None:
    """Draw noise power spectra: real scanners in grey below, measured spectra in colour.

    Both arguments map a name to (frequency in 1/cm, power).
    """
    figure, axes = _graph("Spatial frequency in 1/cm", "Normalised noise power", title)
    greys = zip(real.items(), itertools.cycle(_GREYS), itertools.cycle(_DASHES), strict=False)
    for (name, curve), grey, dash in greys:
        axes.plot(*curve, label=name, color=grey, linestyle=dash, linewidth=2.2)
    for (name, curve), colour in zip(measured.items(), itertools.cycle(_COLOURS), strict=False):
        axes.plot(*curve, label=name, color=colour)
    axes.set_xlim(left=0)
    axes.set_ylim(bottom=0)
    _legend(axes)
    save(figure, path)


def _graph(x_label: str, y_label: str, title: str) -> tuple[Figure, Axes]:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6.4, 4.0), dpi=200, facecolor="white", layout="constrained")
    axes = figure.add_subplot()
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color("#888888")
    axes.tick_params(colors=_INK, color="#888888", labelsize=9)
    axes.grid(axis="y", color="#e4e4e4", linewidth=0.6)
    axes.set_axisbelow(True)
    axes.set_xlabel(x_label, color=_INK, fontsize=10)
    axes.set_ylabel(y_label, color=_INK, fontsize=10)
    axes.set_title(title, color=_INK, fontsize=11, loc="left", parse_math=False)
    return figure, axes


def _legend(axes: Axes) -> None:
    """Draw the legend below the axes, where it covers no curve; none for a single curve."""
    _, names = axes.get_legend_handles_labels()
    if len(names) > 1:
        legend = axes.legend(
            frameon=False,
            fontsize=8,
            labelcolor=_INK,
            handlelength=3,
            ncols=4 if max(map(len, names)) <= 16 else 2,
            loc="upper left",
            bbox_to_anchor=(0, -0.13),
        )
        for text in legend.get_texts():  # a name may contain dollar signs
            text.set_parse_math(False)
