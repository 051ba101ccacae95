"""Progress of a job and its remaining time."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Progress:
    """One report to a callback.

    ``step`` of ``total`` within ``stage``; ``seconds_left`` for the whole job; ``preview`` an
    int16 HU slice and ``preview_slice`` its number, or None. ``warning`` is a sentence on what has
    gone wrong, or empty.
    """

    stage: str
    step: int
    total: int
    seconds_left: float
    preview: np.ndarray | None = None
    preview_slice: int | None = None
    warning: str = ""


ProgressCallback = Callable[[Progress], None]
"""An exception that it raises ends the job; raise :class:`.errors.Cancelled` to cancel."""


class JobClock:
    """Seconds of each stage, and the remaining time.

    Parameters
    ----------
    plan : stage → expected seconds. The remaining time is the rest of the plan times the pace. The
        pace is the ratio of seconds spent to seconds planned so far. A quarter of the plan is
        added to both, so that a slow first step barely changes the remaining time.
    """

    def __init__(self, plan: dict[str, float]):
        self.plan = plan
        self.seconds = dict.fromkeys(plan, 0.0)
        self._shares = dict.fromkeys(plan, 0.0)
        self._latest = time.monotonic()

    def update(self, stage: str, share: float) -> float:
        """Note that ``share`` (0 to 1) of a stage is done, and return the seconds left.

        The time since the last update of any stage counts for this stage, because a job that
        tunes slice by slice returns to its stages.
        """
        now = time.monotonic()
        self.seconds[stage] += now - self._latest
        self._latest = now
        self._shares[stage] = share
        planned = sum(self.plan[name] * done for name, done in self._shares.items())
        spent = sum(self.seconds.values())
        prior = sum(self.plan.values()) / 4
        pace = (spent + prior) / (planned + prior) if prior else 1.0
        return pace * sum(self.plan[name] * (1 - done) for name, done in self._shares.items())
