"""A scan of any length, made of a few slices."""

from __future__ import annotations

import numpy as np


def long_scan(few: np.ndarray, slices: int) -> np.ndarray:
    """Return (slices, rows, columns) that go up and down through a few slices.

    Slices next to each other are always neighbours, as in a scan.
    """
    up_and_down = [*range(len(few)), *range(len(few) - 2, 0, -1)]
    return few[np.resize(up_and_down, slices)]
