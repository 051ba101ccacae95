"""The noise maps that a job returns."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .settings import DenoisingSettings

NO_MAPS, ENSEMBLE, ALL_MAPS = MAP_CHOICES = ("none", "ensemble", "all")
"""No noise, that of the ensemble, or also the map of each noise model."""


def need_noise_models(maps: str, settings: DenoisingSettings) -> bool:
    """Return True if a job needs noise models, for its maps or for its tuning."""
    return maps != NO_MAPS or settings.needs_noise_models
