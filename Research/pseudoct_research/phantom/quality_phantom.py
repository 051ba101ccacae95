"""Water cylinder of 30 cm with rods for HU and resolution and with low-contrast discs.

Every section is a sum of circles with known Fourier transforms. The sum is multiplied by the
scanner's modulation transfer function and sampled, so blur and aliasing of every edge are exact.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
import torch

PIXELS = 512
PIXEL_MM = 0.75
BODY_MM = 300.0
AIR_HU = -1000.0

ROD_MM = 20.0
TISSUES_HU = {
    "air": AIR_HU,
    "lung": -850.0,
    "fat": -100.0,
    "water": 0.0,
    "soft tissue": 60.0,
    "bone": 900.0,
}
CONTRASTS_HU = {"high": 900.0, "middle": 120.0, "low": 40.0}
"""Contrasts of the rods for the resolution; the high-contrast rod is bone."""

DISCS_MM = (3.0, 5.0, 7.0, 10.0)
DISC_CONTRASTS_HU = (5.0, 10.0, 15.0)
DISC_KINDS = tuple((mm, hu) for mm in DISCS_MM for hu in DISC_CONTRASTS_HU)
"""Diameter and contrast of the discs to detect."""

_OVERSAMPLING = 2
"""Oversampling factor of a section; no kernel transmits frequencies beyond its limit."""
_INNER_RODS_MM, _OUTER_RODS_MM = 58.0, 110.0
_INNER_RODS = ("high", "low", "middle", "low", "middle", "low")
_OUTER_RODS = (
    *("high", "low", "air", "middle", "low", "fat"),
    *("soft tissue", "low", "middle", "lung", "low", "middle"),
)
_DISC_RINGS = ((48.0, 1), (74.0, 1), (100.0, 2), (124.0, 2))
"""Radius in mm and number of discs of each kind on it: noise depends on the radius only."""
_RING_TURN = 5
"""Shift of the order of kinds from ring to ring, which varies the neighbours of a disc."""


@dataclass(frozen=True)
class Circle:
    """Upright cylinder: row and column of its centre, diameter, contrast to its surroundings."""

    row: int
    column: int
    diameter_mm: float
    contrast_hu: float


def rods() -> dict[str, list[Circle]]:
    """Return the circles of the section with rods, by tissue and contrast; "water" is the body."""
    found = defaultdict(list)
    rings = ((_INNER_RODS_MM, _INNER_RODS), (_OUTER_RODS_MM, _OUTER_RODS))
    values = TISSUES_HU | CONTRASTS_HU
    for radius, names in rings:
        for place, name in enumerate(names):
            centre = _on_ring(radius, place / len(names))
            found[name].append(Circle(*centre, ROD_MM, values[name]))
    found["bone"] = found["high"]
    found["water"] = [Circle(PIXELS // 2, PIXELS // 2, ROD_MM, TISSUES_HU["water"])]
    return dict(found)


def discs() -> dict[tuple[float, float], list[Circle]]:
    """Return the low-contrast circles by diameter in mm and contrast in HU, all on the same radii.

    The centres of neighbours are at least 24 mm apart.
    """
    found = defaultdict(list)
    for ring, (radius, repeats) in enumerate(_DISC_RINGS):
        places = repeats * len(DISC_KINDS)
        for place in range(places):
            kind = DISC_KINDS[(5 * place + _RING_TURN * ring) % len(DISC_KINDS)]
            centre = _on_ring(radius, (place + 0.5 * (ring % 2)) / places)
            found[kind].append(Circle(*centre, *kind))
    return dict(found)


def flat_window(side: int) -> tuple[slice, slice]:
    """Return a central square of ``side`` pixels, uniform in a section without circles."""
    start = (PIXELS - side) // 2
    return slice(start, start + side), slice(start, start + side)


def section(circles: Iterable[Circle], mtf: Callable[[torch.Tensor], torch.Tensor]) -> np.ndarray:
    """Return a noise-free section of the body with these circles, float32 HU, (512, 512).

    Parameters
    ----------
    mtf : isotropic modulation transfer function of the frequency in 1/cm, 1 at zero.
    """
    pixel_mm = PIXEL_MM / _OVERSAMPLING
    count = PIXELS * _OVERSAMPLING
    down = torch.fft.fftfreq(count, pixel_mm, dtype=torch.float64)[:, None]
    across = torch.fft.rfftfreq(count, pixel_mm, dtype=torch.float64)[None]
    frequency = torch.hypot(down, across)
    middle = PIXELS // 2
    body = Circle(middle, middle, BODY_MM, -AIR_HU)
    by_diameter = defaultdict(list)
    for circle in (body, *circles):
        by_diameter[circle.diameter_mm].append(circle)
    spectrum = torch.zeros(frequency.shape, dtype=torch.complex128)
    for diameter, group in by_diameter.items():
        rows = torch.tensor([[circle.row * PIXEL_MM for circle in group]], dtype=torch.float64)
        columns = torch.tensor([[c.column * PIXEL_MM] for c in group], dtype=torch.float64)
        hu = torch.tensor([circle.contrast_hu for circle in group], dtype=torch.float64)
        # The phase separates into rows and columns, so the sum over circles is a matrix product.
        left = torch.exp(-2j * math.pi * down * rows) * hu
        spectrum += (left @ torch.exp(-2j * math.pi * columns * across)) * _disc(
            frequency, diameter
        )
    spectrum *= mtf(10 * frequency) / pixel_mm**2
    image = AIR_HU + torch.fft.irfft2(spectrum, (count, count))
    return image[::_OVERSAMPLING, ::_OVERSAMPLING].float().numpy()


def _disc(frequency: torch.Tensor, diameter_mm: float) -> torch.Tensor:
    """Return the Fourier transform in mm² of a disc of height 1: 2 J1(x)/x times its area."""
    x = math.pi * diameter_mm * frequency
    jinc = 2 * torch.special.bessel_j1(x) / x.clamp(min=1e-12)
    return torch.where(x > 0, jinc, 1.0) * (math.pi * diameter_mm**2 / 4)


def _on_ring(radius_mm: float, turn: float) -> tuple[int, int]:
    """Return row and column of the pixel nearest to a point on a ring around the centre."""
    angle = 2 * math.pi * turn
    row = PIXELS // 2 + radius_mm * math.sin(angle) / PIXEL_MM
    column = PIXELS // 2 + radius_mm * math.cos(angle) / PIXEL_MM
    return round(row), round(column)
