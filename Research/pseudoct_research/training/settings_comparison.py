"""Settings of earlier versions compared with those of today."""

from __future__ import annotations


def what_is_on(settings: dict) -> dict:
    """Settings without those that are None, so that files from before there was one still match."""
    return {
        key: what_is_on(value) if isinstance(value, dict) else value
        for key, value in settings.items()
        if value is not None
    }
