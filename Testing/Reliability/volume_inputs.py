"""The scan that NIfTI, NRRD and MetaImage files of the table hold."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from dicom_factory import HEIGHTS, bodies
from Reliability.case import Read, Writer

VALUES = bodies(HEIGHTS)
"""HU, (k, j, i): 4 slices of 20 rows and 24 columns."""
SMALL = np.clip(VALUES // 8, -125, 125)
"""HU that fit 8 bits."""
THICK = bodies([0.25 * i for i in range(16)])
"""HU of 16 slices, whose reformats are large enough for a scan."""
SPACING = (0.7, 0.8, 2.5)
"""Distances in mm along i, j and k."""
ORIGIN = (-5.0, 6.0, 7.0)
"""Position of the first voxel in mm, LPS."""


def scan(
    steps: Sequence | np.ndarray = SPACING,
    values: np.ndarray = VALUES,
    *,
    origin: Sequence[float] = ORIGIN,
    slice_axis: int = 2,
    warnings: Sequence[str] = (),
) -> Read:
    """Return what a file holds.

    Parameters
    ----------
    steps : (3, 3), steps along i, j and k as columns, in mm, LPS; or three distances in mm.
    """
    steps = np.asarray(steps, float)
    steps = np.diag(steps) if steps.ndim == 1 else steps
    return Read(values, tuple(origin), steps, slice_axis, tuple(warnings))


def file(name: str, content: bytes) -> Writer:
    def make(folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)

    return make
