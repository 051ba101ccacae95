"""Short training runs that compare how well networks and settings generalise.

All learn from the same narrow domain and are validated on conditions outside it: a sharper kernel,
a lower dose, thicker slices.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from PseudoCTDenoiseLib.denoising.inference import apply_network
from torch import nn

from .pretraining import FAST_PRETRAINING, PretrainingSettings, validation_patches
from .training_domain import TrainingDomain, exactly
from .training_pairs import NoisySlice

NARROW = TrainingDomain(doses=(0.12, 0.7), sharpness=(-0.2, 0.7), thickness=(1, 2))
HELD_OUT = {
    "seen": (0.25, 0.2, 1),
    "kernel": (0.25, 1.2, 1),
    "dose": (0.06, 0.2, 1),
    "thickness": (0.25, 0.2, 3),
}
"""Validation sets: dose fraction, sharpness of the kernel, number of averaged slices. All but the
first lie outside :data:`NARROW`."""

BASE = replace(
    FAST_PRETRAINING,
    parameters={"widths": [16, 48, 96, 192]},
    steps=800,
    moving_average=0.99,
    validate_every=100,
    domain=NARROW,
)


@dataclass(frozen=True)
class Trial:
    """Training run that differs from :data:`BASE` in one setting, stated by its name."""

    name: str
    settings: PretrainingSettings


def _network(name: str, architecture: str = "UNet", **parameters) -> Trial:
    return Trial(name, replace(BASE, architecture=architecture, parameters=parameters))


_BASE = Trial("U-Net 16-48-96-192 on 2×2", BASE)

TRIALS = {
    "architecture": [
        _BASE,
        _network("U-Net 20-40-80-160 on 2×2", widths=[20, 40, 80, 160]),
        _network("U-Net 24-56-80 on 2×2", widths=[24, 56, 80]),
        _network("U-Net 64-128-192 on 4×4", widths=[64, 128, 192], unshuffle=4),
        _network("U-Net 4-16-40-80-160 on 1×1", widths=[4, 16, 40, 80, 160], unshuffle=1),
        _network("RED-CNN with 8 channels", "RedCnn", channels=8),
    ],
    "training": [
        _BASE,
        Trial("L1 for MSE", replace(BASE, loss="l1")),
        Trial("patches not balanced", replace(BASE, balance=False)),
        Trial("no moving average", replace(BASE, moving_average=None)),
        Trial("plateau for cosine", replace(BASE, schedule="plateau")),
        Trial("plain NDCT as target", replace(BASE, domain=replace(NARROW, noise_left=None))),
        Trial("half the steps", replace(BASE, steps=400)),
    ],
}
"""Group of compared settings → trials; the trial of :data:`BASE` is the first of each group."""


def held_out_patches(
    slices: Sequence[NoisySlice], count: int = 32, size: int = 160
) -> dict[str, tuple[torch.Tensor, torch.Tensor]]:
    """Draw patches of every set of :data:`HELD_OUT`, from slices with two neighbours below."""
    deep = [s for s in slices if s.below is not None and s.below.below is not None]
    left = TrainingDomain().noise_left
    return {
        name: validation_patches(deep, count, size, exactly(dose, sharpness, left, thickness))
        for name, (dose, sharpness, thickness) in HELD_OUT.items()
    }


def milliseconds_a_slice(network: nn.Module, rows: int = 512, runs: int = 7) -> float:
    """Measure the median time of a forward pass on a slice of rows × rows, on the CPU."""
    network = network.eval().to(memory_format=torch.channels_last)
    image = torch.rand(1, rows, rows)
    for _ in range(3):  # warm-up
        apply_network(network, image)
    times = []
    for _ in range(runs):
        started = time.perf_counter()
        apply_network(network, image)
        times.append(time.perf_counter() - started)
    return 1000 * float(np.median(times))
