"""PNG figure of original, denoised and difference image side by side, drawn without a display.

The module uses matplotlib's figure object and not pyplot, so it leaves pyplot's state and the
caller's settings unchanged. The PNG is written completely or not at all.
"""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

from ..errors import BadInputError
from ..output_paths import check_writable
from .display_window import noise_limit
from .figure_panels import (
    DERIVED_NOTICE,
    GAP_PX,
    PANEL_PX,
    black_figure,
    colour_bar,
    difference_colormap,
    headline,
    label,
    outline,
    save,
    scale_bar,
    show,
)
from .slice_selection import most_informative_slice, organ_box

_ZOOM = 4
"""Magnification of the enlarged part."""
_WINDOW_HU, _LEVEL_HU = 400, 40
_NAMES = ("Original", "Denoised", "Reference")


def check_png_path(path: Path) -> None:
    """Check that a PNG can be written to a path, before the computation starts.

    Raises
    ------
    BadInputError
        If the name does not end in ``.png``, or no file can be written there.
    """
    if path.suffix.lower() != ".png":
        raise BadInputError(f"{path.name} is not the name of a PNG: use a name that ends in .png.")
    check_writable(path)


def side_by_side(
    path: str | os.PathLike,
    original: np.ndarray,
    denoised: np.ndarray,
    *,
    reference: np.ndarray | None = None,
    pixel_mm: float | None = None,
    title: str = "",
) -> None:
    """Draw original, denoised, reference (if given) and removed noise, and an enlarged part below.

    The slice of the original with the most organ tissue is shown. Images are magnified by a whole
    number, so every pixel of a slice has the same size.

    Parameters
    ----------
    original, denoised, reference : HU, (rows, columns) or (slices, rows, columns)
    pixel_mm : side of a square pixel in mm, for the scale bars; None omits them

    Raises
    ------
    BadInputError
        If the shapes differ.
    """
    images = [np.asarray(original), np.asarray(denoised)]
    images += [] if reference is None else [np.asarray(reference)]
    if len({image.shape for image in images}) > 1 or images[0].ndim not in (2, 3):
        shapes = ", ".join(str(image.shape) for image in images)
        raise BadInputError(
            f"Images of shapes {shapes} cannot be shown side by side: crop them to the same size."
        )
    if images[0].ndim == 3:
        index = most_informative_slice(images[0])
        images = [image[index] for image in images]
    images = [image.astype(np.float32) for image in images]
    removed = images[0] - images[1]
    limit = noise_limit(removed)

    rows, columns = images[0].shape
    scale = max(1, PANEL_PX // max(rows, columns))
    part = rows // _ZOOM, columns // _ZOOM
    top, left = organ_box(images[0], *part)
    zoom = (slice(top, top + part[0]), slice(left, left + part[1]))
    width, height = columns * scale, rows * scale
    zoom_width, zoom_height = part[1] * _ZOOM * scale, part[0] * _ZOOM * scale
    panels = [
        *((_NAMES[i], image, i == 1) for i, image in enumerate(images)),
        ("Original − denoised", removed, True),
    ]

    bar_px = 92
    head_px = 36 if title else GAP_PX
    figure, place = black_figure(
        len(panels) * (width + GAP_PX) + GAP_PX + bar_px,
        head_px + height + GAP_PX + zoom_height + GAP_PX,
    )
    for i, (name, image, derived) in enumerate(panels):
        x = GAP_PX + i * (width + GAP_PX)
        is_difference = i == len(panels) - 1
        look = (
            {"cmap": difference_colormap(), "vmin": -limit, "vmax": limit}
            if is_difference
            else {"cmap": "gray", "vmin": _LEVEL_HU - _WINDOW_HU / 2}
            | {"vmax": _LEVEL_HU + _WINDOW_HU / 2}
        )
        full_view = place(x, head_px, width, height)
        drawn = show(full_view, image, look)
        shown = f"±{limit:g} HU" if is_difference else f"W {_WINDOW_HU}  L {_LEVEL_HU}"
        label(full_view, name, 0, 1)
        label(full_view, shown, 1, 1)
        if derived:
            label(full_view, DERIVED_NOTICE, 0, 0)
        outline(full_view, top, left, *part)
        enlarged = place(x, head_px + height + GAP_PX, zoom_width, zoom_height)
        show(enlarged, image[zoom], look)
        label(enlarged, f"{name}, {_ZOOM}×", 0, 1)
        if derived:
            label(enlarged, DERIVED_NOTICE, 0, 0)
        if pixel_mm:
            scale_bar(full_view, pixel_mm)
            scale_bar(enlarged, pixel_mm)
    x = GAP_PX + len(panels) * (width + GAP_PX) + 4
    bar = place(x, head_px, 14, height + GAP_PX + zoom_height)
    colour_bar(figure, bar, drawn, "HU removed")
    if title:
        headline(figure, title, head_px)
    save(figure, path)
