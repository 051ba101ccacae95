"""Durations of the parts of a job, measured by trial."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

import torch
from torch import nn

from ..models.networks import trainable_copy
from .inference import apply_network
from .losses import image_loss
from .noise_maps import predict_noise_maps
from .plan import PartSeconds
from .settings import DenoisingSettings


def time_parts(
    denoiser: nn.Module,
    noise_models: Sequence[nn.Module],
    image: torch.Tensor,
    settings: DenoisingSettings,
    precision: torch.dtype,
    *,
    with_noise: bool,
) -> PartSeconds:
    """Return the seconds of the parts of a job; 0 for parts that the job does not have.

    Parameters
    ----------
    image : a slice of the scan, (1, rows, columns), normalised, on the networks' device.
    with_noise : time the noise models as well.
    """
    device = image.device.type
    slice_seconds = shortest_time(
        lambda: apply_network(denoiser, image, precision=precision), device
    )
    update_seconds = noise_seconds = 0.0
    tuning_slice_seconds = slice_seconds
    if settings.tunes:
        update_seconds = time_update(denoiser, image, settings)
        if precision != torch.float32:
            tuning_slice_seconds = shortest_time(lambda: apply_network(denoiser, image), device)
    if with_noise:
        noise_seconds = shortest_time(
            lambda: predict_noise_maps(noise_models, image, precision), device
        )
    return PartSeconds(slice_seconds, update_seconds, noise_seconds, tuning_slice_seconds)


def time_update(denoiser: nn.Module, image: torch.Tensor, settings: DenoisingSettings) -> float:
    """Return the seconds of one update of the network."""
    size = min(settings.patch_size, *image.shape[-2:])
    student = trainable_copy(denoiser)
    optimizer = torch.optim.Adam(student.parameters())
    patches = torch.rand(settings.batch, 1, size, size, device=image.device)

    def update() -> None:
        loss = image_loss(settings.loss, student(patches), patches)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()

    update()  # torch takes seconds to load at the first update
    return shortest_time(update, image.device.type)


def shortest_time(work: Callable[[], object], device: str) -> float:
    """Return the shorter duration of two trials, in seconds."""
    seconds = []
    for _ in range(2):
        started = time.perf_counter()
        work()
        if device == "cuda":
            torch.cuda.synchronize()
        elif device == "mps":
            torch.mps.synchronize()
        seconds.append(time.perf_counter() - started)
    return min(seconds)
