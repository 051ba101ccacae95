"""Scans of a cohort that differ from the others, for a person to look at."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from ..number_text import with_minus_sign


class Metric(NamedTuple):
    """A number of each scan: its key in the outcome, its name and its unit."""

    key: str
    name: str
    unit: str


METRICS = (
    Metric("noise_before_hu", "noise before", "HU"),
    Metric("noise_after_hu", "noise after", "HU"),
    Metric("noise_reduction_percent", "noise reduction", "%"),
    Metric("mean_absolute_change_hu", "mean absolute change", "HU"),
)
MINIMUM_SCANS = 5
"""Number of scans below which a median says too little."""
LIMIT = 3.5
"""Modified z-score above which a value is an outlier.

B. Iglewicz, D. Hoaglin, How to Detect and Handle Outliers, ASQC 1993.
"""
SMALLEST_SHARE = 0.1
"""Distance from the median, as a share of it, that does not matter in scans that are much alike."""
_SCALE = 0.6745  # median absolute deviation over standard deviation of normal values


def find_outliers(outcomes: Sequence[dict]) -> dict[str, list[str]]:
    """Return the reasons why a scan stands out, by its name; scans without reasons are left out.

    A scan stands out if a metric is far from the median, or if its traffic light is red.
    """
    reasons: dict[str, list[str]] = {}
    for metric in METRICS:
        known = [outcome for outcome in outcomes if outcome.get(metric.key) is not None]
        if len(known) < MINIMUM_SCANS:
            continue
        values = np.array([outcome[metric.key] for outcome in known], float)
        median = np.median(values)
        distances = np.abs(values - median)
        limit = max(LIMIT / _SCALE * np.median(distances), SMALLEST_SHARE * abs(median))
        for index in np.flatnonzero(distances > limit):
            text = f"{metric.name} {_number(values[index])} {metric.unit}"
            text += f" (median {_number(median)} {metric.unit})"
            reasons.setdefault(known[index]["name"], []).append(text)
    for outcome in outcomes:
        if outcome.get("traffic_light") == "red":
            reasons.setdefault(outcome["name"], []).append("traffic light red")
    return reasons


def _number(value: float) -> str:
    return with_minus_sign(f"{value:.1f}")
