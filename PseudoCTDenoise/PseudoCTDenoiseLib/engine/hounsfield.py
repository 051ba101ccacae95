"""The one normalisation between Hounsfield units (HU) and what a network sees."""

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
