"""The user's own defaults for new scenes, kept in Slicer's settings."""

from __future__ import annotations

from collections.abc import Callable

import slicer

from .parameter_node import Device, Preset, applyPreset

GROUP = "PseudoCTDenoise"


def _upTo(highest: float, kind: type) -> Callable[[str], object]:
    """Return a reader of numbers of a type from 0 to a limit."""

    def read(text: str) -> object:
        value = kind(text)
        if not 0 <= value <= highest:
            raise ValueError(f"{value} is not between 0 and {highest}")
        return value

    return read


def _ticked(text: str) -> bool:
    return {"true": True, "false": False}[text]


_READERS = {
    "preset": Preset,
    "strength": _upTo(100, float),
    "device": Device,
    "gpu": _upTo(99, int),
    "makeNoiseMap": _ticked,
    "makePseudoLdct": _ticked,
    "makeModelMaps": _ticked,
    "makeRemovedNoise": _ticked,
}
"""Choice of the parameter node → function that reads its text."""


def saveDefaults(parameterNode) -> None:
    """Save the current choices, with which new scenes start from now on."""
    settings = slicer.app.settings()
    for name in _READERS:
        settings.setValue(f"{GROUP}/{name}", _textOf(parameterNode.getValue(name)))


def forgetDefaults() -> None:
    """Forget the saved choices: new scenes start with the defaults of the module again."""
    slicer.app.settings().remove(GROUP)


def applyDefaults(parameterNode) -> None:
    """Set the saved choices. A value that is missing or unreadable changes nothing."""
    settings = slicer.app.settings()
    for name, read in _READERS.items():
        try:
            value = read(str(settings.value(f"{GROUP}/{name}")))
        except (ValueError, KeyError):  # not saved, damaged, or of another version
            continue
        parameterNode.setValue(name, value)
    applyPreset(parameterNode)


def _textOf(value) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return f"{value:g}" if isinstance(value, (int, float)) else value.value
