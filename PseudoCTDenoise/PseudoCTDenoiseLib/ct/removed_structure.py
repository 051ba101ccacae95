"""Structure in the removed noise of a slice: correlation with edges, and coherent spots.

Noise is independent of the anatomy. If the removed part X − Y of a scan X correlates with the edges
of the result Y, edges were blurred or shifted. A structure that is missing in Y has no edges there;
in X − Y it is a spot that is too coherent for noise.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from typing import NamedTuple

import numpy as np

from .hounsfield import MIN_CT_HU

MIN_SIZE = 64
"""Minimum number of rows and columns of a slice that is judged."""
MIN_PIXELS = 1000
"""Minimum number of judged pairs of rows and columns of a slice, about 32×32 of them."""
MIN_EDGE_PIXELS = 200
"""Minimum number of these at edges for a correlation."""
SCALES = ((1, 5), (3, 9), (5, 17))
"""Sides of the boxes, in pairs of pixels, whose means are spots and their surroundings."""
_NOISE_BOX = 15
"""Side in pairs of pixels of the surroundings in which the noise level is measured."""
_MIN_SHARE = 0.5
"""Minimum fraction of the surroundings that is judged."""
_AIR_HU = -950.0
"""Level below which a pixel is air outside the body or in the bowel. The lung is above."""
_MAXIMUM_CLIPPED = 0.005
"""Local fraction of clipped pixels above which none is judged: clipped noise has a mean."""
_EDGE = 1.0
"""Gradient of the result per pair of pixels from which it is an edge, in units of the noise."""
_NEGLIGIBLE_HU = 0.05
"""Level of the removed noise below which nothing was removed; rounding to whole HU exceeds it."""
_MEDIAN_OF_NORMAL = 0.6745
"""Median of the absolute value of a standard normal variable."""


class RemovedStructure(NamedTuple):
    """Structure in the removed noise of a slice.

    Attributes
    ----------
    edge_correlation : multiple correlation, 0 to 1, of the removed noise with the edges of the
        result, or None if the slice has too few edges.
    strongest_spot : largest absolute mean of the removed noise in a spot of 2 to 10 pixels, above
        that of its surroundings, in standard deviations of such means. Noise alone reaches 4 to 6.
    """

    edge_correlation: float | None
    strongest_spot: float


def removed_structure(
    scan: np.ndarray, denoised: np.ndarray, unchanged: np.ndarray
) -> RemovedStructure | None:
    """Measure the structure in the removed noise of a slice.

    Means of 2×2 pixels are measured, which is fast and leaves structures larger than the noise.

    Parameters
    ----------
    scan, denoised : HU, (rows, columns).
    unchanged : True where the result is the scan by design, such as padding; not judged.

    Returns
    -------
    None if too little of the body can be judged or nothing was removed.
    """
    if min(scan.shape) < MIN_SIZE:
        return None
    x, y = (_pairs(np.maximum(image, MIN_CT_HU)) for image in (scan, denoised))
    clipped = _pairs(scan <= MIN_CT_HU)
    inside = (y > _AIR_HU) & (_pairs(unchanged) == 0)
    judged = (_box(inside, 5) > 0.99) & (_box(clipped, 7) < _MAXIMUM_CLIPPED)
    removed = x - y
    means = _boxes(removed, sorted({3, *chain(*SCALES)}))
    fine = (removed - means[3]) ** 2
    share = _box(judged, _NOISE_BOX)
    energy = _box(fine * judged, _NOISE_BOX)
    judged &= share >= _MIN_SHARE
    if np.count_nonzero(judged) < MIN_PIXELS:
        return None
    noise = np.sqrt(np.maximum(energy, 0) / np.maximum(share, _MIN_SHARE))
    if np.median(noise[judged]) < _NEGLIGIBLE_HU:
        return None
    noise = np.maximum(noise, _NEGLIGIBLE_HU)
    spots = [(means[small] - means[large]) / noise for small, large in SCALES]
    return RemovedStructure(
        _edge_correlation(spots[0], y, noise, judged),
        max(_strongest(spot[judged]) for spot in spots),
    )


def _strongest(values: np.ndarray) -> float:
    values = np.abs(values)
    spread = np.median(values) / _MEDIAN_OF_NORMAL
    return float(values.max() / spread) if spread > 0 else 0.0


def _edge_correlation(
    removed: np.ndarray, clean: np.ndarray, noise: np.ndarray, judged: np.ndarray
) -> float | None:
    """Return the multiple correlation with the gradient, as of shifts, and contrast, as of blurs.

    ``removed`` is in units of the noise.
    """
    down, right = np.gradient(clean)
    edges = judged & (np.hypot(down, right) >= _EDGE * noise)
    if np.count_nonzero(edges) < MIN_EDGE_PIXELS:
        return None
    contrast = clean - _box(clean, SCALES[0][1])
    shapes = np.stack([shape[edges] for shape in (contrast, down, right)]) / noise[edges]
    values = removed[edges]
    products = shapes @ values
    explained = products @ np.linalg.lstsq(shapes @ shapes.T, products, rcond=None)[0]
    return float(np.sqrt(np.clip(explained / (values @ values), 0, 1)))


def _pairs(image: np.ndarray) -> np.ndarray:
    """Return the means of 2×2 pixels; an odd last row or column is left out."""
    rows, columns = (size - size % 2 for size in image.shape)
    image = image[:rows, :columns].astype(np.float32)
    rows = image[::2] + image[1::2]
    return (rows[:, ::2] + rows[:, 1::2]) / 4


def _box(image: np.ndarray, side: int) -> np.ndarray:
    """Return the mean around each pixel; the image continues with its border."""
    return _boxes(image, [side])[side]


def _boxes(image: np.ndarray, sides: Sequence[int]) -> dict[int, np.ndarray]:
    """Return :func:`_box` of several odd sides from one table of sums, which takes the time."""
    reach = max(sides) // 2
    sums = np.pad(image, reach, mode="edge").astype(np.float64).cumsum(0).cumsum(1)
    sums = np.pad(sums, ((1, 0), (1, 0)))
    means = {}
    for side in sides:
        first = reach - side // 2
        rows, columns = (slice(first, first + size) for size in image.shape)
        below, right = (slice(s.start + side, s.stop + side) for s in (rows, columns))
        total = sums[below, right] - sums[rows, right] - sums[below, columns] + sums[rows, columns]
        means[side] = total / side**2
    return means
