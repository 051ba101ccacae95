"""Hounsfield units (HU): limits, conversion to int16 and normalisation for the networks."""

import numpy as np

OFFSET_HU = 1024.0
RANGE_HU = 4096.0
MIN_CT_HU = -OFFSET_HU
"""Lower HU limit of a CT. Areas below it are padding, single voxels noise of scanners that do not
clip it."""
MAX_CT_HU = RANGE_HU - OFFSET_HU - 1
"""Upper HU limit of the networks' training data. Metal may exceed it."""
TISSUE_HU = -500.0
"""Threshold between lung and fat. Voxels above it belong to the body or the table."""


def normalise(hu):
    """Return (HU + 1024) / 4096 of an array or tensor, without clipping."""
    return (hu + OFFSET_HU) / RANGE_HU


def to_hu(x):
    """Return HU from normalised values; the inverse of :func:`normalise`."""
    return x * RANGE_HU - OFFSET_HU


def to_int16(hu: np.ndarray) -> np.ndarray:
    """Return HU rounded to integers and clipped to the range of int16."""
    limits = np.iinfo(np.int16)
    return np.clip(np.rint(hu), limits.min, limits.max).astype(np.int16)
