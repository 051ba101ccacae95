"""Early stopping of the tuning: by the estimated risk, or by the loss if there is none."""

from __future__ import annotations

from typing import Protocol

import torch
from torch import nn

from .plan import RISK_EVERY
from .sure import LOWEST_RELATIVE_RISK, SureEstimate

SMOOTHING_STEPS = 20
"""Number of steps over which the loss is averaged without a risk estimate."""
RISK_TOLERANCE = 0.005
"""Error of the risk, in units of :func:`.removed_energy`. The latest step within this error of the
minimum is taken: a risk that is flat inside the body may still fall outside."""
FULL_WEIGHT_RISK_DECREASE = 0.05
"""Decrease of the risk, in the same units, above which the tuned weights are taken fully. A smaller
decrease may be an error of the noise level. The result is then the average of the pre-trained and
the tuned weights (Wortsman et al., CVPR 2022, arXiv:2109.01903)."""


class StopRule:
    """Patience rule. A call returns True once ``best_step`` lies ``patience`` steps back.

    ``best_step`` is the step of the lowest value, or the latest later one whose value is less than
    ``tolerance`` above it and below the very first value. A patience of None never stops. A value
    below ``lowest`` is implausible: the call returns True, and ``best_step`` is 0, because earlier
    values have the same error.
    """

    def __init__(self, patience: int | None, tolerance: float = 0.0, lowest: float = -float("inf")):
        self.patience = patience
        self.tolerance = tolerance
        self.lowest = lowest
        self.best_step = 0
        self.implausible = False
        self._first: float | None = None
        self._lowest = float("inf")

    def __call__(self, step: int, value: float) -> bool:
        if value < self.lowest:
            self.best_step, self.implausible = 0, True
            return True
        if self._first is None:
            self._first = value
        if value < min(self._lowest + self.tolerance, self._first) or value < self._lowest:
            self.best_step = step
        self._lowest = min(self._lowest, value)
        return self.patience is not None and step - self.best_step >= self.patience


def risk_stop_rule(patience: int | None, removed_energy: float) -> StopRule:
    """Return the rule for values of :class:`.SureEstimate`."""
    return StopRule(
        patience, RISK_TOLERANCE * removed_energy, LOWEST_RELATIVE_RISK * removed_energy
    )


def tuned_weight_share(risks: dict[int, float], step: int, removed_energy: float) -> float:
    """Return the fraction of ``step``'s tuned weights in the average with the pre-trained ones.

    0 at step 0, 1 if the risk fell by more than :data:`FULL_WEIGHT_RISK_DECREASE`, otherwise 0.5.
    """
    if not step:
        return 0.0
    decrease = risks[0] - risks[step]
    return 1.0 if decrease > FULL_WEIGHT_RISK_DECREASE * removed_energy else 0.5


def interpolate_weights(tuned: nn.Module, start: nn.Module, share: float) -> None:
    """Set the weights of ``tuned`` to start + share · (tuned − start)."""
    with torch.no_grad():
        for weight, before in zip(tuned.parameters(), start.parameters(), strict=True):
            weight.copy_(torch.lerp(before, weight, share))


class Stopping(Protocol):
    """Decides after each step if the tuning ends, and which weights are its result.

    Attributes
    ----------
    risks : estimated risk by step, in HU².
    best_step : the step whose weights are the result; None for the last step.
    implausible : True if a risk was so low that the simulated noise is unlike the scan's.
    """

    risks: dict[int, float]

    @property
    def best_step(self) -> int | None: ...

    @property
    def implausible(self) -> bool: ...

    def ends(self, step: int, losses: list[float], network: nn.Module) -> bool:
        """Return True if the tuning ends after ``step``; 0 is the step before the first update."""

    def restore(self, network: nn.Module, start: nn.Module) -> float:
        """Set the network to the result; return the fraction of the tuned weights in it."""


class RiskStopping:
    """Stops by the risk, estimated every :data:`.RISK_EVERY` steps and at the last one.

    The result has the weights of the best step of :class:`StopRule`, averaged with the pre-trained
    ones by :func:`tuned_weight_share`. See :class:`Stopping`.
    """

    def __init__(self, risk: SureEstimate, patience: int, steps: int):
        self.risks: dict[int, float] = {}
        self._risk, self._steps = risk, steps
        self._rule = risk_stop_rule(patience, risk.removed_energy)
        self._best_weights: dict[str, torch.Tensor] = {}

    @property
    def best_step(self) -> int:
        return self._rule.best_step

    @property
    def implausible(self) -> bool:
        return self._rule.implausible

    def ends(self, step: int, losses: list[float], network: nn.Module) -> bool:
        if step % RISK_EVERY and step != self._steps:
            return False
        training = network.training
        self.risks[step] = self._risk(network.eval())
        network.train(training)
        ended = self._rule(step, self.risks[step])
        if self.best_step == step:
            self._best_weights = {
                name: value.clone() for name, value in network.state_dict().items()
            }
        return ended

    def restore(self, network: nn.Module, start: nn.Module) -> float:
        network.load_state_dict(self._best_weights)
        share = tuned_weight_share(self.risks, self.best_step, self._risk.removed_energy)
        interpolate_weights(network, start, share)
        return share


class LossStopping:
    """Stops by the loss, averaged over :data:`SMOOTHING_STEPS`. The last weights are the result.

    See :class:`Stopping`.
    """

    best_step = None
    implausible = False

    def __init__(self, patience: int | None):
        self.risks: dict[int, float] = {}
        self._rule = StopRule(patience)

    def ends(self, step: int, losses: list[float], network: nn.Module) -> bool:
        recent = losses[-SMOOTHING_STEPS:]
        return len(recent) == SMOOTHING_STEPS and self._rule(step, sum(recent) / len(recent))

    def restore(self, network: nn.Module, start: nn.Module) -> float:
        return 1.0
