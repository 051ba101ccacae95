"""Hashes by which a volume is recognised in another file or at another place."""

from __future__ import annotations

import hashlib

import numpy as np

from .volume_files import CtVolume


def volume_hash(hu: np.ndarray, like: CtVolume) -> dict[str, str]:
    """Return the SHA-256 of the voxels and of the geometry.

    Parameters
    ----------
    hu : (slices, rows, columns) int16 HU.
    like : volume with the geometry.

    Returns
    -------
    ``voxels`` is the same in every file format. ``geometry`` is not, since formats round.
    """
    voxels = hashlib.sha256(repr(hu.shape).encode())
    for image in hu:
        voxels.update(np.ascontiguousarray(image, "<i2"))
    geometry = [like.spacing, like.origin, like.direction, like.slice_axis]
    text = repr(geometry).encode()
    return {"voxels": voxels.hexdigest(), "geometry": hashlib.sha256(text).hexdigest()}
