"""Images that this project made are recognized, also after other programs worked on them."""

from __future__ import annotations

import pytest
from dicom_factory import ct_slice
from PseudoCTDenoiseLib.node.loop_guard import is_own_image
from pydicom import Dataset


def equipment(*makers: str) -> list[Dataset]:
    """Return an item of ContributingEquipmentSequence for each maker."""
    items = [Dataset() for _ in makers]
    for item, maker in zip(items, makers, strict=True):
        item.Manufacturer = maker
    return items


@pytest.mark.parametrize(
    ("values", "is_own"),
    [
        ({}, False),
        ({"Manufacturer": "SIEMENS", "DerivationDescription": "Averaged."}, False),
        ({"ContributingEquipmentSequence": equipment("SIEMENS", "Other")}, False),
        ({"Manufacturer": "PseudoCTDenoise"}, True),
        (
            {
                "Manufacturer": "Other",
                "ContributingEquipmentSequence": equipment("SIEMENS", "PseudoCTDenoise"),
            },
            True,
        ),
        ({"DerivationDescription": "Derived by PseudoCTDenoise 1.2. Averaged by Other."}, True),
    ],
)
def test_each_trace_of_this_project_is_enough(values, is_own):
    image = ct_slice()
    for keyword, value in values.items():
        setattr(image, keyword, value)
    assert is_own_image(image) == is_own
