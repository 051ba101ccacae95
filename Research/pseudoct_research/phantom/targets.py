"""Lesions and uniform regions of the torso phantom."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Lesion:
    """Cylinder of known diameter and contrast with its axis perpendicular to the slices.

    ``centre_mm`` is (x, y, z) from the volume's centre, ``index`` the nearest (slice, row,
    column), ``contrast_hu`` the difference to the surrounding organ.
    """

    centre_mm: tuple[float, float, float]
    diameter_mm: float
    contrast_hu: float
    height_mm: float = 10.0
    organ: str = "liver"
    index: tuple[int, int, int] = (0, 0, 0)


def _row(z, diameters, contrast, places):
    pairs = zip(diameters, places, strict=True)
    return tuple(Lesion((x, y, z), diameter, contrast) for diameter, (x, y) in pairs)


LESIONS = (
    *_row(0.0, (10.0, 5.0, 7.0, 3.0), -15.0, ((-99, -48), (-86, -38), (-73, -47), (-59, -46))),
    *_row(0.0, (7.0, 3.0, 10.0, 5.0), 15.0, ((-86, -60), (-74, -67), (-60, -62), (-48, -57))),
    *_row(-24.0, (10.0, 7.0, 5.0, 3.0), -10.0, ((-108, -19), (-93, -15), (-80, -22), (-69, -18))),
    *_row(-24.0, (5.0, 10.0, 3.0, 7.0), -20.0, ((-104, -37), (-88, -42), (-75, -37), (-64, -48))),
    Lesion((-86, -42, 20), 18.0, -35.0, 16.0),
    Lesion((-66, 36, 20), 13.0, -88.0, 16.0),
)

FLAT_LIVER_MM, FLAT_LIVER_Z_MM = (-85.0, -1.0), (-6.5, 12.5)
"""Centre (x, y) and range of heights of a region of 48 × 48 mm in the liver without vessels."""
FLAT_LUNG_MM, FLAT_LUNG_Z_MM = (70.0, 42.0), (31.0, 60.0)
"""Centre and range of heights of a region of 16.5 × 16.5 mm in the left lung without vessels."""

_DISCS = np.array([(*a.centre_mm, a.diameter_mm / 2 + 7, a.height_mm / 2 + 5) for a in LESIONS]).T


def keep_clear(points: np.ndarray) -> np.ndarray:
    """Return True for points (N, 3), in mm, too near to a uniform region or lesion for a vessel."""
    x, y, z = points.T

    def box(centre, heights, half):
        across = np.maximum(np.abs(x - centre[0]), np.abs(y - centre[1])) < half
        return across & (z > heights[0] - 3) & (z < heights[1] + 3)

    taken = box(FLAT_LIVER_MM, FLAT_LIVER_Z_MM, 26.5) | box(FLAT_LUNG_MM, FLAT_LUNG_Z_MM, 11)
    cx, cy, cz, reach, half = _DISCS
    disc = (x[:, None] - cx) ** 2 + (y[:, None] - cy) ** 2 < reach**2
    return taken | (disc & (np.abs(z[:, None] - cz) < half)).any(1)
