"""Voxels of a volume that lie in a region, which the user has drawn.

A region is a box in its own coordinates: a markups ROI, or a slab around the plane of a closed
curve with the curve as the outline. The same algorithm handles every orientation of volume and
region.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import slicer
import vtk

from ..errors import BadInputError
from .geometry import geometryOf

ROUNDING_MM = 1e-3
"""Tolerance of a border: markups store float32. A voxel centre on the border is inside."""


def regionMask(volumeNode, regionNode) -> np.ndarray:
    """Return a mask of the voxels of a volume that lie in a region.

    A voxel belongs to the region if its centre does. Centres on the border belong to it. Parent
    transforms of both nodes are applied; the volume's must be linear. Parts of the region outside
    the volume are ignored.

    A box is used as Slicer draws it, even if a transform scales or rotates it. The option "inside
    out" has no effect.

    Of a closed curve, the plane is the best fit to its points. A centre belongs to it if it is at
    most half a voxel away from the plane, and within the curve when projected onto the plane along
    its normal. A voxel's size here is the distance between neighbouring centres along the normal,
    so a curve drawn in a slice view takes one layer of voxels: the slice in which, or nearest to
    which, it was drawn, of two that are equally near the one of higher index. Where a curve crosses
    itself, what it encloses twice is outside (even-odd rule).

    Returns
    -------
    bool array of the shape of ``slicer.util.arrayFromVolume(volumeNode)``: (slices, rows,
    columns), or in general (k, j, i).

    Raises
    ------
    BadInputError
        If the region is neither box nor closed curve, is not drawn completely, encloses no area
        or is not flat, holds no voxel's centre or lies outside the volume.
    """
    indexToWorld = linearIndexToWorld(volumeNode)
    if regionNode is None:
        raise BadInputError("No region is selected. Draw a box (ROI) or a closed curve.")
    if regionNode.IsA("vtkMRMLMarkupsROINode"):
        region = _box(regionNode)
    elif regionNode.IsA("vtkMRMLMarkupsClosedCurveNode"):
        region = _slab(regionNode, indexToWorld)
    else:
        raise BadInputError(
            f"{regionNode.GetName()} is not a region. Draw a box (ROI) or a closed curve."
        )
    shape = tuple(reversed(volumeNode.GetImageData().GetDimensions()))
    mask, reaches = _rasterised(region, indexToWorld, shape)
    if mask is not None:
        return mask
    if reaches:
        raise BadInputError(
            f"{regionNode.GetName()} contains no voxel centre of {volumeNode.GetName()}. "
            "Make it larger, or move it into the volume."
        )
    raise BadInputError(
        f"{regionNode.GetName()} lies outside {volumeNode.GetName()}. Move it into the volume."
    )


@dataclass(frozen=True)
class _Region:
    """A box in its own coordinates, in mm.

    ``worldToOwn`` is 4×4; ``low`` and ``high`` are the box's corners (3,). ``outline`` is None or
    a closed polygon (points, 2) in the first two coordinates, without the first point repeated.
    """

    worldToOwn: np.ndarray
    low: np.ndarray
    high: np.ndarray
    outline: np.ndarray | None = None


def linearIndexToWorld(volumeNode) -> np.ndarray:
    """Return the 4×4 matrix from (i, j, k, 1) to RAS in mm, with parent transforms.

    Raises
    ------
    BadInputError
        If a parent transform is not linear.
    """
    indexToWorld = geometryOf(volumeNode)
    parent = volumeNode.GetParentTransformNode()
    if parent is None:
        return indexToWorld
    matrix = vtk.vtkMatrix4x4()
    if not parent.GetMatrixTransformToWorld(matrix):
        raise BadInputError(
            f"{volumeNode.GetName()} is deformed by {parent.GetName()}. "
            "Harden the transform, or remove the volume from it to measure."
        )
    return slicer.util.arrayFromVTKMatrix(matrix) @ indexToWorld


def _box(roiNode) -> _Region:
    if roiNode.GetNumberOfDefinedControlPoints() == 0:
        raise BadInputError(f"{roiNode.GetName()} is not placed yet. Draw it in a slice view.")
    half = np.array(roiNode.GetSize()) / 2
    objectToWorld = slicer.util.arrayFromVTKMatrix(roiNode.GetObjectToWorldMatrix())
    # A transform may scale the box. Its own axes are in world mm, so that the tolerance is the
    # same on every side.
    scale = np.linalg.norm(objectToWorld[:3, :3], axis=0)
    if not (np.isfinite(objectToWorld).all() and scale.all()):
        raise BadInputError(
            f"Its transform makes {roiNode.GetName()} flat. Remove it from the transform."
        )
    ownToWorld = objectToWorld / [*scale, 1.0]
    half = half * scale + ROUNDING_MM
    return _Region(np.linalg.inv(ownToWorld), -half, half)


def _slab(curveNode, indexToWorld: np.ndarray) -> _Region:
    """Return the curve's outline in its plane, as thick as a voxel along the normal."""
    name = curveNode.GetName()
    if curveNode.GetNumberOfDefinedControlPoints() < 3:
        raise BadInputError(f"{name} has too few points to enclose an area. Draw at least three.")
    points = slicer.util.arrayFromMarkupsCurvePoints(curveNode, world=True).astype(float)
    centre = points.mean(axis=0)
    _, extent, axes = np.linalg.svd(points - centre, full_matrices=False)
    if extent[1] <= ROUNDING_MM * np.sqrt(len(points)):
        raise BadInputError(
            f"{name} encloses no area, because its points lie on one line. Draw it again."
        )
    normal = axes[2]
    # One step along the normal, counted in voxels.
    steps = np.linalg.solve(indexToWorld[:3, :3], normal)
    # Of two slices at the same distance, the direction of drawing must not select one.
    if steps[np.abs(steps).argmax()] < 0:
        normal, steps = -normal, -steps
    thickness = 1 / np.linalg.norm(steps)

    worldToOwn = np.eye(4)
    worldToOwn[:3, :3] = axes[0], axes[1], normal
    worldToOwn[:3, 3] = -worldToOwn[:3, :3] @ centre
    outline = (points - centre) @ worldToOwn[:3, :3].T
    bend = np.abs(outline[:, 2]).max()
    if bend > thickness / 2 + ROUNDING_MM:
        raise BadInputError(
            f"{name} is not flat: it leaves its plane by {bend:.1f} mm. Draw it in one slice."
        )
    outline = outline[:, :2]
    low = np.append(outline.min(axis=0) - ROUNDING_MM, -thickness / 2 + ROUNDING_MM)
    high = np.append(outline.max(axis=0) + ROUNDING_MM, thickness / 2 + ROUNDING_MM)
    return _Region(worldToOwn, low, high, outline)


def _rasterised(
    region: _Region, indexToWorld: np.ndarray, shape: tuple[int, int, int]
) -> tuple[np.ndarray | None, bool]:
    """Return the mask (None if empty), and True if its bounds reach the volume's voxel centres."""
    indexToOwn = region.worldToOwn @ indexToWorld
    # Only the index box around the region is searched, slice by slice, so a small region in a
    # large volume needs little time, and the memory of one slice.
    corners = (np.linalg.inv(indexToOwn) @ boxCorners(region.low, region.high))[:3]
    lowest, highest = corners.min(axis=1), corners.max(axis=1)
    last = np.array(shape[::-1]) - 1
    reaches = bool(np.all(highest >= 0) and np.all(lowest <= last))
    first = np.maximum(np.ceil(lowest), 0).astype(int)
    last = np.minimum(np.floor(highest), last).astype(int)
    if np.any(first > last):
        return None, reaches

    i, j = (np.arange(first[axis], last[axis] + 1) for axis in (0, 1))
    # Coordinate n of voxel (i, j, k) is inSlice[n] + indexToOwn[n, 2] k.
    inSlice = [row[0] * i[None, :] + row[1] * j[:, None] + row[3] for row in indexToOwn[:3]]
    mask = np.zeros(shape, dtype=bool)
    for k in range(first[2], last[2] + 1):
        coordinates = [part + row[2] * k for part, row in zip(inSlice, indexToOwn, strict=False)]
        inside = np.ones(coordinates[0].shape, dtype=bool)
        for values, low, high in zip(coordinates, region.low, region.high, strict=True):
            inside &= (values >= low) & (values <= high)
        if region.outline is not None and inside.any():
            candidates = np.column_stack([values[inside] for values in coordinates[:2]])
            inside[inside] = _insidePolygon(candidates, region.outline)
        mask[k, j[0] : j[-1] + 1, i[0] : i[-1] + 1] = inside
    return (mask if mask.any() else None), reaches


def _insidePolygon(points: np.ndarray, polygon: np.ndarray) -> np.ndarray:
    """Return a mask of the points (n, 2) in a polygon (m, 2) or within ROUNDING_MM of its line.

    Even-odd rule: a ray along the first coordinate leaves the polygon through an odd number of
    edges. The points are sorted by the second coordinate, so each edge is compared only with the
    points beside it.
    """
    order = np.argsort(points[:, 1], kind="stable")
    x, y = points[order].T
    inside = np.zeros(len(points), dtype=bool)
    onLine = np.zeros(len(points), dtype=bool)
    starts, ends = polygon, np.roll(polygon, -1, axis=0)
    bands = np.column_stack([np.minimum(starts[:, 1], ends[:, 1]), np.maximum(starts, ends)[:, 1]])
    crossed = np.searchsorted(y, bands)
    nearby = np.searchsorted(y, bands + [-ROUNDING_MM, ROUNDING_MM])
    for (x0, y0), (x1, y1), (a, b), (c, d) in zip(starts, ends, crossed, nearby, strict=True):
        if b > a:  # so y1 and y0 differ
            inside[a:b] ^= x[a:b] < x0 + (y[a:b] - y0) * ((x1 - x0) / (y1 - y0))
        if d > c:
            dx, dy = x1 - x0, y1 - y0
            along = ((x[c:d] - x0) * dx + (y[c:d] - y0) * dy) / ((dx * dx + dy * dy) or 1.0)
            along = np.clip(along, 0.0, 1.0)
            distance = np.hypot(x[c:d] - x0 - along * dx, y[c:d] - y0 - along * dy)
            onLine[c:d] |= distance <= ROUNDING_MM
    found = np.empty(len(points), dtype=bool)
    found[order] = inside | onLine
    return found


def boxCorners(low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """Return the eight corners of a box in homogeneous coordinates, (4, 8)."""
    x, y, z = np.meshgrid(*zip(low, high, strict=True), indexing="ij")
    return np.stack([x.ravel(), y.ravel(), z.ravel(), np.ones(8)])
