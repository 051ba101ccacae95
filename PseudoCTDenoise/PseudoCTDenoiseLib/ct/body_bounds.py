"""Bounds of the patient's body in a scan, found fast enough for a display."""

from __future__ import annotations

import numpy as np

from .body_mask import body_mask

SAMPLES = 12
"""Number of slices that are examined."""
WIDTH = 128
"""Approximate number of rows and columns of an examined slice."""


def body_bounds(hu: np.ndarray) -> np.ndarray:
    """Return the first and last index of the body along each axis, an int array (3, 2).

    The bounds are exact to a few pixels, since only a few slices are examined, at low resolution.
    Without a body they are those of the scan.

    Parameters
    ----------
    hu : the scan in HU, (slices, rows, columns).
    """
    steps = [max(1, size // WIDTH) for size in hu.shape[1:]]
    slices = np.unique(np.linspace(0, len(hu) - 1, SAMPLES).astype(int))
    part = hu[slices, :: steps[0], :: steps[1]]
    mask = body_mask(part)
    if not mask.any():
        return np.array([(0, size - 1) for size in hu.shape])
    samples = (
        slices,
        *(np.arange(0, n, step) for n, step in zip(hu.shape[1:], steps, strict=True)),
    )
    bounds = []
    for axis, indices in enumerate(samples):
        found = np.flatnonzero(mask.any(tuple({0, 1, 2} - {axis})))
        # The border lies between two samples.
        first, last = max(found[0] - 1, 0), min(found[-1] + 1, len(indices) - 1)
        bounds.append((indices[first], indices[last]))
    return np.array(bounds)
