"""Common CT windows, in HU."""

from __future__ import annotations

WINDOW_PRESETS = {
    "Soft tissue": (400.0, 40.0),
    "Liver": (150.0, 90.0),
    "Lung": (1500.0, -600.0),
    "Bone": (1800.0, 400.0),
}
"""Name → window (width) and level (centre)."""


def setWindow(volumeNodes, name: str) -> None:
    """Show volumes at a preset's window and level."""
    window, level = WINDOW_PRESETS[name]
    for node in volumeNodes:
        display = node.GetDisplayNode()
        if display is not None:
            display.AutoWindowLevelOff()
            display.SetWindowLevel(window, level)
