"""Named settings of a job."""

from __future__ import annotations

from dataclasses import replace

from ..errors import BadInputError
from .settings import DenoisingSettings


def paper_settings(**changes) -> DenoisingSettings:
    """Return the paper's loop (arXiv 2104.02326, algorithm 1) as the preset *Paper* runs it.

    Four settings keep it from losing on a good pre-trained network. Patches are not rescaled,
    because zoomed noise has a texture that the scan does not have. The result is a moving average
    of the student's weights, because single steps vary, and the student may then learn twice as
    fast. The teacher stays as it is (the paper's variant without update); otherwise errors of the
    student become targets. The paper gives no number of steps.
    """
    return replace(
        DenoisingSettings(
            teacher="network",
            noise_source="models",
            noise_sign="as-is",
            steps=200,
            patience=None,
            update_period=None,
            moving_average=0.98,
            learning_rate=2e-4,
            anchor=None,
            orientations=1,
            rescale=None,
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
