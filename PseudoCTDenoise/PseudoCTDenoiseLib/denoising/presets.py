"""Named settings of a job."""

from __future__ import annotations

from dataclasses import replace

from ..errors import BadInputError
from .settings import DenoisingSettings


def paper_settings(**changes) -> DenoisingSettings:
    """Return the paper's loop (arXiv 2104.02326, algorithm 1), with C and steps, which it omits."""
    return replace(
        DenoisingSettings(
            teacher="network",
            noise_source="models",
            noise_sign="as-is",
            steps=200,
            patience=None,
            update_period=50,
            moving_average=None,
            learning_rate=1e-4,
            anchor=None,
            orientations=1,
            neighbours=False,
            rescale=(0.5, 2.0),
        ),
        **changes,
    )


PRESETS = {
    "quick": DenoisingSettings(steps=0, orientations=1),
    "standard": DenoisingSettings(),
    "thorough": DenoisingSettings(steps=300, tuning_slices=16, orientations=8),
    "paper": paper_settings(),
}


def preset_settings(preset: str) -> DenoisingSettings:
    """Return the settings of a preset.

    Raises
    ------
    BadInputError
        If the preset is unknown.
    """
    if preset not in PRESETS:
        raise BadInputError(f"Unknown preset '{preset}': choose {', '.join(PRESETS)}.")
    return PRESETS[preset]
