"""Pixel sizes that do not depend on the format of the file."""

from __future__ import annotations

import numpy as np


def spacing_in_decimals(spacing_mm: float) -> float:
    """Return the shortest decimal number that equals a spacing in mm in single precision.

    NIfTI stores single precision, in which 0.7 mm is 0.699999988 mm. This returns 0.7 for both, so
    that a scan gives the same result from every format.
    """
    return float(str(np.float32(spacing_mm)))
