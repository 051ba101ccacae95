"""The quality phantom has the properties that its measurements assume."""

import itertools
import math

import numpy as np
import pytest
import torch
from pseudoct_research.phantom.quality_phantom import (
    AIR_HU,
    BODY_MM,
    DISC_KINDS,
    PIXEL_MM,
    PIXELS,
    ROD_MM,
    TISSUES_HU,
    Circle,
    discs,
    rods,
    section,
)

SIGMA_MM = 0.7
MIDDLE = PIXELS // 2


def gaussian(frequency_per_cm):
    return torch.exp(-2 * (math.pi * SIGMA_MM / 10 * frequency_per_cm) ** 2)


def radius_mm(circle):
    return PIXEL_MM * math.hypot(circle.row - MIDDLE, circle.column - MIDDLE)


def distance_mm(one, other):
    return PIXEL_MM * math.hypot(one.row - other.row, one.column - other.column)


def test_a_rod_is_a_circle_with_the_given_blur():
    rod = Circle(MIDDLE + 40, MIDDLE - 30, 12.0, 100.0)
    image = section([rod], gaussian)
    # The same numerically: a circle on a fine grid, convolved with the Gaussian.
    fine, margin = 15, 14
    across = (np.arange(-margin * fine, margin * fine + 1)) * PIXEL_MM / fine
    circle = 100.0 * (np.hypot(across[:, None], across) <= 6.0)
    weights = np.exp(-((across / SIGMA_MM) ** 2) / 2)
    weights /= weights.sum()
    smear = np.array([np.interp(across - shift, across, weights) for shift in across])
    expected = (smear @ circle @ smear.T)[::fine, ::fine]
    around = slice(rod.row - margin, rod.row + margin + 1)
    seen = image[around, rod.column - margin : rod.column + margin + 1]
    assert np.abs(seen - expected).max() < 0.6


def test_every_rod_has_the_hu_of_its_tissue():
    every = {rod for group in rods().values() for rod in group}
    image = section(every, gaussian)
    for tissue, hu in TISSUES_HU.items():
        for rod in rods()[tissue]:
            assert image[rod.row, rod.column] == pytest.approx(hu, abs=0.1)
    assert image[5, 5] == pytest.approx(AIR_HU, abs=0.1)
    for one, other in itertools.combinations(every, 2):
        assert distance_mm(one, other) > 2 * ROD_MM
    assert max(map(radius_mm, every)) < BODY_MM / 2 - 1.5 * ROD_MM


def test_all_kinds_of_discs_have_the_same_radii():
    rings = {tuple(np.round(sorted(map(radius_mm, group)))) for group in discs().values()}
    assert set(discs()) == set(DISC_KINDS)
    assert len(rings) == 1


def test_discs_are_apart_from_each_other_and_from_the_edge():
    every = [disc for group in discs().values() for disc in group]
    nearest = min(distance_mm(*pair) for pair in itertools.combinations(every, 2))
    assert nearest > 24
    assert max(map(radius_mm, every)) < BODY_MM / 2 - 24
