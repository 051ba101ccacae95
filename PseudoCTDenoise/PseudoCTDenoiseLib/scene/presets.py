"""Named settings of a job, by the engine's names; what a preset leaves out is the default."""

from __future__ import annotations

QUICK, STANDARD, THOROUGH, PAPER = "quick", "standard", "thorough", "paper"

PRESETS: dict[str, dict] = {
    QUICK: {"steps": 0},
    STANDARD: {},
    THOROUGH: {"steps": 200, "orientations": 8},
    PAPER: {
        "teacher": "network",
        "noise_source": "models",
        "steps": 200,
        "update_period": 50,
        "learning_rate": 1e-4,
        "rescale": [0.5, 2.0],
    },
}

DEFAULTS = {
    "steps": 100,
    "orientations": 1,
    "noise_source": "residual",
    "ensemble": "pixel",
    "noise_sign": "as-is",
    "update_period": None,
}
"""The engine's defaults of what the panel lets the user change."""


def presetSettings(preset: str) -> dict:
    """All settings of a preset that differ from the engine's defaults or are in the panel."""
    return {**DEFAULTS, **PRESETS[preset]}
