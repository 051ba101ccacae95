"""Abdominal organs of the torso phantom, with contrast medium in the portal-venous phase."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from .shapes import (
    Plane,
    Tree,
    blend_intersection,
    blend_union,
    curve,
    ellipsoid,
    grow_tree,
    near,
    paint_tree,
    polyline,
)
from .targets import LESIONS, keep_clear
from .trunk import AIR, FAT, MUSCLE, Trunk

LIVER, SPLEEN, CORTEX, MEDULLA, PANCREAS, ADRENAL = 105, 118, 172, 142, 92, 75
AORTA, CAVA, PORTAL, HEPATIC_VEIN = 160, 138, 158, 148
WALL, FLUID, BILE = 78, 15, 8
STOMACH_LEVEL_Y = -50.0
"""Position y (mm) of the stomach's fluid level; gas is in front of it."""


def paint_liver(plane: Plane, trunk: Trunk) -> None:
    """Paint two lobes under the diaphragm, with fissure, porta, veins and lesions."""
    z = plane.z
    right = ellipsoid(plane, (-64, -12, -8), (78, 94, 88), -8)
    left = ellipsoid(plane, (0, -66, 6), (72, 30, 44), -14)
    liver = blend_union(right, left, 16)
    # Stomach, lesser sac and duodenum indent the lower surface, increasingly towards the feet.
    hollow = ellipsoid(plane, (34, 8, -34), (62, 60, 84), 20)
    bed = ellipsoid(plane, (-30, 44, -58), (36, 38, 54), 10)
    liver = blend_intersection(liver, -blend_union(hollow, bed, 10), 9)
    caudate = ellipsoid(plane, (-14, -14, 6), (13, 17, 24), 15)
    liver = blend_union(liver, caudate, 3)
    wall = np.maximum(trunk.cavity + 0.7, trunk.below_diaphragm + 2.4)
    liver = blend_intersection(liver, wall, 3)
    if z < 12:
        depth = 0.4 + 0.06 * (12 - z)
        cleft = plane.u - 4 + 0.25 * (plane.v + 66) + 2.0 * plane.coarse
        fissure = np.maximum(np.abs(cleft) - depth, plane.v + 60)
        liver = np.maximum(liver, -fissure)
    tissue = LIVER + 0.9 * plane.coarse + 0.5 * plane.medium
    plane.paint(liver, tissue)
    portal, hepatic = liver_trees()
    paint_tree(plane, hepatic, HEPATIC_VEIN, liver + 3.5)
    paint_tree(plane, portal, PORTAL, liver + 3.5)
    for lesion in LESIONS:
        x, y, height = lesion.centre_mm
        ends = abs(z - height) - lesion.height_mm / 2
        if ends < 2:
            disc = np.hypot(plane.x - x, plane.y - y) - lesion.diameter_mm / 2
            plane.paint(np.maximum(disc, ends), tissue + lesion.contrast_hu)


@lru_cache(maxsize=1)
def liver_trees() -> tuple[Tree, Tree]:
    """Return the portal tree from the porta and the hepatic tree from the cava, interleaved."""
    rng = np.random.default_rng(21)
    points = rng.uniform((-124, -95, -80), (60, 66, 45), (4000, 3))
    x, y, z = points.T
    right = ((x + 64) / 70) ** 2 + ((y + 4) / 76) ** 2 + ((z + 8) / 80) ** 2 < 0.9
    left = ((x - 0) / 66) ** 2 + ((y + 66) / 24) ** 2 + ((z - 6) / 36) ** 2 < 0.9
    points = points[(right | left) & ~keep_clear(points)]
    gate = curve([(-12, -22, -30), (-26, -27, -16), (-42, -29, -8), (-54, -33, -6)], 8)
    fork = curve([(-26, -27, -16), (-14, -44, -6), (4, -58, 2), (22, -66, 6)], 7)[1:]
    portal = grow_tree(22, gate, np.concatenate([fork, points[:210]]), 7.0, 0.4, keep_clear)
    cava = np.array([(-21, -8, 44), (-22, -8, 34), (-23, -9, 28)])
    main = [
        curve([(-23, -9, 30), (-46, 14, 24), (-62, 40, 8), (-76, 46, -14)], 11)[1:],
        curve([(-23, -12, 30), (-34, -32, 22), (-33, -50, 8), (-34, -64, -12)], 10)[1:],
        curve([(-22, -14, 31), (-10, -36, 24), (6, -58, 16), (20, -66, 8)], 9)[1:],
    ]
    hepatic = grow_tree(23, cava, np.concatenate([*main, points[210:400]]), 6.6, 0.4, keep_clear)
    return portal, hepatic


def paint_spleen(plane: Plane, trunk: Trunk) -> None:
    body = ellipsoid(plane, (94, 32, 0), (36, 52, 58), 16)
    hilum = ellipsoid(plane, (66, 8, -4), (26, 40, 70), 12)
    spleen = blend_intersection(body, -hilum, 6)
    wall = np.maximum(trunk.cavity + 1.0, trunk.below_diaphragm + 2.6)
    spleen = blend_intersection(spleen, wall, 4)
    plane.paint(spleen, SPLEEN + 1.2 * plane.coarse + 1.5 * plane.medium)


def paint_kidney(plane: Plane, side: int, top_mm: float) -> None:
    """Paint a kidney in its fat, with cortex, pyramids and a sinus that opens medially."""
    z0 = top_mm - 54
    lean = 0.16 * side * (z0 - plane.z)
    centre = (side * 60 + lean, 33 - 0.1 * (plane.z - z0), z0)
    part = plane.window(centre[0] - 50, centre[0] + 50, centre[1] - 50, centre[1] + 50)
    turn = side * 32
    kidney = ellipsoid(part, centre, (25.5, 30, 54), turn)
    bed = ellipsoid(part, centre, (35, 38, 58), turn)
    inner = part.coverage(bed)
    part.paint(bed, FAT + 2 + 3 * part.medium + 25 * np.exp(-((part.septa / 0.04) ** 2)))
    sinus = ellipsoid(part, (centre[0] - side * 13, centre[1] - 10, z0), (17, 9.5, 27), -side * 55)
    around = np.arctan2(part.v - centre[1], part.u - centre[0])
    lobes = 3.2 * np.cos(5 * around + 0.7 * part.septa + part.z / 5) - 0.12 * (kidney + 12)
    pyramids = blend_intersection(kidney + 6.0, np.maximum(-sinus + 2.0, lobes), 2)
    middle = 7 - np.hypot(part.u - centre[0], part.v - centre[1])
    pyramids = np.maximum(pyramids, np.maximum(-(kidney + 17 + part.medium), middle))
    part.paint(kidney, CORTEX + 3 * part.medium)
    part.paint(pyramids, MEDULLA + 3 * part.medium, inner)
    part.paint(sinus, FAT + 30 + 8 * part.medium)
    hilum = curve(
        [
            (centre[0] - side * 6, 28, z0 + 4),
            (centre[0] - side * 24, 16, z0 + 8),
            (side * 16, 2, z0 + 14),
        ],
        9,
    )
    here = near(plane, hilum, 8)
    if here is not None:
        here.paint(polyline(here, hilum, np.linspace(2.0, 4.6, 9)), CAVA + 8)


def gut(plane: Plane, points, radius, contents: str, wall=2.4) -> None:
    """Paint a bowel loop along ``points``: wall, folds, and fluid, stool or gas above fluid."""
    part = near(plane, points, float(np.max(radius)) + 6)
    if part is None:
        return
    tube = blend_intersection(polyline(part, points, radius, warp=True), part.limit + 2.5, 3)
    part.paint(tube - 0.4, WALL + 8 + 5 * part.medium)
    inside = tube + wall + 0.5 * part.medium
    if contents == "stool":
        mottled = -20 + 70 * part.medium + 45 * part.fine
        part.paint(inside, np.clip(mottled, -160, 70))
    else:
        folds = np.abs(part.medium) - 0.25 if contents == "folds" else 50.0
        part.paint(inside, 24 + 4 * part.coarse)
        part.paint(np.maximum(inside + 0.2, folds), WALL - 10)
    if contents in ("gas", "stool"):
        level = float(np.mean(np.asarray(points)[:, 1])) - (0 if contents == "gas" else 36)
        part.paint(np.maximum(inside + 0.3, part.y - level), AIR + 40)


def paint_stomach(plane: Plane, trunk: Trunk) -> None:
    fundus = ellipsoid(plane, (63, -15, 10), (40, 38, 34), 10)
    body = ellipsoid(plane, (56, -48, -14), (34, 26, 34), -22)
    antrum = ellipsoid(plane, (20, -62, -36), (36, 17, 20), -14)
    stomach = blend_union(blend_union(fundus, body, 14), antrum, 10)
    limit = np.maximum(trunk.cavity + 7, trunk.below_diaphragm + 4.5)
    stomach = blend_intersection(stomach, limit, 4)
    plane.paint(stomach - 1.2, FAT + 12)
    plane.paint(stomach, WALL + 6 + 4 * plane.medium)
    folds = 1.6 * np.maximum(0, plane.medium) * np.clip((plane.y + 40) / 20, 0, 1)
    lumen = stomach + 3.2 + folds
    plane.paint(lumen, FLUID + 1.5 * plane.coarse + 2.5 * plane.medium)
    plane.paint(np.maximum(lumen, plane.y - STOMACH_LEVEL_Y), AIR + 15)


def paint_bowel(plane: Plane, trunk: Trunk) -> None:
    flexure = curve(
        [(112, 8, -60), (116, -6, -34), (108, -30, -14), (92, -58, -20), (72, -78, -40)], 14
    )
    gut(plane, flexure, 15, "stool", 2.0)
    transverse = curve(
        [(70, -82, -40), (34, -90, -42), (-10, -92, -40), (-48, -84, -50), (-84, -60, -54)], 14
    )
    gut(plane, transverse, 15, "gas", 2.0)
    for i, (x, y, z) in enumerate(
        (
            (66, -24, -40),
            (38, -42, -56),
            (84, -6, -44),
            (92, -36, -40),
            (58, -6, -38),
            (46, -70, -40),
            (24, -66, -60),
        )
    ):
        turn = 0.9 * i
        points = [
            (x + 15 * np.cos(turn + t), y + 12 * np.sin(turn + 1.4 * t), z + 5 * np.sin(2 * t))
            for t in np.linspace(0, 3.2, 6)
        ]
        gut(plane, curve(points, 12), 10.5, "gas" if i == 5 else "folds")
    duodenum = curve(
        [(-14, -50, -36), (-34, -36, -34), (-42, -18, -42), (-42, -8, -62), (-20, 0, -78)], 12
    )
    gut(plane, duodenum, 11, "fluid")


def paint_retroperitoneum(plane: Plane) -> None:
    """Paint crura, psoas, adrenals, pancreas and the great vessels with their branches."""
    z = plane.z
    part = plane.window(-75, 110, -80, 70)
    tissue = MUSCLE + 2 + 3 * part.medium
    for s in (-1, 1):
        crus = curve(
            [
                (s * 13 + 3, 22, -60),
                (s * 16 + 3, 8, -30),
                (s * 17 + 5, -6, 0),
                (s * 15 + 6, -18, 16),
            ],
            10,
        )
        if z < 22:
            part.paint(polyline(part, crus, np.linspace(5.5, 3.6, 10), warp=True), tissue)
        if z < -14:
            psoas = ellipsoid(part, (s * 29, 36, -80), (15, 17, 62), s * 20)
            part.paint(psoas, tissue)
            part.paint(ellipsoid(part, (s * 50, 56, -80), (22, 10, 62), s * -20), tissue)
    for s, x0, y0, z0 in ((1, 36, 8, 2), (-1, -34, 12, 4)):
        lean = 0.25 * s * (z0 - z)
        for dx, dy in ((10, 15), (2, 17)):
            limb = np.array(
                [
                    (x0 + lean, y0 - 6, z0),
                    (x0 + lean + s * dx * 0.5, y0 + dy * 0.4, z0 - 4),
                    (x0 + lean + s * dx, y0 + dy, z0 - 8),
                ]
            )
            if abs(z - z0 + 4) < 15:
                part.paint(
                    polyline(part, limb + (0, 0, z - z0 + 4), (2.2, 1.9, 1.3), warp=True), ADRENAL
                )

    pancreas = curve(
        [
            (-28, -20, -52),
            (-22, -30, -40),
            (2, -36, -30),
            (30, -22, -26),
            (58, -2, -20),
            (76, 8, -14),
        ],
        18,
    )
    lobulated = polyline(part, pancreas, np.linspace(12, 8, 18), warp=True) + 0.8 * part.medium
    part.paint(lobulated, PANCREAS + 6 * part.medium - 40 * np.exp(-((part.septa / 0.06) ** 2)))

    def vessel(points, radii, hu, count=12):
        points = curve(points, count)
        here = near(plane, points, float(np.max(radii)) + 3)
        if here is not None:
            radii = np.interp(np.linspace(0, 1, count), np.linspace(0, 1, np.size(radii)), radii)
            here.paint(polyline(here, points, radii), hu)

    aorta = ellipsoid(part, (9 - 0.02 * z, -1 + 0.06 * z, z), (11.2, 11.0, 1e4), warp=True)
    part.paint(aorta, 70)
    part.paint(aorta + 1.2, AORTA + 1.5 * part.coarse)
    plaque = np.maximum(np.abs(aorta + 0.9) - 0.9, np.abs(part.x - 15) + np.abs(z + 9) - 5)
    part.paint(np.maximum(plaque, 4 - part.y), 480)
    cava = ellipsoid(part, (-22, -8 + 0.02 * (z - 30), z), (13.5, 10, 1e4), -20)
    part.paint(cava, CAVA + 1.5 * part.coarse)
    part.paint(ellipsoid(part, (-7, 6, z), (2.6, 2.4, 1e4)), CAVA)
    if z > 8:
        gullet = ellipsoid(part, (14 + 0.5 * (22 - z), -19, z), (10, 7, 1e4), -15)
        part.paint(gullet - 1.0, FAT + 25)
        part.paint(gullet, 58)
        part.paint(ellipsoid(part, (13 + 0.5 * (22 - z), -20.5, z), (3.2, 1.3, 1e4)), -250)
    vessel([(9, -6, -4), (9, -22, -8), (-2, -28, -12)], (3.8, 3.4, 2.6), AORTA)
    vessel([(9, -22, -8), (26, -18, -10), (44, -8, -6), (60, 2, -10)], (3.0, 2.6, 2.2), AORTA)
    vessel([(9, -8, -18), (8, -20, -24), (6, -24, -44), (6, -26, -90)], (3.8, 3.6, 3.4), AORTA)
    vessel(
        [(-6, -26, -40), (24, -13, -30), (54, 3, -22), (76, 14, -12), (82, 22, -6)],
        (5.6, 4.6, 3.4),
        PORTAL,
    )
    vessel(
        [(-8, -28, -90), (-8, -26, -44), (-10, -24, -32), (-26, -27, -16)], (5.8, 6.6, 7), PORTAL
    )
    for dy, dz in ((-14, 8), (0, 14), (14, -8)):
        vessel(
            [(80, 20, -8), (86, 20 + dy * 0.6, dz * 0.5), (92, 20 + dy, dz)],
            (2.6, 2.2, 1.6),
            PORTAL,
        )


def paint_gallbladder(plane: Plane) -> None:
    part = plane.window(-75, -15, -100, -20)
    sac = ellipsoid(part, (-44, -60, -42), (14, 21, 27), -22)
    part.paint(sac - 0.6, FAT + 40)
    part.paint(sac, 62)
    part.paint(sac + 1.8, BILE + 1.0 * part.coarse)


@lru_cache(maxsize=1)
def mesentery_tree() -> Tree:
    rng = np.random.default_rng(41)
    points = rng.uniform((-60, -85, -110), (105, 5, -14), (160, 3))
    root = curve([(4, -26, -90), (6, -28, -60), (8, -30, -40)], 6)
    return grow_tree(42, root, points, 4.0, 0.6, lambda p: np.zeros(len(p), bool), 9)


def paint_organs(plane: Plane, trunk: Trunk) -> None:
    """Paint all organs below the diaphragm, from back to front."""
    abdomen = np.maximum(trunk.cavity + 3, trunk.below_diaphragm + 3)
    paint_tree(plane, mesentery_tree(), 110, abdomen)
    paint_bowel(plane, trunk)
    paint_liver(plane, trunk)
    paint_stomach(plane, trunk)
    paint_spleen(plane, trunk)
    paint_kidney(plane, 1, 2)
    paint_kidney(plane, -1, -10)
    paint_gallbladder(plane)
    paint_retroperitoneum(plane)
