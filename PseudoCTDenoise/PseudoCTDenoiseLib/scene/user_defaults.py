"""The user's own defaults for new scenes, kept in Slicer's settings."""

from __future__ import annotations

import slicer

from .parameter_node import Device, Preset, applyPreset

GROUP = "PseudoCTDenoise"


def _strength(text: str) -> float:
    value = float(text)
    if not 0 <= value <= 100:
        raise ValueError(f"{value:g} % is not a strength")
    return value


def _gpu(text: str) -> int:
    value = int(text)
    if not 0 <= value <= 99:
        raise ValueError(f"{value} is not the number of a GPU")
    return value


def _ticked(text: str) -> bool:
    return {"true": True, "false": False}[text]


_READERS = {
    "preset": Preset,
    "strength": _strength,
    "device": Device,
    "gpu": _gpu,
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
