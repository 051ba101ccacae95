"""Noise-free torso phantom in HU, the project's sample volume, with its ground truth."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from PseudoCTDenoiseLib.errors import BadInputError

from .organs import paint_organs
from .shapes import open_plane
from .targets import (
    FLAT_LIVER_MM,
    FLAT_LIVER_Z_MM,
    FLAT_LUNG_MM,
    FLAT_LUNG_Z_MM,
    LESIONS,
    Lesion,
)
from .trunk import AIR, paint_lungs, paint_ribs, paint_spine, paint_trunk

SUBSLICES = 2
"""Number of planes averaged to a slice, which gives oblique surfaces partial-volume effect."""


@dataclass(frozen=True)
class FlatRegion:
    """Square of ``size`` pixels without structures; its first pixel is (``row``, ``column``)."""

    name: str
    slice: int
    row: int
    column: int
    size: int

    @property
    def at(self) -> tuple[int, slice, slice]:
        """Index of the square in a volume (slices, rows, columns)."""
        rows = slice(self.row, self.row + self.size)
        return self.slice, rows, slice(self.column, self.column + self.size)


@dataclass(frozen=True)
class Phantom:
    """Phantom volume with its ground truth.

    ``hu`` is int16 (slices, rows, columns) with slice 0 nearest to the feet; ``spacing_mm`` has the
    same order. ``lesions`` and ``flat_regions`` are those completely inside the volume.
    """

    hu: np.ndarray
    spacing_mm: tuple[float, float, float]
    lesions: tuple[Lesion, ...]
    flat_regions: tuple[FlatRegion, ...]


def torso_phantom(
    slices: int = 24, size: int = 512, pixel_mm: float = 0.75, slice_mm: float = 3.0
) -> Phantom:
    """Make a noise-free upper abdomen with lung bases, portal-venous phase, on a table.

    The anatomy is fixed in millimetres relative to the volume's centre and designed for a field
    384 mm wide and 72 mm high; the arguments set the sampling only. HU values are typical for a
    portal-venous scan at 120 kVp. The same arguments give the same voxels.

    Raises
    ------
    BadInputError
        If the arguments give no slices, fewer than 2 x 2 pixels, or a spacing is not positive.
    """
    if slices < 1 or size < 2 or min(pixel_mm, slice_mm) <= 0:
        raise BadInputError(
            "The phantom needs at least one slice of 2 x 2 pixels and spacings above 0 mm. "
            "Choose larger numbers."
        )
    across = (np.arange(size) - (size - 1) / 2) * pixel_mm
    heights = (np.arange(slices) - (slices - 1) / 2) * slice_mm
    offsets = ((np.arange(SUBSLICES) + 0.5) / SUBSLICES - 0.5) * slice_mm
    hu = np.empty((slices, size, size), np.int16)
    for target, height in zip(hu, heights, strict=True):
        planes = [axial_plane(across, float(height + offset), pixel_mm) for offset in offsets]
        target[...] = np.rint(np.mean(planes, axis=0))
    lesions = tuple(
        found for lesion in LESIONS if (found := _locate(lesion, across, heights, slice_mm))
    )
    flat = (
        *_flat_regions("liver", FLAT_LIVER_MM, FLAT_LIVER_Z_MM, 48.0, across, heights, slice_mm),
        *_flat_regions("lung", FLAT_LUNG_MM, FLAT_LUNG_Z_MM, 16.5, across, heights, slice_mm),
    )
    return Phantom(hu, (slice_mm, pixel_mm, pixel_mm), lesions, flat)


def axial_plane(across_mm: np.ndarray, height_mm: float, pixel_mm: float) -> np.ndarray:
    """Return float32 HU (rows, columns) of an infinitely thin slice at ``height_mm``."""
    plane = open_plane(across_mm[None], across_mm[:, None], height_mm, pixel_mm, AIR)
    trunk = paint_trunk(plane)
    paint_lungs(plane, trunk)
    paint_organs(replace(plane, limit=trunk.cavity), trunk)
    paint_spine(plane)
    paint_ribs(plane, trunk.cage)
    return plane.hu


def _locate(
    lesion: Lesion, across: np.ndarray, heights: np.ndarray, slice_mm: float
) -> Lesion | None:
    x, y, z = lesion.centre_mm
    index = tuple(int(np.abs(a - c).argmin()) for a, c in ((heights, z), (across, y), (across, x)))
    reach = lesion.diameter_mm / 2
    inside = min(x, y) - reach >= across[0] and max(x, y) + reach <= across[-1]
    # The nearest slice shows the full contrast only if the disc fills its thickness.
    half_slice = slice_mm / 2
    whole = abs(heights[index[0]] - z) + half_slice <= lesion.height_mm / 2
    return replace(lesion, index=index) if inside and whole else None


def _flat_regions(
    name, centre, extent, side_mm, across, heights, slice_mm
) -> tuple[FlatRegion, ...]:
    column, row = (int(np.searchsorted(across, c - side_mm / 2)) for c in centre)
    pixels = int(side_mm / (across[1] - across[0]) + 1e-6)
    if not pixels or min(row, column) == 0 or max(row, column) + pixels > len(across):
        return ()
    half = slice_mm / 2
    low, high = extent
    levels = np.flatnonzero((heights - half >= low) & (heights + half <= high))
    return tuple(FlatRegion(name, int(level), row, column, pixels) for level in levels)
