"""Mask of the patient's body, without table and clothes."""

from __future__ import annotations

import numpy as np
import SimpleITK as sitk

from .constant_areas import surrounding_padding
from .image_arrays import iterate_slices


def body_mask(hu: np.ndarray) -> np.ndarray:
    """Return a bool mask of the patient, lungs included, with the shape of ``hu``.

    In each slice, it is the largest connected region above -300 HU with its holes filled. An
    opening of 2 pixels first separates the body from the table. Padding of one exact value at the
    edge of the image is not part of it.
    """
    mask = np.zeros(hu.shape, dtype=bool)
    for part, out in zip(iterate_slices(hu), iterate_slices(mask), strict=True):
        tissue = sitk.GetImageFromArray(
            ((part > -300) & ~surrounding_padding(part)).astype(np.uint8)
        )
        # Pixels beyond the border count as tissue. Otherwise the erosion would shrink a body that
        # extends beyond the field of view.
        tissue = sitk.BinaryErode(tissue, (2, 2), boundaryToForeground=True)
        tissue = sitk.BinaryDilate(tissue, (2, 2), boundaryToForeground=False)
        regions = sitk.RelabelComponent(sitk.ConnectedComponent(tissue))
        out[:] = sitk.GetArrayFromImage(sitk.BinaryFillhole(regions == 1)) > 0
    return mask
