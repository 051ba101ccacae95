"""Texts whose bytes contradict the character set that their DICOM file declares.

pydicom replaces what it cannot decode, so writing such a text would change it.
"""

from __future__ import annotations

from pydicom import Dataset
from pydicom.multival import MultiValue
from pydicom.valuerep import CUSTOMIZABLE_CHARSET_VR, PersonName

_REPLACEMENT = "\N{REPLACEMENT CHARACTER}"


def has_undecodable_text(dataset: Dataset) -> bool:
    """Return True if a text in a dataset, or in an item of its sequences, was not decoded."""
    return any(
        any(map(has_undecodable_text, element.value))
        if element.VR == "SQ"
        else element.VR in CUSTOMIZABLE_CHARSET_VR and _REPLACEMENT in str(element.value)
        for element in dataset
    )


def restore_bytes(dataset: Dataset, stored: Dataset) -> None:
    """Replace texts that were not decoded by their bytes, which are written as they are.

    Parameters
    ----------
    stored : the same dataset, of which no value was looked up.
    """
    for element in dataset:
        if element.VR == "SQ":
            for item, stored_item in zip(element.value, stored[element.tag].value, strict=True):
                restore_bytes(item, stored_item)
        elif element.VR in CUSTOMIZABLE_CHARSET_VR and _REPLACEMENT in str(element.value):
            content = stored.get_item(element.tag).value.rstrip(b"\0 ")
            if element.VR == "PN":
                names = element.value if isinstance(element.value, MultiValue) else [element.value]
                content = PersonName(content, names[0].encodings)
            element.value = content


def appended(value: object, text: str, length: int) -> str | bytes:
    """Return the value of a text element with a text at its end.

    A value that was not decoded gives bytes, and several values are joined as DICOM does it.

    Parameters
    ----------
    length : maximum number of characters; the value is cut to it, before the text.
    """
    values = list(value) if isinstance(value, MultiValue) else [value or ""]
    backslash, space, end = "\\", " ", text
    if isinstance(values[0], bytes):
        backslash, space, end = b"\\", b" ", text.encode()
    end = (space + end)[:length]
    return (backslash.join(values)[: length - len(end)] + end).strip()
