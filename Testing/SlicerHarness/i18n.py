"""``slicer.i18n``: marks texts for translation; here every text stays as it is."""

from __future__ import annotations


def tr(text: str) -> str:
    return text
