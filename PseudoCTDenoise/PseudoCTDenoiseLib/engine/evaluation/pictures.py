"""Pictures of scans, noise maps, curves and spectra, drawn without a display.

Matplotlib is used through its figure object alone, so that neither pyplot's state nor the
caller's settings are touched. A picture appears under its name only when it is complete.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import BadInputError
from ..files.volume_files import check_place
from ..noise_window import noise_limit
from ..slice_choice import most_informative_slice, organ_box

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

DERIVED = "Derived – research use only"

_DPI = 128
"""A power of two, so that inches times dots are again whole pixels."""
_LABEL_PT = 7.5
_PANEL_PX = 512
_GAP_PX = 8
_ZOOM = 4
_INK = "#222222"
_COLOURS = ("#0b5394", "#c55a11", "#3a7d44", "#7a4b94", "#8a6d00", "#b0306a")
_GREYS = ("#7f7f7f", "#4d4d4d", "#a8a8a8")
_DASHES = ("-", "--", ":", "-.")
_DIFFERENCE_COLOURS = ("#bfe6ff", "#3a8fd0", "#123a5c", "#000000", "#5c2a10", "#d0703a", "#ffe0c2")
"""Cold below zero, warm above, black at zero: it is read on black, beside grey images."""
_PLATE = {"facecolor": "black", "alpha": 0.65, "linewidth": 0, "pad": 1.5}
"""What lies under a label, so that it stays legible on bright and on coloured pixels."""
_LEVELS = 511
"""Odd, so that a difference of zero has a level of its own."""


def check_picture_path(path: Path) -> None:
    """Refuse a path at which no picture could be put, before anything is computed.

    Raises
    ------
    BadInputError
        If the name does not end in ``.png`` or no file could be written there.
    """
    if path.suffix.lower() != ".png":
        raise BadInputError(f"{path.name} is no name of a picture: let it end in .png.")
    check_place(path)


def side_by_side(
    path: str | os.PathLike,
    original: np.ndarray,
    denoised: np.ndarray,
    *,
    reference: np.ndarray | None = None,
    pixel_mm: float | None = None,
    window: tuple[float, float] = (400, 40),
    difference_hu: float | None = None,
    slice_index: int | None = None,
    title: str = "",
    names: tuple[str, str, str] = ("Original", "Denoised", "Reference"),
) -> None:
    """Original, denoised, perhaps a reference, and what was removed; below, a part enlarged.

    Every pixel of a slice becomes the same whole number of pixels of the picture.

    Parameters
    ----------
    original, denoised, reference : HU, (rows, columns) or (slices, rows, columns)
    pixel_mm : side of a square pixel, for scale bars; None draws none
    window : display width and level in HU
    difference_hu : the difference is shown from minus to plus this; None takes the next
        round figure above three standard deviations
    slice_index : None shows the slice of the original with the most organ tissue
    names : of original, denoised and reference

    Raises
    ------
    BadInputError
        The shapes differ.
    """
    images = [np.asarray(original), np.asarray(denoised)]
    images += [] if reference is None else [np.asarray(reference)]
    if len({image.shape for image in images}) > 1 or images[0].ndim not in (2, 3):
        shapes = ", ".join(str(image.shape) for image in images)
        raise BadInputError(f"Images of shapes {shapes} cannot be shown side by side: crop them.")
    if images[0].ndim == 3:
        index = most_informative_slice(images[0]) if slice_index is None else slice_index
        images = [image[index] for image in images]
    images = [image.astype(np.float32) for image in images]
    removed = images[0] - images[1]
    limit = noise_limit(removed) if difference_hu is None else difference_hu

    rows, columns = images[0].shape
    scale = max(1, _PANEL_PX // max(rows, columns))
    part = rows // _ZOOM, columns // _ZOOM
    top, left = organ_box(images[0], *part)
    zoom = (slice(top, top + part[0]), slice(left, left + part[1]))
    width, height = columns * scale, rows * scale
    zoom_width, zoom_height = part[1] * _ZOOM * scale, part[0] * _ZOOM * scale
    panels = [
        *((names[i], image, i == 1) for i, image in enumerate(images)),
        (f"{names[0]} − {names[1].lower()}", removed, True),
    ]

    bar_px = 92
    head_px = 36 if title else _GAP_PX
    figure, place = _black_figure(
        len(panels) * (width + _GAP_PX) + _GAP_PX + bar_px,
        head_px + height + _GAP_PX + zoom_height + _GAP_PX,
    )
    for i, (name, image, derived) in enumerate(panels):
        x = _GAP_PX + i * (width + _GAP_PX)
        is_difference = i == len(panels) - 1
        look = (
            {"cmap": _difference_map(), "vmin": -limit, "vmax": limit}
            if is_difference
            else {"cmap": "gray", "vmin": window[1] - window[0] / 2}
            | {"vmax": window[1] + window[0] / 2}
        )
        whole = place(x, head_px, width, height)
        drawn = _show(whole, image, look)
        shown = f"±{limit:g} HU" if is_difference else f"W {window[0]:g}  L {window[1]:g}"
        _label(whole, name, 0, 1)
        _label(whole, shown, 1, 1)
        if derived:
            _label(whole, DERIVED, 0, 0)
        _outline(whole, top, left, *part)
        enlarged = place(x, head_px + height + _GAP_PX, zoom_width, zoom_height)
        _show(enlarged, image[zoom], look)
        _label(enlarged, f"{name}, {_ZOOM}×", 0, 1)
        if derived:
            _label(enlarged, DERIVED, 0, 0)
        if pixel_mm:
            _scale_bar(whole, pixel_mm)
            _scale_bar(enlarged, pixel_mm)
    x = _GAP_PX + len(panels) * (width + _GAP_PX) + 4
    bar = place(x, head_px, 14, height + _GAP_PX + zoom_height)
    _colour_bar(figure, bar, drawn, "HU removed")
    if title:
        _title(figure, title, head_px)
    _save(figure, path)


def noise_maps_picture(
    path: str | os.PathLike,
    maps: Sequence[np.ndarray],
    names: Sequence[str],
    *,
    limit_hu: float | None = None,
    pixel_mm: float | None = None,
) -> None:
    """Noise maps of one slice, (rows, columns) in HU, in a row with one colour bar.

    ``limit_hu`` is the end of the symmetric scale; None takes the next round figure above
    three standard deviations of them all.
    """
    maps = [np.asarray(noise, dtype=np.float32) for noise in maps]
    limit = noise_limit(np.stack(maps)) if limit_hu is None else limit_hu
    rows, columns = maps[0].shape
    scale = max(1, _PANEL_PX // max(rows, columns))
    width, height = columns * scale, rows * scale
    figure, place = _black_figure(
        len(maps) * (width + _GAP_PX) + _GAP_PX + 92, height + 2 * _GAP_PX
    )
    look = {"cmap": _difference_map(), "vmin": -limit, "vmax": limit}
    for i, (noise, name) in enumerate(zip(maps, names, strict=True)):
        panel = place(_GAP_PX + i * (width + _GAP_PX), _GAP_PX, width, height)
        drawn = _show(panel, noise, look)
        _label(panel, name, 0, 1)
        _label(panel, DERIVED, 0, 0)
        if pixel_mm:
            _scale_bar(panel, pixel_mm)
    bar = place(_GAP_PX + len(maps) * (width + _GAP_PX) + 4, _GAP_PX, 14, height)
    _colour_bar(figure, bar, drawn, "HU")
    _save(figure, path)


# --------------------------------------------------------------- graphs


def curve_picture(
    path: str | os.PathLike,
    rows: Iterable[Mapping[str, Any]],
    series: Mapping[str, str],
    *,
    x: str = "step",
    x_label: str = "Step",
    y_label: str = "PSNR-4096 in dB",
    title: str = "",
) -> None:
    """Curves against steps from the rows of a CSV file.

    Parameters
    ----------
    rows : as csv.DictReader gives them; cells that are empty are left out of their curve
    series : name in the legend -> column of the rows
    """
    rows = list(rows)
    figure, axes = _graph(x_label, y_label, title)
    for (name, column), colour in zip(series.items(), itertools.cycle(_COLOURS), strict=False):
        points = [(float(r[x]), float(r[column])) for r in rows if r.get(column) not in (None, "")]
        marker = "o" if len(points) <= 40 else ""
        axes.plot(*np.array(points).T, label=name, color=colour, marker=marker, markersize=3)
    _legend(axes, len(series))
    _save(figure, path)


def spectra_picture(
    path: str | os.PathLike,
    measured: Mapping[str, tuple[np.ndarray, np.ndarray]],
    real: Mapping[str, tuple[np.ndarray, np.ndarray]],
    *,
    y_label: str = "Normalised noise power",
    title: str = "",
) -> None:
    """Noise power spectra: real scanners as grey lines below, measured ones in colour.

    Both map a name to (frequency in 1/cm, power).
    """
    figure, axes = _graph("Spatial frequency in 1/cm", y_label, title)
    greys = zip(real.items(), itertools.cycle(_GREYS), itertools.cycle(_DASHES), strict=False)
    for (name, curve), grey, dash in greys:
        axes.plot(*curve, label=name, color=grey, linestyle=dash, linewidth=2.2)
    for (name, curve), colour in zip(measured.items(), itertools.cycle(_COLOURS), strict=False):
        axes.plot(*curve, label=name, color=colour)
    axes.set_xlim(left=0)
    axes.set_ylim(bottom=0)
    _legend(axes, len(real) + len(measured))
    _save(figure, path)


# --------------------------------------------------------------- shared


def _difference_map():
    from matplotlib.colors import LinearSegmentedColormap

    return LinearSegmentedColormap.from_list("difference", _DIFFERENCE_COLOURS, N=_LEVELS)


def _black_figure(width: int, height: int):
    """A black figure of so many pixels, and a function that places axes in it by pixels."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width / _DPI, height / _DPI), dpi=_DPI, facecolor="black")

    def place(left: int, top: int, w: int, h: int) -> Axes:
        bottom = height - top - h
        return figure.add_axes((left / width, bottom / height, w / width, h / height))

    return figure, place


def _show(axes: Axes, image: np.ndarray, look: dict[str, Any]):
    axes.set_axis_off()
    return axes.imshow(image, interpolation="nearest", aspect="auto", **look)


def _label(axes: Axes, text: str, x: int, y: int) -> None:
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
        fontsize=_LABEL_PT,
        bbox=_PLATE,
    )


def _title(figure: Figure, text: str, head_px: int) -> None:
    width, height = figure.bbox.size
    figure.text(
        _GAP_PX / width,
        1 - head_px / 2 / height,
        text,
        va="center_baseline",
        color="white",
        fontsize=_LABEL_PT + 2,
    )


def _outline(axes: Axes, top: int, left: int, rows: int, columns: int) -> None:
    from matplotlib.patches import Rectangle

    axes.add_patch(
        Rectangle(
            (left - 0.5, top - 0.5), columns, rows, fill=False, edgecolor="#ffd34d", linewidth=0.8
        )
    )


def _scale_bar(axes: Axes, pixel_mm: float) -> None:
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
        fontsize=_LABEL_PT,
        bbox=_PLATE,
    )


def _colour_bar(figure: Figure, axes: Axes, drawn, label: str) -> None:
    bar = figure.colorbar(drawn, cax=axes)
    bar.set_label(label, color="white", fontsize=_LABEL_PT)
    bar.outline.set_edgecolor("#666666")
    axes.tick_params(colors="white", labelsize=_LABEL_PT, length=3)


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
    axes.set_title(title, color=_INK, fontsize=11, loc="left")
    return figure, axes


def _legend(axes: Axes, entries: int) -> None:
    if entries > 1:
        # Below the axes, so that it covers no curve.
        axes.legend(
            frameon=False,
            fontsize=8,
            labelcolor=_INK,
            handlelength=3,
            ncols=4,
            loc="upper left",
            bbox_to_anchor=(0, -0.13),
        )


def _save(figure: Figure, path: str | os.PathLike) -> None:
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    path = Path(path)
    part = path.with_name(f".{path.stem}.{os.getpid()}.part.png")
    FigureCanvasAgg(figure)
    try:
        figure.savefig(part, dpi=figure.dpi, facecolor=figure.get_facecolor(), format="png")
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)
