"""Shapes, tissue textures and vessel trees of the torso phantom.

Everything is defined in millimetres and evaluated as a signed distance (negative inside) on one
axial plane, so the anatomy does not depend on the sampling. Axes: x to the patient's left
(columns), y to the back (rows), z to the head (slices).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

PSF_SIGMA_MM = 1.2 / 2.355
"""Blur of a soft reconstruction kernel: 1.2 mm full width at half maximum."""


@dataclass(frozen=True)
class Waves:
    """Band-limited random field: a sum of plane waves with unit standard deviation."""

    k: np.ndarray
    phase: np.ndarray

    def sample(self, x: np.ndarray, y: np.ndarray, z: float, blur_mm: float = 0.0) -> np.ndarray:
        """Return values at columns ``x`` (1, C) and rows ``y`` (R, 1), attenuated by the blur.

        The cosine of a sum is a sum of products of a row and a column factor, so the whole field
        is one matrix product.
        """
        gain = np.sqrt(2 / len(self.k)) * np.exp(-0.5 * (self.k**2).sum(1) * blur_mm**2)
        along_y = y * self.k[:, 1] + (z * self.k[:, 2] + self.phase)
        along_x = self.k[:, :1] * x
        rows = np.concatenate([gain * np.cos(along_y), -gain * np.sin(along_y)], axis=1)
        columns = np.concatenate([np.cos(along_x), np.sin(along_x)], axis=0)
        return rows.astype(np.float32) @ columns.astype(np.float32)


def random_waves(seed: int, shortest_mm: float, longest_mm: float, count: int = 32) -> Waves:
    """Draw waves of random direction and wavelengths from ``shortest_mm`` to ``longest_mm``."""
    rng = np.random.default_rng(seed)
    direction = rng.normal(size=(count, 3))
    direction /= np.linalg.norm(direction, axis=1, keepdims=True)
    wavelength = np.exp(rng.uniform(np.log(shortest_mm), np.log(longest_mm), (count, 1)))
    return Waves(2 * np.pi * direction / wavelength, rng.uniform(0, 2 * np.pi, count))


COARSE = random_waves(11, 28, 80)
MEDIUM = random_waves(12, 6, 14, 48)
FINE = random_waves(13, 2.4, 4.5, 64)
SEPTA = random_waves(14, 18, 50, 40)
WARP_X = random_waves(15, 40, 110, 24)
WARP_Y = random_waves(16, 40, 110, 24)
WARP_MM = 1.7


@dataclass(frozen=True)
class Plane:
    """Axial plane at height ``z``: its canvas ``hu``, its coordinates and its textures.

    ``u`` and ``v`` are x and y with a smooth random displacement, which gives an ellipse the uneven
    outline of an organ. A window of a plane shares the canvas of the plane.
    """

    x: np.ndarray
    y: np.ndarray
    z: float
    blur_mm: float
    hu: np.ndarray
    u: np.ndarray
    v: np.ndarray
    coarse: np.ndarray
    medium: np.ndarray
    fine: np.ndarray
    septa: np.ndarray
    limit: np.ndarray
    """Distance to the wall of the abdominal cavity."""

    def window(self, x0: float, x1: float, y0: float, y1: float) -> Plane:
        """Return the part with x0 <= x <= x1 and y0 <= y <= y1 (mm); it may be empty."""
        columns = slice(*np.searchsorted(self.x[0], (x0, x1)))
        rows = slice(*np.searchsorted(self.y[:, 0], (y0, y1)))
        fields = ("hu", "u", "v", "coarse", "medium", "fine", "septa", "limit")
        parts = {name: getattr(self, name)[rows, columns] for name in fields}
        return replace(self, x=self.x[:, columns], y=self.y[rows], **parts)

    def coverage(self, distance: np.ndarray) -> np.ndarray:
        """Return the fraction (0 to 1) of the blurred pixel inside the shape: a smooth step."""
        # The standard deviation of a cubic step is its width times sqrt(1/20).
        t = np.clip(0.5 - distance * (0.2236 / self.blur_mm), 0, 1)
        return t * t * (3 - 2 * t)

    def paint(self, distance: np.ndarray, hu, clip: np.ndarray | None = None) -> None:
        """Paint tissue of ``hu`` (number or array) onto the canvas; ``clip`` is a coverage."""
        if not (distance < 2.3 * self.blur_mm).any():
            return
        alpha = self.coverage(distance)
        if clip is not None:
            alpha *= clip
        self.hu[...] += alpha * (hu - self.hu)


def open_plane(x: np.ndarray, y: np.ndarray, z: float, pixel_mm: float, hu: float) -> Plane:
    """Return a plane filled with ``hu``; the blur combines the kernel and the pixel width."""
    blur = float(np.hypot(PSF_SIGMA_MM, pixel_mm / np.sqrt(12)))
    canvas = np.full((y.size, x.size), hu, np.float32)
    u = x + WARP_MM * WARP_X.sample(x, y, z)
    v = y + WARP_MM * WARP_Y.sample(x, y, z)
    textures = [w.sample(x, y, z, blur) for w in (COARSE, MEDIUM, FINE)]
    x32, y32 = x.astype(np.float32), y.astype(np.float32)
    u32, v32 = u.astype(np.float32), v.astype(np.float32)
    septa = SEPTA.sample(x, y, z)
    return Plane(x32, y32, z, blur, canvas, u32, v32, *textures, septa, canvas)


def ellipsoid(plane: Plane, centre, radii, turn_deg: float = 0.0, warp: bool = True) -> np.ndarray:
    """Return the distance to an ellipsoid rotated by ``turn_deg`` about z; exact at its surface."""
    x, y = (plane.u, plane.v) if warp else (plane.x, plane.y)
    x, y, z = x - centre[0], y - centre[1], plane.z - centre[2]
    if turn_deg:
        c, s = float(np.cos(np.radians(turn_deg))), float(np.sin(np.radians(turn_deg)))
        x, y = c * x + s * y, c * y - s * x
    qx, qy, qz = (x / radii[0]) ** 2, (y / radii[1]) ** 2, (z / radii[2]) ** 2
    square = qx + qy + qz
    slope = qx / radii[0] ** 2 + qy / radii[1] ** 2 + qz / radii[2] ** 2
    rho = np.sqrt(square)
    return (rho - 1) * rho / np.sqrt(slope + 1e-9)


def superellipse(x, y, radii, power: float) -> np.ndarray:
    """Return the first-order distance to the curve |x/a|^power + |y/b|^power = 1."""
    qx, qy = np.abs(x / radii[0]) + 1e-6, np.abs(y / radii[1]) + 1e-6
    px, py = qx ** (power - 1), qy ** (power - 1)
    total = px * qx + py * qy
    rho = total ** (1 / power)
    slope = np.hypot(px / radii[0], py / radii[1]) * (rho / total)
    return (rho - 1) / slope


def tube(plane: Plane, start, end, r0: float, r1: float, warp: bool = False) -> np.ndarray:
    """Return the distance to a straight tube with round ends and a radius from ``r0`` to ``r1``."""
    x, y = (plane.u, plane.v) if warp else (plane.x, plane.y)
    ax, ay, az = (float(e - s) for s, e in zip(start, end, strict=True))
    px, py, pz = x - float(start[0]), y - float(start[1]), plane.z - float(start[2])
    t = np.clip((px * ax + py * ay + pz * az) / (ax * ax + ay * ay + az * az), 0, 1)
    square = (px - t * ax) ** 2 + (py - t * ay) ** 2 + (pz - t * az) ** 2
    return np.sqrt(square) - (r0 + t * (r1 - r0))


def polyline(plane: Plane, points, radii, warp: bool = False) -> np.ndarray:
    """Return the distance to a chain of tubes; ``radii`` is one number or one per point."""
    radii = np.broadcast_to(radii, len(points)).tolist()
    pairs = zip(points[:-1], points[1:], radii[:-1], radii[1:], strict=True)
    return np.minimum.reduce([tube(plane, *pair, warp=warp) for pair in pairs])


def curve(points, count: int = 24) -> np.ndarray:
    """Return ``count`` points of a smooth curve (Catmull-Rom) through ``points``."""
    p = np.asarray(points, float)
    p = np.concatenate([2 * p[:1] - p[1:2], p, 2 * p[-1:] - p[-2:-1]])
    at = np.linspace(0, len(p) - 3 - 1e-9, count)
    i, t = at.astype(int), (at % 1)[:, None]
    a, b, c, d = (p[i + n] for n in range(4))
    cubic = (3 * b - a - 3 * c + d) * t + (2 * a - 5 * b + 4 * c - d)
    return b + 0.5 * t * (c - a + t * cubic)


def near(plane: Plane, points, margin_mm: float) -> Plane | None:
    """Return the window around points (N, 3), or None if the plane does not cross them."""
    low, high = np.min(points, axis=0) - margin_mm, np.max(points, axis=0) + margin_mm
    if not low[2] <= plane.z <= high[2]:
        return None
    part = plane.window(low[0], high[0], low[1], high[1])
    return part if part.hu.size else None


def blend_union(a: np.ndarray, b: np.ndarray, fillet_mm: float) -> np.ndarray:
    """Return the union of two distances with a rounded crease."""
    h = np.clip(0.5 + (b - a) / (2 * fillet_mm), 0, 1)
    return b + h * (a - b) - fillet_mm * h * (1 - h)


def blend_intersection(a: np.ndarray, b: np.ndarray, fillet_mm: float) -> np.ndarray:
    """Return the intersection of two distances with a rounded edge."""
    return -blend_union(-a, -b, fillet_mm)


@dataclass(frozen=True)
class Tree:
    """Tapered vessel segments: ``start``, ``end`` (N, 3) in mm, ``r0``, ``r1`` (N) in mm."""

    start: np.ndarray
    end: np.ndarray
    r0: np.ndarray
    r1: np.ndarray


def grow_tree(
    seed: int,
    trunk: np.ndarray,
    targets: np.ndarray,
    radius_mm: float,
    leaf_mm: float,
    forbidden: Callable[[np.ndarray], np.ndarray],
    step_mm: float = 7.0,
) -> Tree:
    """Grow a tree from ``trunk`` (N, 3) to each of ``targets`` (M, 3) in turn.

    A slightly irregular branch joins each target to the nearest node; branches through
    ``forbidden`` points are skipped. Radii follow Murray's law (the cube of a parent's radius is
    the sum of its children's cubes), with the exponent 2.7 measured in vivo.
    """
    rng = np.random.default_rng(seed)
    nodes = np.empty((len(trunk) + 60 * len(targets), 3))
    nodes[: len(trunk)], parent = trunk, list(range(-1, len(trunk) - 1))
    for target in targets:
        known = nodes[: len(parent)]
        join = int(np.argmin(((known - target) ** 2).sum(1)))
        way = target - known[join]
        count = max(1, int(np.ceil(np.linalg.norm(way) / step_mm)))
        twig = known[join] + np.linspace(0, 1, count + 1)[:, None] * way
        twig[1:] += rng.normal(0, 0.14 * step_mm, (count, 3))
        between = (twig[1:] + twig[:-1]) / 2
        if forbidden(np.concatenate([twig, between])).any():
            continue
        for point in twig[1:]:
            nodes[len(parent)] = point
            parent.append(join)
            join = len(parent) - 1
    flow = np.zeros(len(parent))
    for i in range(len(parent) - 1, 0, -1):
        flow[i] = max(flow[i], 1.0)
        flow[parent[i]] += flow[i]
    radius = np.maximum(leaf_mm, radius_mm * (flow / flow[0]) ** (1 / 2.7))
    child, above = np.arange(1, len(parent)), np.asarray(parent[1:])
    points = nodes[: len(parent)]
    # Limits the width of a branch at its root, which would otherwise show as a bulb.
    return Tree(
        points[above], points[child], np.minimum(radius[above], 1.25 * radius[child]), radius[child]
    )


def join_trees(trees: list[Tree]) -> Tree:
    """Join several trees to one."""
    names = ("start", "end", "r0", "r1")
    return Tree(*(np.concatenate([getattr(tree, name) for tree in trees]) for name in names))


def paint_tree(plane: Plane, tree: Tree, hu, distance: np.ndarray | None = None) -> None:
    """Paint a tree; ``distance`` restricts it to an organ, with a smooth edge at its surface."""
    low = np.minimum(tree.start, tree.end)[:, 2] - tree.r0 - 1
    high = np.maximum(tree.start, tree.end)[:, 2] + tree.r0 + 1
    nearest = np.full(plane.hu.shape, 50, np.float32)
    for i in np.flatnonzero((low <= plane.z) & (plane.z <= high)):
        start, end, r0, r1 = tree.start[i], tree.end[i], float(tree.r0[i]), float(tree.r1[i])
        reach = max(r0, r1) + 2.0
        c0, c1 = np.searchsorted(
            plane.x[0], (min(start[0], end[0]) - reach, max(start[0], end[0]) + reach)
        )
        w0, w1 = np.searchsorted(
            plane.y[:, 0], (min(start[1], end[1]) - reach, max(start[1], end[1]) + reach)
        )
        if c0 == c1 or w0 == w1:
            continue
        part = replace(plane, x=plane.x[:, c0:c1], y=plane.y[w0:w1])
        view = nearest[w0:w1, c0:c1]
        # The smooth step models edges; a vessel thinner than the blur also loses peak contrast.
        faint = 0.5 * max(0.0, 1.2 - 0.5 * (r0 + r1))
        np.minimum(view, tube(part, start, end, r0, r1) + faint, out=view)
    clip = None if distance is None else plane.coverage(distance)
    plane.paint(nearest, hu, clip)
