"""Fine-tuning of a denoiser on the scan at hand (arXiv 2104.02326, algorithm 1)."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from torch import nn

from ..models.networks import trainable_copy
from .losses import image_loss
from .moving_average import averaged, moving_average
from .plan import RISK_EVERY
from .pseudo_pairs import PseudoPairs
from .settings import DenoisingSettings
from .sure import ScanRisk

SMOOTHING_STEPS = 20
"""Of the loss, where the stop rule has nothing better to go by."""
BELIEVED_WHOLE = 0.05
"""Fall of the risk, in units of the noise that is to be removed, from which on the tuned weights
are taken whole. Smaller falls may be errors of the noise's level: then half of the way is gone, to
the mean of the pre-trained and the tuned weights (Wortsman et al., CVPR 2022, arXiv:2109.01903)."""
RISK_TOLERANCE = 0.005
"""Rises of the risk above its lowest, in the same units, that are its own error: the latest of such
steps is taken, since a risk that is flat inside of the body may still fall outside of it."""

WORTH_TUNING_HU = (4.0, 250.0)
"""Scans with less noise, where it is measured, or with more are left to the pre-trained network:
there is nothing to be gained, or the noise ends at −1024 HU as what is simulated does not."""


@dataclass(frozen=True)
class TuningRecord:
    """What happened in a tuning.

    ``losses`` has the loss of every step, in HU or HU² by the loss. ``risks`` are the estimates of
    :class:`.ScanRisk` by step, in HU², where there are any; then the weights of ``best_step`` were
    taken, or those of a ``share`` of the way to them. ``noise_hu`` and ``sharpness`` are what the
    simulator was set to, see :class:`.PseudoPairs`.
    """

    losses: list[float]
    risks: dict[int, float] = field(default_factory=dict)
    best_step: int | None = None
    share: float = 1.0
    noise_hu: float | None = None
    sharpness: float | None = None


@dataclass(frozen=True)
class FineTuned:
    """The tuned networks.

    ``student`` is the result; with a moving average, the average of the student's weights.
    """

    student: nn.Module
    teacher: nn.Module
    record: TuningRecord


def fine_tune(
    network: nn.Module,
    slices: torch.Tensor,
    noise_maps: torch.Tensor,
    settings: DenoisingSettings,
    *,
    pixel_mm: float | None = None,
    progress: Callable[[int, float, nn.Module], None] = lambda step, loss, student: None,
) -> FineTuned:
    """Tune a copy of a network on pseudo-CT pairs of a scan.

    Parameters
    ----------
    network : any module from normalised (N, 1, rows, columns) to the same; left as it is.
    slices : LDCT, (N, rows, columns), normalised, on the network's device.
    noise_maps : (M, N, rows, columns) from :func:`.predict_noise_maps`; M may be 0 where neither
        teacher nor noise source takes them.
    pixel_mm : side of a pixel, for noise from the simulator; None if it is not known.
    progress : called after every step with its number from 1, its loss and the network that would
        be the result by now; what it raises ends the tuning.

    Returns
    -------
    FineTuned
        With an update period the teacher ends equal to the student; without one it stays the
        network that came in, and the student is the result. So the result is the student.

    Raises
    ------
    BadInputError
        If late layers are to be tuned and the network names none.
    """
    student = trainable_copy(network, settings.tuned_layers)
    teacher = copy.deepcopy(network).eval()
    average = moving_average(student, settings.moving_average)
    if average is not None:
        average.update_parameters(student)
    pairs = PseudoPairs(slices, noise_maps, settings, pixel_mm)
    pairs.refresh(teacher)
    optimizer = torch.optim.Adam(student.parameters(), lr=settings.learning_rate)
    schedule = torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, factor=0.5, patience=50)
    losses: list[float] = []
    risks: dict[int, float] = {}
    kept: dict[str, torch.Tensor] = {}
    risk, stop = None, StopRule(settings.patience)
    if settings.patience is not None and settings.noise_source == "simulator":
        risk = ScanRisk(slices, pairs.noise[0])
        stop = risk_rule(settings.patience, risk.removed_energy)

    def ends(step: int) -> bool:
        """Ask the stop rule; keep the weights if they are the best so far."""
        result = averaged(student, average)
        if risk is None:
            recent = losses[-SMOOTHING_STEPS:]
            return len(recent) == SMOOTHING_STEPS and stop(step, sum(recent) / len(recent))
        if step % RISK_EVERY and step != settings.steps:
            return False
        risks[step] = risk(result.eval())
        ended = stop(step, risks[step])
        student.train()
        if stop.best_step == step:
            kept.update({name: value.clone() for name, value in result.state_dict().items()})
        return ended

    if risk is not None:
        ends(0)
    steps = settings.steps
    if pairs.noise_hu is not None:
        least, most = WORTH_TUNING_HU
        steps *= least <= pairs.noise_hu <= most
    for step in range(1, steps + 1):
        pseudo_ldct, pseudo_ndct = pairs.draw()
        loss = image_loss(settings.loss, student(pseudo_ldct), pseudo_ndct)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        if average is not None:
            average.update_parameters(student)
        losses.append(loss.item())
        schedule.step(losses[-1])
        last = step == settings.steps
        if settings.update_period and step % settings.update_period == 0 and not last:
            teacher.load_state_dict(averaged(student, average).state_dict())
            pairs.refresh(teacher)
        progress(step, losses[-1], averaged(student, average))
        if ends(step):
            break
    result = averaged(student, average)
    share = 1.0
    if kept:
        result.load_state_dict(kept)
        share = believed_share(risks, stop.best_step, risk.removed_energy)
        go_part_of_the_way(result, network, share)
    if settings.update_period:
        teacher.load_state_dict(result.state_dict())
    record = TuningRecord(
        losses,
        risks,
        stop.best_step if risk is not None else None,
        share,
        pairs.noise_hu,
        pairs.sharpness,
    )
    return FineTuned(result.eval(), teacher, record)


def believed_share(risks: dict[int, float], step: int, removed_energy: float) -> float:
    """The share of the way from the start's weights to those of ``step`` that is gone.

    None at step 0, the whole where the risk fell by more than :data:`BELIEVED_WHOLE`, else half.
    """
    if not step:
        return 0.0
    return 1.0 if risks[0] - risks[step] > BELIEVED_WHOLE * removed_energy else 0.5


def go_part_of_the_way(result: nn.Module, start: nn.Module, share: float) -> None:
    """Set weights to ``share`` of the way from those of the start to their own."""
    with torch.no_grad():
        for tuned, before in zip(result.parameters(), start.parameters(), strict=True):
            tuned.copy_(torch.lerp(before, tuned, share))


def risk_rule(patience: int | None, removed_energy: float) -> StopRule:
    """The rule for values of :class:`.ScanRisk`."""
    return StopRule(patience, RISK_TOLERANCE * removed_energy)


class StopRule:
    """True once ``best_step`` lies ``patience`` steps back; None waits for ever.

    ``best_step`` is the step of the lowest value, or the latest one after it whose value is less
    than ``tolerance`` above it and below the very first.
    """

    def __init__(self, patience: int | None, tolerance: float = 0.0):
        self.patience = patience
        self.tolerance = tolerance
        self.best_step = 0
        self._first: float | None = None
        self._lowest = float("inf")

    def __call__(self, step: int, value: float) -> bool:
        if self._first is None:
            self._first = value
        if value < min(self._lowest + self.tolerance, self._first) or value < self._lowest:
            self.best_step = step
        self._lowest = min(self._lowest, value)
        return self.patience is not None and step - self.best_step >= self.patience
