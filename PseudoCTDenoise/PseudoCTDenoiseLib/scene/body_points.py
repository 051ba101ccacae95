"""Position of the patient's body in the world, to which views are fitted."""

from __future__ import annotations

import itertools

import numpy as np
import slicer

from ..ct.body_bounds import body_bounds
from .geometry import indexToWorld


def bodyPoints(volume) -> np.ndarray:
    """Return points on and in the box around the body in a CT, (27, 3), world RAS in mm.

    The box lies along the volume's own axes. A parent transform may bend it, so the points include
    the middles of its edges and faces.
    """
    bounds = body_bounds(slicer.util.arrayFromVolume(volume))[::-1]  # (k, j, i) to (i, j, k)
    transform = indexToWorld(volume)
    sides = [(low - 0.5, (low + high) / 2, high + 0.5) for low, high in bounds]
    return np.array([transform.TransformPoint(point) for point in itertools.product(*sides)])
