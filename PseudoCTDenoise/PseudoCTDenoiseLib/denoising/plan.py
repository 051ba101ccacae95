"""Which stages a job has, and how long they take by the times of their parts; without torch."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import NamedTuple

from .settings import DenoisingSettings

RISK_EVERY = 20
"""Steps between two estimates of the risk that the stop rule goes by."""
RISK_SLICES = 3
RISK_PASSES = 2
FIRST_SIMULATION_SECONDS = 2.0
SIMULATION_SECONDS = 0.3
"""Of the noise of each slice of 512×512 on two CPU cores, on top of what comes before the first."""
SHORT_SCAN = 75
"""Slices of 512×512, or as many pixels, up to which eight orientations are no more passes than
three are on 200 slices."""
NOISE, TUNING, DENOISING, MAPS = "noise maps", "tuning", "denoising", "noise of every slice"


class PartSeconds(NamedTuple):
    """Seconds of one slice's pass, of one update, and of one slice's noise maps.

    ``tuning_slice`` is that of a pass during tuning, which is in float32.
    """

    slice: float
    update: float
    noise: float
    tuning_slice: float


def settled(settings: DenoisingSettings, shape: tuple[int, int, int]) -> DenoisingSettings:
    """The settings with what depends on the scan's size filled in, where it is left open."""
    if settings.orientations is not None:
        return settings
    short = math.prod(shape) <= SHORT_SCAN * 512**2
    return replace(settings, orientations=8 if short else 3)


def plan_job(
    settings: DenoisingSettings, slices: int, want_noise: bool, one: PartSeconds
) -> dict[str, float]:
    """Expected seconds of every stage that runs, in their order; ``settings`` are settled."""
    tunings, sampled = _tunings(settings, slices)
    plan = {}
    if settings.needs_noise_models:
        plan[NOISE] = tunings * sampled * one.noise
    if settings.tunes:
        period = settings.update_period
        renewals = (settings.steps - 1) // period if period else 0
        targets = (1 + renewals) * seconds_of_targets(settings, slices, one)
        risks = _seconds_of_risks(settings, slices, one)
        plan[TUNING] = tunings * (settings.steps * one.update + targets + risks)
    passes = slices * settings.orientations
    if settings.anchor:
        passes += tunings * sampled
    plan[DENOISING] = passes * one.slice
    if want_noise:
        plan[MAPS] = slices * one.noise
    return plan


def seconds_of_targets(settings: DenoisingSettings, slices: int, one: PartSeconds) -> float:
    """Seconds to make pseudo-NDCT and noise of all slices that are tuned on together."""
    sampled = _tunings(settings, slices)[1]
    passes = 1 if settings.teacher in ("network", "scan") else 8
    seconds = sampled * passes * one.tuning_slice
    if settings.noise_source == "simulator":
        seconds += FIRST_SIMULATION_SECONDS + sampled * SIMULATION_SECONDS
    return seconds


def _seconds_of_risks(settings: DenoisingSettings, slices: int, one: PartSeconds) -> float:
    """Seconds of the estimates that the stop rule goes by."""
    if settings.noise_source != "simulator" or settings.patience is None:
        return 0.0
    estimates = 2 + settings.steps / RISK_EVERY
    passes = estimates * RISK_PASSES * min(RISK_SLICES, _tunings(settings, slices)[1])
    return passes * one.tuning_slice


def _tunings(settings: DenoisingSettings, slices: int) -> tuple[int, int]:
    """How many tunings there are, and on how many slices each."""
    if settings.tuning == "slice" and settings.tunes:
        return slices, 1
    return 1, min(slices, settings.tuning_slices)
