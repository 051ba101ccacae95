"""Named settings of a job."""

from __future__ import annotations

from ..engine.errors import BadInputError
from ..engine.settings import DenoisingSettings, paper_settings

PRESETS = {
    "quick": DenoisingSettings(steps=0, orientations=1),
    "standard": DenoisingSettings(),
    "thorough": DenoisingSettings(steps=300, tuning_slices=16, orientations=8),
    "paper": paper_settings(),
}

OWN_OUTPUT = {"teacher": "orientations", "learning_rate": 1e-4}
"""Instead of the scan as target where the noise is the scan's own, which a target must not have;
in small steps, since so much less is learnt by the network's own output."""


def presetSettings(preset: str) -> dict:
    """All settings of a preset, by the engine's names.

    Raises
    ------
    BadInputError
        If there is no such preset.
    """
    if preset not in PRESETS:
        raise BadInputError(f"Unknown preset '{preset}': choose {', '.join(PRESETS)}.")
    return PRESETS[preset].as_dict()
