"""Stages of a job, and the estimate of their durations from timings of single steps.

This file does not import torch.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import NamedTuple

from .settings import DenoisingSettings

RISK_EVERY = 20
"""Number of steps between two risk estimates."""
RISK_SLICES = 3
RISK_PASSES = 2
FIRST_SIMULATION_SECONDS = 2.0
SIMULATION_SECONDS = 0.3
"""Seconds of the noise simulation of each slice of 512×512 on two CPU cores, after the first."""
SHORT_SCAN = 75
"""Largest number of 512×512 slices that are averaged over eight orientations. Slices of another
size count by their pixels. 75 · 8 forward passes are as many as 200 · 3."""
NOISE = "noise maps for tuning"
TUNING = "tuning"
DENOISING = "denoising"
MAPS = "noise maps of all slices"


class PartSeconds(NamedTuple):
    """Seconds of one slice's forward pass, one update, and one slice's maps.

    The time for maps is that of passes of their own, see :func:`job_stages`. ``tuning_slice`` is a
    slice's forward pass during tuning, which is in float32.
    """

    slice: float
    update: float
    noise: float
    tuning_slice: float


@dataclass(frozen=True)
class JobPlan:
    """Expected duration of a job.

    Attributes
    ----------
    seconds : expected seconds of every stage that runs, in the order of the stages.
    first_targets_share : fraction of the tuning time, 0 to 1, that passes before the first step,
        while the pseudo-NDCT and the noise are computed.
    """

    seconds: dict[str, float]
    first_targets_share: float = 0.0

    @property
    def total_seconds(self) -> float:
        return sum(self.seconds.values())


def resolve_orientations(
    settings: DenoisingSettings, shape: tuple[int, int, int]
) -> DenoisingSettings:
    """Return the settings; if they set no orientations, with the number for the scan's size."""
    if settings.orientations is not None:
        return settings
    short = math.prod(shape) <= SHORT_SCAN * 512**2
    return replace(settings, orientations=8 if short else 3)


def job_stages(settings: DenoisingSettings, separate_maps: bool) -> list[str]:
    """Return the stages that run, in their order.

    ``separate_maps`` is True if the noise maps of all slices need passes of their own.
    """
    runs = {
        NOISE: settings.needs_noise_models,
        TUNING: settings.tunes,
        DENOISING: True,
        MAPS: separate_maps,
    }
    return [stage for stage in runs if runs[stage]]


def plan_job(
    settings: DenoisingSettings, slices: int, separate_maps: bool, part: PartSeconds
) -> JobPlan:
    """Return the plan of a job. The settings must set the number of orientations."""
    tunings, sampled = _tunings(settings, slices)
    targets = _seconds_of_targets(settings, slices, part)
    passes = slices * settings.orientations
    if settings.anchor:
        passes += tunings * sampled
    period = settings.update_period
    updates = (settings.steps - 1) // period if period else 0
    risks = _seconds_of_risks(settings, slices, part)
    tuning = tunings * (settings.steps * part.update + (1 + updates) * targets + risks)
    seconds = {
        NOISE: tunings * sampled * part.noise,
        TUNING: tuning,
        DENOISING: passes * part.slice,
        MAPS: slices * part.noise,
    }
    first_targets_share = targets / tuning if settings.tunes and tuning else 0.0
    stages = job_stages(settings, separate_maps)
    return JobPlan({stage: seconds[stage] for stage in stages}, first_targets_share)


def _seconds_of_targets(settings: DenoisingSettings, slices: int, part: PartSeconds) -> float:
    """Return the seconds to compute pseudo-NDCT and noise of all slices used for tuning."""
    sampled = _tunings(settings, slices)[1]
    seconds = sampled * part.tuning_slice
    if settings.noise_source == "simulator":
        seconds += FIRST_SIMULATION_SECONDS + sampled * SIMULATION_SECONDS
    return seconds


def _seconds_of_risks(settings: DenoisingSettings, slices: int, part: PartSeconds) -> float:
    """Return the seconds of all risk estimates of one tuning."""
    if settings.noise_source != "simulator" or settings.patience is None:
        return 0.0
    estimates = 2 + settings.steps / RISK_EVERY
    passes = estimates * RISK_PASSES * min(RISK_SLICES, _tunings(settings, slices)[1])
    return passes * part.tuning_slice


def _tunings(settings: DenoisingSettings, slices: int) -> tuple[int, int]:
    """Return the number of tunings, and the number of slices of each."""
    if settings.tuning == "slice" and settings.tunes:
        return slices, 1
    return 1, min(slices, settings.tuning_slices)
