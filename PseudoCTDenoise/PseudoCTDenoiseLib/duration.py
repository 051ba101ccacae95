"""Seconds as people say them."""

from __future__ import annotations


def duration(seconds: float) -> str:
    """'40 s' or '3 min'."""
    if seconds < 90:
        return f"{max(1, round(seconds))} s"
    return f"{round(seconds / 60)} min"
