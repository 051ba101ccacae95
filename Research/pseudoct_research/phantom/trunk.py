"""Trunk of the torso phantom: table, skin, fat, muscle wall, ribs, spine and lungs."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from .shapes import (
    Plane,
    Tree,
    blend_intersection,
    blend_union,
    ellipsoid,
    grow_tree,
    join_trees,
    near,
    paint_tree,
    polyline,
    superellipse,
)
from .targets import keep_clear

AIR, FOAM, TABLE_SHELL, SKIN, FAT, MUSCLE = -1000, -930, -420, 25, -104, 58
LUNG, VESSEL, CARTILAGE, DISC = -850, 160, 105, 85
CORTICAL, TRABECULAR, RIB_MARROW = 780, 205, 165

VERTEBRAE_MM = (-110.0, -79.0, -48.0, -17.0, 14.0, 45.0, 76.0, 107.0)
RIBS = ((12, -17, 62), (11, 14, 92), (10, 45, 122), (9, 76, 134), (8, 107, 140), (7, 138, 146))
"""Number, height of the rib's vertebra (mm), angle from the back where bone ends (degrees)."""
CAGE_CENTRE_Y = -18.0
_TREE_SEED = 31


@dataclass(frozen=True)
class Trunk:
    """Distances to the curve of the ribs, the wall of the cavity and the diaphragm."""

    cage: np.ndarray
    cavity: np.ndarray
    below_diaphragm: np.ndarray


def cage_radii(z: float) -> tuple[float, float]:
    """Return half width and half depth (mm) of the rib curve."""
    return 131.0 - 3.0 * float(np.cos(z / 38)) + 0.03 * z, 92.0 + 0.06 * z


def diaphragm(x, y):
    """Return the height (mm) of the diaphragm at (x, y): two domes and the central tendon."""
    # Steeper behind than in front: the lungs extend lowest at the back.
    behind, before = np.maximum(y + 10, 0), np.minimum(y + 10, 0)
    deep = (behind / 92) ** 2 + (before / 150) ** 2
    right = 48 - 78 * ((((x + 66) / 84) ** 2 + deep) ** 1.15)
    left = 36 - 78 * ((((x - 70) / 80) ** 2 + deep) ** 1.15)
    middle = 21 - 50 * (((x - 8) / 90) ** 2 + ((y + 42) / 90) ** 2)
    # Log-sum-exp: a maximum with rounded creases.
    return 6 * np.logaddexp(np.logaddexp(right / 6, left / 6), middle / 6)


def paint_table(plane: Plane) -> None:
    """Paint a curved couch of foam in a thin shell, with a mat on top."""
    top = plane.y - (102.5 - plane.x**2 / 1500)
    bottom = plane.y - (146 - plane.x**2 / 620)
    couch = np.maximum(-top, bottom)
    plane.paint(couch, TABLE_SHELL)
    plane.paint(couch + 1.6, FOAM)
    # The mat is thinner at the sides.
    thickness = 11 * np.sqrt(np.clip(1 - (plane.x / 186) ** 2, 0, 1))
    plane.paint(np.maximum(top + 0.3, -(top + thickness)), -905)


def paint_wall(plane: Plane) -> np.ndarray:
    """Paint skin, fat and muscle; return the distance to the curve of the ribs."""
    x, y, z = plane.x, plane.y, plane.z
    a, b = cage_radii(z)
    bend = 0.35
    v = y + bend * (plane.v - y) - CAGE_CENTRE_Y
    # Egg-shaped: widest behind the middle.
    u = (x + bend * (plane.u - x)) * (1 - 0.055 * v / b)
    cage = superellipse(u, v, (a, b), 2.2)

    # The back is flat on the mat, with a furrow along the spine.
    furrow = 3.5 * np.exp(-((x / 9) ** 2))
    flank = 3.0 * np.exp(-(((np.abs(x) - 105) / 30) ** 2)) * np.clip(v / 40, 0, 1)
    back = superellipse(u, v + 1, (a + 27 + 2 * float(np.sin(z / 30)), b + 21.5), 2.25) - flank
    back = np.maximum(back, v - (111.5 - 0.0006 * x**2) + furrow)
    plane.paint(back, SKIN)
    fat = FAT + 1.5 * plane.coarse + 2 * plane.medium
    fat += 20 * np.exp(-((plane.septa / 0.06) ** 2))
    plane.paint(back + 1.9, fat)

    muscle = MUSCLE + 1.5 * plane.coarse + 5 * plane.medium
    side = np.abs(x)
    outer = cage - 8.5 - 2.5 * np.exp(-(((side - 95) / 40) ** 2)) * np.clip(v / 20, 0, 1)
    plane.paint(outer, muscle)
    # Rectus abdominis: two straps beside the linea alba.
    for s in (-1, 1):
        strap = ellipsoid(plane, (s * 34, CAGE_CENTRE_Y - b - 3.5, z), (33, 6.2, 1e4), s * 11)
        plane.paint(strap - 1.2, FAT + 15)
        plane.paint(strap, muscle)
    # Fat between the layers of the wall: outside the ribs, and within the flank.
    layer = np.abs(outer + 4.2 + 1.0 * plane.septa) - 0.25
    layer = np.maximum(layer, 34 - side)
    plane.paint(layer, FAT + 30)
    for s in (-1, 1):
        spinae = ellipsoid(plane, (s * 29, 67, z), (28, 17, 1e4), -s * 8)
        plane.paint(spinae - 1.4, FAT + 20)
        marbling = 60 * np.exp(-((plane.septa / 0.07) ** 2))
        plane.paint(spinae, muscle - marbling)
        plane.paint(ellipsoid(plane, (s * 11, 71, z), (9, 11, 1e4)), muscle - 0.7 * marbling)
    return cage


def rib_height(angle_deg, vertebra_mm: float, end_deg: float):
    """Return the height of a rib's midline, which falls to the front and rises in the cartilage."""
    bone = np.minimum(angle_deg, end_deg)
    fall = 75 * (1 - np.cos(np.radians(bone)))
    return vertebra_mm + 8 - fall + 1.5 * np.maximum(angle_deg - end_deg, 0)


def paint_ribs(plane: Plane, cage: np.ndarray) -> None:
    """Paint the ribs as oblique arcs on the cage, and their necks."""
    a, b = cage_radii(plane.z)
    at = np.nonzero((cage > -9) & (cage < 9))
    x, y = plane.x[0, at[1]], plane.y[at[0], 0] - CAGE_CENTRE_Y
    radial, shape = cage[at], plane.hu.shape
    angle = np.degrees(np.arctan2(np.abs(x) / a, y / b))
    ring = np.radians(np.maximum(angle, 1))
    for _, vertebra, end in RIBS:
        # The two sides differ slightly in height.
        level = vertebra + np.where(x > 0, 2.0, -1.5) - plane.z
        height = rib_height(angle, level, end)
        slope = 75 * np.sin(ring) / 118
        q = np.sqrt((radial / 3.7) ** 2 + (height / 6.6) ** 2)
        steep = np.sqrt((radial / 3.7**2) ** 2 + (height * slope / 6.6**2) ** 2 + 1e-9)
        bone = (q - 1) * np.minimum(q / steep, 8)
        bone = np.maximum(bone, np.maximum(angle - end, 24 - angle) * 2.0)
        shell = np.full(shape, 50, np.float32)
        shell[at] = bone
        if bone.size and bone.min() < 3:
            plane.paint(shell, CORTICAL - 80)
            plane.paint(shell + 1.35, RIB_MARROW + 35 * plane.fine)
        if end > 100:
            steep = np.sqrt((radial / 3.7**2) ** 2 + (height * 0.7 / 6.6**2) ** 2 + 1e-9)
            soft = (q - 1) * np.minimum(q / steep, 8)
            soft = np.maximum(soft, np.maximum(end - angle, angle - 172) * 2.0)
            shell[at] = soft
            plane.paint(shell, CARTILAGE + 60)
            plane.paint(shell + 1.2, CARTILAGE + 14 * plane.medium)
    for _, vertebra, _ in RIBS:
        for s, up in ((-1, -1.5), (1, 2.0)):
            points = np.array([(18, 41, 9), (35, 55, 7), (54, 69, 1.5)]) * (s, 1, 1)
            points = points + (0, 0, vertebra + up)
            part = near(plane, points, 7)
            if part is not None:
                neck = polyline(part, points, (4.0, 3.2, 3.6))
                part.paint(neck, CORTICAL - 80)
                part.paint(neck + 1.4, RIB_MARROW + 35 * part.fine)


def paint_spine(plane: Plane) -> None:
    """Paint vertebral bodies with end plates, discs, arches, and the cord in its canal."""
    part = plane.window(-60, 60, 0, 100)
    z0 = min(VERTEBRAE_MM, key=lambda centre: abs(centre - part.z))
    height = abs(part.z - z0)
    x, y = part.x, part.y - 28
    # Kidney-shaped outline with a waist at mid-height.
    waist = 1.7 * (1 - (height / 12.0) ** 2) if height < 12 else 0.0
    dent = 3.2 * np.exp(-((x / 9) ** 2)) * np.clip(y / 16, 0, 1)
    body = superellipse(x + 0.3 * (part.u - part.x), y + dent, (22.0, 16.8), 2.3) + waist
    part.paint(body - 2.2, FAT + 45)
    part.paint(body, DISC + 4 * part.medium)
    part.paint(body + 6.0, DISC + 12)
    bone = np.maximum(body, height - 12.4 - 0.5 * part.septa)
    trabecular = TRABECULAR + 20 * part.fine + 12 * part.medium - 30 * np.exp(-(body**2) / 200)
    part.paint(bone, np.where(body + 3 < height - 12.4, 430, CORTICAL - 150))
    part.paint(bone + 1.5, trabecular)
    # Basivertebral vein: the dark cleft at mid-height towards the canal.
    vein = np.maximum(np.abs(x) - 2.5 - 0.12 * np.clip(12 - y, 0, None), np.abs(y - 8) - 7)
    part.paint(np.maximum(vein, height - 3), 95)

    def arch(points, radii, shell, low, high):
        """Paint a plate with one outline from ``low`` to ``high`` above each vertebra's centre."""
        for level in VERTEBRAE_MM:
            ends = max(level + low - part.z, part.z - level - high)
            if ends < 2:
                chain = [(*point, part.z) for point in points]
                bone = np.maximum(polyline(part, chain, radii), ends)
                part.paint(bone, CORTICAL - 60)
                part.paint(bone + shell, TRABECULAR + 40 + 30 * part.fine)

    for s in (-1, 1):
        arch([(s * 14, 41), (s * 14, 51)], (4.6, 4.4), 1.6, -2, 10)
        arch([(s * 14, 51), (s * 24, 54), (s * 37, 60)], (4.6, 3.2, 4.2), 1.4, -1, 9)
        arch([(s * 14, 51), (s * 9, 58), (0, 63.5)], (4.6, 3.0, 3.2), 1.5, -15, 3)
        arch([(s * 12, 54), (s * 17, 57)], (3.6, 3.4), 1.4, -22, -9)
        arch([(s * 17, 51.5), (s * 15.5, 49)], (3.0, 2.4), 1.2, -23, -13)
    for drop in (0, 5, 10):
        arch([(0, 65 + 0.3 * drop), (0, 76 + 0.6 * drop)], (2.4, 3.2), 1.3, -14 - drop, -4 - drop)

    canal = ellipsoid(part, (0, 52.5, part.z), (9.6, 8.2, 1e4), warp=False)
    part.paint(canal - 0.8, FAT + 60)
    part.paint(canal + 0.6, 14)
    part.paint(ellipsoid(part, (0, 52.0, part.z), (5.2, 4.0, 1e4), warp=False), 40)


@lru_cache(maxsize=1)
def lung_tree() -> Tree:
    """Return arteries and veins of both lungs, from the hila (above the volume) to the pleura."""
    trees = []
    rng = np.random.default_rng(_TREE_SEED)
    for s, kind in ((-1, 0), (-1, 1), (1, 0), (1, 1)):
        points = rng.uniform((20, -112, -40), (130, 80, 80), (9000, 3)) * (s, 1, 1)
        x, y, z = points.T
        inside = ((x / 122) ** 2 + ((y - CAGE_CENTRE_Y) / 84) ** 2) < 0.97
        points = points[inside & (z > diaphragm(x, y) + 2)][:1300]
        hilum = np.array(
            [(36, 4 - 22 * kind, 100), (44, 6 - 20 * kind, 84), (50, 10 - 18 * kind, 66)]
        )
        tree = grow_tree(
            _TREE_SEED + 7 * s + kind, hilum * (s, 1, 1), points, 8.5, 0.5, keep_clear, step_mm=8
        )
        trees.append(tree)
    return join_trees(trees)


def paint_lungs(plane: Plane, trunk: Trunk) -> None:
    """Paint the lungs above the diaphragm, the mediastinum and the lung vessels."""
    z = plane.z
    pleura = trunk.cavity + 1.2
    lung = np.maximum(pleura, -trunk.below_diaphragm)
    # Mediastinum: spine, aorta and oesophagus behind, heart and its fat in front.
    spine = ellipsoid(plane, (0, 31, z), (27, 22, 1e4))
    vessels = ellipsoid(plane, (9, 2, z), (27, 18, 1e4), 12)
    heart = ellipsoid(plane, (22, -52, 64), (68, 46, 46), -8)
    front = ellipsoid(plane, (6, -86, z + 10), (30, 26, 80))
    middle = blend_union(blend_union(spine, vessels, 6), blend_union(heart - 4, front, 8), 8)
    lung = np.maximum(lung, -middle)
    if lung.min() > 4:
        return
    dependent = 0.22 * (plane.y + 20)
    plane.paint(lung - 1.6, MUSCLE - 15)
    air = LUNG + dependent + plane.coarse + 1.2 * plane.medium
    plane.paint(lung, air)
    paint_tree(plane, lung_tree(), VESSEL - 130, lung + 0.6)

    if z > 20:
        part = plane.window(-70, 105, -110, 10)
        sac = ellipsoid(part, (22, -52, 64), (66, 44, 44), -8)
        part.paint(sac, 60)
        part.paint(sac + 1.2, FAT + 10)
        muscle = ellipsoid(part, (28, -46, 66), (53, 33, 41), -14)
        part.paint(muscle, 116 + 3 * part.medium)
        part.paint(ellipsoid(part, (46, -38, 68), (27, 19, 37), -20), VESSEL + 8)
        part.paint(ellipsoid(part, (8, -58, 66), (35, 15, 38), -10), VESSEL - 4)
        part.paint(ellipsoid(part, (-14, -36, 68), (19, 20, 36)), VESSEL - 6)


def paint_trunk(plane: Plane) -> Trunk:
    """Paint everything except the abdominal organs; the cavity is filled with fat."""
    paint_table(plane)
    cage = paint_wall(plane)
    spine = ellipsoid(plane, (0, 73, plane.z), (50, 27, 1e4))
    cavity = blend_intersection(cage + 5.5, -spine, 6)
    fat = FAT + 2 + 1.5 * plane.coarse + 3 * plane.medium
    plane.paint(cavity, fat + 20 * np.exp(-((plane.septa / 0.05) ** 2)))
    height = diaphragm(plane.u, plane.v)
    slope = np.hypot(*np.gradient(height, plane.y[:, 0], plane.x[0]))
    below = (plane.z - height) / np.sqrt(1 + slope**2)
    return Trunk(cage, cavity, below.astype(np.float32))
