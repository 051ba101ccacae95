"""Numbers as text."""

from __future__ import annotations


def with_minus_sign(text: str) -> str:
    """Return the text of a number with a minus sign (U+2212) instead of a hyphen."""
    return text.replace("-", "−")
