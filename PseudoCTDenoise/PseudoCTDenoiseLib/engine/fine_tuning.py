"""Fine-tuning of a denoiser on the scan at hand (arXiv 2104.02326, algorithm 1)."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import nn

from .losses import image_loss
from .pseudo_pairs import PseudoPairs
from .settings import DenoisingSettings

SMOOTHING_STEPS = 20


@dataclass(frozen=True)
class FineTuned:
    """The tuned networks and the loss of every step, in HU or HU² by the loss.

    ``student`` is the result; with a moving average, the average of the student's weights.
    """

    student: nn.Module
    teacher: nn.Module
    losses: list[float]


def fine_tune(
    network: nn.Module,
    slices: torch.Tensor,
    noise_maps: torch.Tensor,
    settings: DenoisingSettings,
    *,
    precision: torch.dtype = torch.float32,
    progress: Callable[[int, float, nn.Module], None] = lambda step, loss, student: None,
) -> FineTuned:
    """Tune a copy of a network on pseudo-CT pairs of a scan.

    Parameters
    ----------
    network : any module from normalised (N, 1, rows, columns) to the same; left as it is.
    slices : LDCT, (N, rows, columns), normalised, on the network's device.
    noise_maps : (M, N, rows, columns) from :func:`.predict_noise_maps`; M may be 0 where neither
        teacher nor noise source takes them.
    progress : called after every step with its number from 1, its loss and the student; what it
        raises ends the tuning.

    Returns
    -------
    FineTuned
        With an update period the teacher ends equal to the student; without one it stays the
        network that came in, and the student is the result. So the result is the student.
    """
    student = copy.deepcopy(network).train().requires_grad_(True)
    teacher = copy.deepcopy(network).eval()
    average = None
    if settings.moving_average is not None:
        keep = torch.optim.swa_utils.get_ema_multi_avg_fn(settings.moving_average)
        average = torch.optim.swa_utils.AveragedModel(student, multi_avg_fn=keep)
        average.update_parameters(student)
    pairs = PseudoPairs(slices, noise_maps, settings)
    pairs.refresh(teacher, precision)
    optimizer = torch.optim.Adam(student.parameters(), lr=settings.learning_rate)
    schedule = torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, factor=0.5, patience=50)
    stop = StopRule(settings.patience)
    losses: list[float] = []
    kind = slices.device.type

    for step in range(1, settings.steps + 1):
        pseudo_ldct, pseudo_ndct = pairs.draw()
        with torch.autocast(kind, precision, enabled=precision != torch.float32):
            output = student(pseudo_ldct)
        loss = image_loss(settings.loss, output.float(), pseudo_ndct)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        if average is not None:
            average.update_parameters(student)
        losses.append(loss.item())
        schedule.step(losses[-1])
        last = step == settings.steps
        if settings.update_period and step % settings.update_period == 0 and not last:
            teacher.load_state_dict(_result(student, average).state_dict())
            pairs.refresh(teacher, precision)
        progress(step, losses[-1], student)
        if stop(losses):
            break
    result = _result(student, average)
    if settings.update_period:
        teacher.load_state_dict(result.state_dict())
    return FineTuned(result.eval(), teacher, losses)


def _result(student: nn.Module, average: nn.Module | None) -> nn.Module:
    return student if average is None else average.module


class StopRule:
    """True once the smoothed loss has not reached a new low for ``patience`` steps."""

    def __init__(self, patience: int | None):
        self.patience = patience
        self._lowest = float("inf")
        self._lowest_step = 0

    def __call__(self, losses: list[float]) -> bool:
        if self.patience is None or len(losses) < SMOOTHING_STEPS:
            return False
        smoothed = sum(losses[-SMOOTHING_STEPS:]) / SMOOTHING_STEPS
        if smoothed < self._lowest:
            self._lowest, self._lowest_step = smoothed, len(losses)
        return len(losses) - self._lowest_step >= self.patience
