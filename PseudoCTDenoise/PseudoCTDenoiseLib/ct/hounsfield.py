"""The one normalisation between Hounsfield units (HU) and what a network sees."""

import numpy as np

OFFSET_HU = 1024.0
RANGE_HU = 4096.0
MIN_CT_HU = -1024.0
"""Voxels below this are padding outside the scan field: they carry no measurement."""
TISSUE_HU = -500.0
"""Between lung and fat: what lies above belongs to the body or the table."""


def normalise(hu):
    """x = (HU + 1024) / 4096 for an array or tensor of HU; not clipped."""
    return (hu + OFFSET_HU) / RANGE_HU


def to_hu(x):
    """Inverse of :func:`normalise`."""
    return x * RANGE_HU - OFFSET_HU


def to_int16(hu: np.ndarray) -> np.ndarray:
    """HU rounded to whole numbers and clipped to what int16 holds."""
    limits = np.iinfo(np.int16)
    return np.clip(np.rint(hu), limits.min, limits.max).astype(np.int16)
