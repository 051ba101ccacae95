"""Fine-tuning of a denoiser on the scan at hand (arXiv 2104.02326, algorithm 1)."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import torch
from torch import nn

from ..models.networks import trainable_copy
from .losses import image_loss
from .moving_average import averaged, moving_average
from .noise_estimation import NoiseTexture
from .pseudo_pairs import PseudoPairs, make_pseudo_pairs
from .settings import DenoisingSettings
from .stopping import SMOOTHING_STEPS, LossStopping, RiskStopping, Stopping
from .sure import SureEstimate

TUNING_NOISE_RANGE_HU = (8.0, 250.0)
"""Range of the scan's noise, if it is measured, in which the network is tuned. Below it tuning
cannot gain anything; above it the scan's noise is clipped at −1024 HU and the simulated is not."""

DIVERGED_LOSS_RATIO = 100.0
"""Ratio of the loss to those of the pre-trained network and of no denoising, above which the tuning
has diverged although all numbers are finite."""
_SMALL_LOSS = 1.0
"""Loss in HU or HU² below which the ratio says nothing, for example in constant padding."""


@dataclass(frozen=True)
class TuningRecord:
    """Record of a tuning.

    ``losses`` has the loss of every step, in HU or HU² depending on the loss. ``risks`` are the
    estimates of :class:`.SureEstimate` by step, in HU². If there are any, the result has the
    weights of ``best_step``, of which ``share`` is their weight in the average with the pre-trained
    ones. ``noise_hu`` and ``texture`` are those of :class:`.SimulatedNoise`; None if there is none,
    or if ``has_body`` is False: the slices show too little of a body to measure them. ``diverged``
    is True if the pre-trained network is the result because the tuning diverged; numbers that are
    not finite are then left out. ``implausible`` is True if it is the result because a risk was
    below :data:`.LOWEST_RELATIVE_RISK`.
    """

    losses: list[float]
    risks: dict[int, float] = field(default_factory=dict)
    best_step: int | None = None
    share: float = 1.0
    noise_hu: float | None = None
    texture: NoiseTexture | None = None
    has_body: bool = True
    diverged: bool = False
    implausible: bool = False


def tuning_warning(tunings: Sequence[TuningRecord]) -> str | None:
    """Return a warning if the scan keeps the tuned network from being used, otherwise None."""
    unknown = [record for record in tunings if not record.has_body]
    low, high = TUNING_NOISE_RANGE_HU
    levels = [record.noise_hu for record in tunings if record.noise_hu is not None]
    outside = [level for level in levels if not low <= level <= high]
    unlike = [record for record in tunings if record.implausible]
    if not unknown and not outside and not unlike:
        return None
    reasons = []
    if unknown:
        reasons.append(
            f"{_where(unknown, tunings, 'shows', 'show')} too little of a body, in the slices used "
            "for the tuning, to measure the noise."
        )
    if outside:
        levels_text = " to ".join(
            dict.fromkeys(f"{level:.1f}" for level in (min(outside), max(outside)))
        )
        reasons.append(
            f"{_where(outside, tunings, 'has', 'have')} an estimated noise of {levels_text} HU, "
            f"outside the {low:g} to {high:g} HU in which tuning helps."
        )
    if unlike:
        risk = min(min(record.risks.values()) for record in unlike)
        reasons.append(
            f"{_where(unlike, tunings, 'has', 'have')} noise unlike the simulated noise that the "
            "network is tuned with, perhaps because the images were interpolated or filtered: the "
            f"estimated mean squared error fell to {risk:.0f} HU², which is impossible."
        )
    return " ".join([*reasons, "The pre-trained network was used without tuning."])


def _where(found: Sequence, tunings: Sequence, singular: str, plural: str) -> str:
    if len(tunings) == 1:
        return f"The scan {singular}"
    return f"{len(found)} of {len(tunings)} slices {plural}"


@dataclass(frozen=True)
class FineTuned:
    """The tuned network, or the one given if the tuning did not change it, and the record.

    With a moving average, ``student`` has the average of the weights.
    """

    student: nn.Module
    record: TuningRecord


def fine_tune(
    network: nn.Module,
    slices: torch.Tensor,
    noise_maps: torch.Tensor,
    settings: DenoisingSettings,
    *,
    pixel_mm: float | None = None,
    progress: Callable[[int, nn.Module], None] = lambda step, student: None,
) -> FineTuned:
    """Tune a copy of a network on pseudo-CT pairs of a scan.

    Parameters
    ----------
    network : any module from normalised (N, 1, rows, columns) to the same; it is not changed.
    slices : LDCT, (N, rows, columns), normalised, on the network's device.
    noise_maps : (M, N, rows, columns) from :func:`.predict_noise_maps`; M may be 0 if the noise
        comes from the simulator.
    pixel_mm : side of a pixel, for noise from the simulator; None if it is unknown.
    progress : called after every step with its number from 1 and the network that would be
        the result now. An exception that it raises ends the tuning.

    Returns
    -------
    FineTuned
        If a loss, a weight or a risk is not finite, or the loss exceeds
        :data:`DIVERGED_LOSS_RATIO`, the tuning has diverged. After that, after an implausible
        risk, without a step, or if no step was better than none, the student is ``network`` itself.
    """
    student = _Student(network, settings)
    teacher = copy.deepcopy(network).eval()
    pairs = make_pseudo_pairs(slices, noise_maps, settings, pixel_mm)
    pairs.refresh(teacher)
    stopping = _stopping(slices, pairs, settings)
    stopping.ends(0, student.losses, student.result)
    for step in range(1, _steps(pairs, settings) + 1):
        student.update(*pairs.draw())
        teacher_is_due = _teacher_is_due(step, settings)
        if student.diverged or (teacher_is_due and not _is_finite(student.result)):
            break
        if teacher_is_due:
            teacher.load_state_dict(student.result.state_dict())
            pairs.refresh(teacher)
        progress(step, student.result)
        if stopping.ends(step, student.losses, student.result):
            break
    share = stopping.restore(student.result, network) if student.losses else 0.0
    diverged = bool(student.losses) and (
        student.diverged
        or student.result_is_bad(*pairs.draw())
        or not all(map(math.isfinite, stopping.risks.values()))
    )
    if diverged:
        share = 0.0
    record = _record(student.losses, stopping, share, pairs, diverged)
    return FineTuned(student.result.eval() if share else network, record)


class _Student:
    """A copy of the network with its optimizer, and the moving average of its weights."""

    def __init__(self, network: nn.Module, settings: DenoisingSettings):
        self._network = trainable_copy(network)
        self._average = moving_average(self._network, settings.moving_average)
        if self._average is not None:
            self._average.update_parameters(self._network)
        self._loss = settings.loss
        self._optimizer = torch.optim.Adam(self._network.parameters(), lr=settings.learning_rate)
        self._schedule = torch.optim.lr_scheduler.ReduceLROnPlateau(
            self._optimizer, factor=0.5, patience=50
        )
        self.losses: list[float] = []
        self._input_losses: list[float] = []

    @property
    def result(self) -> nn.Module:
        """The network with the averaged weights, or with its own without an average."""
        return averaged(self._network, self._average)

    @property
    def diverged(self) -> bool:
        """True if a loss is not finite or the last ones are too large."""
        recent = slice(-SMOOTHING_STEPS, None)
        return self._too_large(self.losses[recent], self._input_losses[recent])

    def result_is_bad(self, pseudo_ldct: torch.Tensor, pseudo_ndct: torch.Tensor) -> bool:
        """Return True if the result's loss for a pair of batches is not finite or too large."""
        with torch.no_grad():
            loss = image_loss(self._loss, self.result(pseudo_ldct), pseudo_ndct).item()
            input_loss = image_loss(self._loss, pseudo_ldct, pseudo_ndct).item()
        return self._too_large([loss], [input_loss])

    def update(self, pseudo_ldct: torch.Tensor, pseudo_ndct: torch.Tensor) -> None:
        """Do one step of gradient descent."""
        loss = image_loss(self._loss, self._network(pseudo_ldct), pseudo_ndct)
        self._optimizer.zero_grad(set_to_none=True)
        loss.backward()
        self._optimizer.step()
        if self._average is not None:
            self._average.update_parameters(self._network)
        self.losses.append(loss.item())
        self._input_losses.append(image_loss(self._loss, pseudo_ldct, pseudo_ndct).item())
        self._schedule.step(self.losses[-1])

    def _too_large(self, losses: list[float], input_losses: list[float]) -> bool:
        untuned = max(self.losses[0], sum(input_losses) / len(input_losses), _SMALL_LOSS)
        # NaN is not smaller than any number.
        return not sum(losses) / len(losses) <= DIVERGED_LOSS_RATIO * untuned


def _is_finite(network: nn.Module) -> bool:
    return all(weight.isfinite().all() for weight in network.state_dict().values())


def _stopping(slices: torch.Tensor, pairs: PseudoPairs, settings: DenoisingSettings) -> Stopping:
    if settings.patience is None or pairs.simulated is None:
        return LossStopping(settings.patience)
    risk = SureEstimate(slices, pairs.simulated.draws[0])
    return RiskStopping(risk, settings.patience, settings.steps)


def _steps(pairs: PseudoPairs, settings: DenoisingSettings) -> int:
    """Return the largest number of updates, 0 if the noise is out of range or unknown."""
    if pairs.simulated is None:
        return settings.steps
    if not pairs.simulated.has_body:
        return 0
    lowest, highest = TUNING_NOISE_RANGE_HU
    return settings.steps if lowest <= pairs.simulated.noise_hu <= highest else 0


def _teacher_is_due(step: int, settings: DenoisingSettings) -> bool:
    """Return True every ``update_period`` steps, except at the last one: no target follows it."""
    period = settings.update_period
    return bool(period) and step % period == 0 and step != settings.steps


def _record(
    losses: list[float],
    stopping: Stopping,
    share: float,
    pairs: PseudoPairs,
    diverged: bool,
) -> TuningRecord:
    simulated = pairs.simulated
    has_body = simulated is None or simulated.has_body
    measured = simulated if has_body else None
    risks = {step: risk for step, risk in stopping.risks.items() if math.isfinite(risk)}
    return TuningRecord(
        [loss for loss in losses if math.isfinite(loss)],
        risks,
        0 if diverged else stopping.best_step,
        share,
        None if measured is None else measured.noise_hu,
        None if measured is None else measured.texture,
        has_body,
        diverged,
        stopping.implausible,
    )
