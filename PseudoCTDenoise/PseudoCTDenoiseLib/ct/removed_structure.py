"""Structure in the removed noise of a slice: correlation with edges, and coherent spots.

Noise is independent of the anatomy. If the removed part X − Y of a scan X correlates with the edges
of the result Y, edges were blurred or shifted. A structure that is missing in Y has no edges there;
in X − Y it is a spot that is too coherent for noise.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from .box_mean import box_mean
from .hounsfield import MIN_CT_HU

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
_CLIPPED_BOX = 7
"""Side in pairs of pixels of the surroundings without clipped pixels, whose noise has a mean."""
_AIR_MARGIN = 2
"""Distance in pairs of pixels from air and padding within which nothing is judged."""
_BORDER_MARGIN = 4
"""The same from the border of the image, where boxes are incomplete and the body may be cut."""
_EDGE = 1.0
"""Gradient of the result per pair of pixels from which it is an edge, in units of the noise."""
_NEGLIGIBLE_HU = 0.05
"""Level of the removed noise below which nothing was removed; rounding to whole HU exceeds it."""
_ROUNDING_HU = 0.3
"""Least local noise level. Below it, rounding to whole HU makes single large steps."""
_EDGE_ERROR = 0.01
"""Fraction of the gradient per pair of pixels that counts as noise, for teeth, bone and metal."""
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
    x, y = (_pairs(np.maximum(image, MIN_CT_HU)) for image in (scan, denoised))
    judged = _judged(y, scan <= MIN_CT_HU, unchanged)
    removed = x - y
    share = box_mean(judged, _NOISE_BOX)
    energy = box_mean(np.where(judged, (removed - box_mean(removed, 3)) ** 2, 0), _NOISE_BOX)
    judged &= share >= _MIN_SHARE
    places = np.flatnonzero(judged)
    if len(places) < MIN_PIXELS:
        return None
    noise = np.sqrt(energy / np.maximum(share, _MIN_SHARE))
    if _median(noise.take(places)) < _NEGLIGIBLE_HU:
        return None
    down, right = np.gradient(y)
    slope = np.sqrt(down**2 + right**2)
    noise = np.maximum(noise, _NEGLIGIBLE_HU)
    weight = np.minimum(1, noise / np.maximum(_ROUNDING_HU, _EDGE_ERROR * slope)).take(places)
    spots = [
        (box_mean(removed, small) - box_mean(removed, large)) / noise for small, large in SCALES
    ]
    edges = np.flatnonzero(judged & (slope >= _EDGE * noise))
    contrast = y - box_mean(y, SCALES[0][1])
    shapes = [(shape / noise).take(edges) for shape in (contrast, down, right)]
    return RemovedStructure(
        _edge_correlation(spots[0].take(edges), np.stack(shapes)),
        max(_strongest(spot.take(places), weight) for spot in spots),
    )


def _judged(denoised: np.ndarray, clipped: np.ndarray, unchanged: np.ndarray) -> np.ndarray:
    """Return True where pairs of rows and columns of ``denoised`` lie well inside the body.

    The border of the image is left out: means over a part of a box vary more than over the whole.
    """
    outside = (denoised <= _AIR_HU) | _any_of_pairs(unchanged)
    judged = np.zeros(denoised.shape, bool)
    judged[_BORDER_MARGIN:-_BORDER_MARGIN, _BORDER_MARGIN:-_BORDER_MARGIN] = True
    judged &= box_mean(outside, 2 * _AIR_MARGIN + 1) == 0
    return judged & (box_mean(_any_of_pairs(clipped), _CLIPPED_BOX) == 0)


def _strongest(values: np.ndarray, weight: np.ndarray) -> float:
    """Return the largest weighted value, in standard deviations of all values."""
    values = np.abs(values)
    spread = _median(values) / _MEDIAN_OF_NORMAL
    return float((values * weight).max() / spread) if spread > 0 else 0.0


def _median(values: np.ndarray) -> np.floating:
    """Return the upper median, for which one partition is enough."""
    middle = len(values) // 2
    return np.partition(values, middle)[middle]


def _edge_correlation(removed: np.ndarray, shapes: np.ndarray) -> float | None:
    """Return the multiple correlation of the removed noise at edges with shapes there.

    Parameters
    ----------
    removed : (edges,), in units of the noise.
    shapes : contrast, as of blurs, and gradient, as of shifts: (3, edges), in the same units.
    """
    if len(removed) < MIN_EDGE_PIXELS:
        return None
    products = shapes @ removed
    explained = products @ np.linalg.lstsq(shapes @ shapes.T, products, rcond=None)[0]
    return float(np.sqrt(np.clip(explained / (removed @ removed), 0, 1)))


def _pairs(image: np.ndarray) -> np.ndarray:
    """Return the means of 2×2 pixels; an odd last row or column is left out."""
    rows, columns = (size - size % 2 for size in image.shape)
    image = image[:rows, :columns].astype(np.float32)
    rows = image[::2] + image[1::2]
    return (rows[:, ::2] + rows[:, 1::2]) / 4


def _any_of_pairs(mask: np.ndarray) -> np.ndarray:
    """Return True where any of 2×2 pixels is True; an odd last row or column is left out."""
    rows, columns = (size - size % 2 for size in mask.shape)
    mask = mask[:rows, :columns]
    rows = mask[::2] | mask[1::2]
    return rows[:, ::2] | rows[:, 1::2]
