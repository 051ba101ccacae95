"""Comparison of stored settings, which may come from an earlier version, with current ones."""

from __future__ import annotations


def enabled_settings(settings: dict) -> dict:
    """Return the settings that are not None.

    A setting that a later version adds is None by default, so files of earlier versions still
    match.
    """
    return {
        key: enabled_settings(value) if isinstance(value, dict) else value
        for key, value in settings.items()
        if value is not None
    }
