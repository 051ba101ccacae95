"""Recognition of this project's own DICOM output, which the node never denoises."""

from __future__ import annotations

from pydicom import Dataset

from ..ct.io.derived_note import MADE_BY, SOFTWARE

GUARD_KEYWORDS = ("Manufacturer", "DerivationDescription", "ContributingEquipmentSequence")
"""Attributes that :func:`is_own_image` reads."""


def is_own_image(header: Dataset) -> bool:
    """Return True for an image that this project made, or that another program derived from one."""
    if MADE_BY in str(header.get("DerivationDescription") or ""):
        return True
    contributed = header.get("ContributingEquipmentSequence") or ()
    makers = [header.get("Manufacturer"), *(item.get("Manufacturer") for item in contributed)]
    return SOFTWARE in makers
