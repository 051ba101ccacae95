"""Draw the icon of the extension: a chest slice, its left half noisy, its right half clean.

The icon contains no patient image. Run the script again after a change:
``.venv/bin/python Resources/make_icon.py``.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

SIZE = 128
OVERSAMPLING = 8
SEAM = (1.0, 0.62, 0.1)
"""Colour of the line between the halves, RGB from 0 to 1."""

# Ellipses in the order of painting: grey value, centre x and y, half axes. The icon's edge is at
# ±1, and y points down.
BODY = (0.62, 0.0, 0.0, 0.98, 0.80)
ORGANS = [
    (0.70, 0.0, 0.0, 0.90, 0.72),
    (0.10, -0.46, -0.04, 0.34, 0.50),
    (0.10, 0.46, -0.04, 0.34, 0.50),
    (0.84, 0.10, -0.20, 0.30, 0.30),
    (0.74, 0.10, -0.20, 0.13, 0.13),
    (1.00, 0.0, 0.46, 0.20, 0.17),
    (0.55, 0.0, 0.46, 0.08, 0.07),
    (0.84, -0.17, 0.24, 0.10, 0.10),
]
VESSELS = [
    (0.55, side * x, y, radius, radius)
    for side in (-1, 1)
    for x, y, radius in [(0.42, -0.22, 0.05), (0.55, 0.05, 0.06), (0.40, 0.22, 0.04)]
]


def inside(ellipse: tuple[float, ...], x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Return where the points (x, y) lie inside the ellipse, as booleans."""
    _, centre_x, centre_y, half_x, half_y = ellipse
    return ((x - centre_x) / half_x) ** 2 + ((y - centre_y) / half_y) ** 2 <= 1


def downsample(fine: np.ndarray) -> np.ndarray:
    """Average over the blocks that make one pixel of the icon."""
    blocks = fine.reshape(SIZE, OVERSAMPLING, SIZE, OVERSAMPLING, -1)
    return blocks.mean(axis=(1, 3)).squeeze()


def draw() -> np.ndarray:
    """Return the icon, (rows, columns, RGBA) from 0 to 1, transparent outside the body."""
    axis = (np.arange(SIZE * OVERSAMPLING) + 0.5) / (SIZE * OVERSAMPLING) * 2 - 1
    x, y = np.meshgrid(axis, axis)
    grey = np.zeros_like(x)
    for ellipse in [BODY, *ORGANS, *VESSELS]:
        grey[inside(ellipse, x, y)] = ellipse[0]
    grey, opacity = downsample(grey), downsample(inside(BODY, x, y).astype(float))

    # Fine grains vanish where a toolbar shows 32 pixels, so coarse grains are added.
    random = np.random.default_rng(0)
    noise = sum(
        np.kron(random.normal(0, 0.15, (SIZE // grain, SIZE // grain)), np.ones((grain, grain)))
        for grain in (2, 4)
    )
    columns = np.arange(SIZE)
    grey = np.where(columns < SIZE // 2, grey + noise * opacity, grey).clip(0, 1)

    icon = np.dstack([grey, grey, grey, opacity])
    seam = np.abs(columns - SIZE / 2 + 0.5) < 2
    icon[:, seam, :3] = SEAM
    return icon


if __name__ == "__main__":
    from matplotlib.image import imsave

    here = Path(__file__).parent
    for folder in (here, here.parent / "PseudoCTDenoise/Resources/Icons"):
        imsave(
            folder / "PseudoCTDenoise.png",
            np.round(draw() * 255).astype(np.uint8),
            metadata={"Software": None},
        )
