"""Short trainings side by side: which network and which training carry over to scans never seen.

All learn from the same narrow domain and are held against what was left out of it: a sharper
kernel, a lower dose, thicker slices.
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
LEFT_OUT = {
    "seen": (0.25, 0.2, 1),
    "kernel": (0.25, 1.2, 1),
    "dose": (0.06, 0.2, 1),
    "thickness": (0.25, 0.2, 3),
}
"""Validation sets: dose fraction, sharpness of the kernel, slices averaged. All but the first lie
outside of :data:`NARROW`."""

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
    """A training that differs from that of :data:`BASE` in one thing, which its name tells."""

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
"""What is compared → trials, that of :data:`BASE` first."""


def left_out_patches(
    slices: Sequence[NoisySlice], count: int = 32, size: int = 160
) -> dict[str, tuple[torch.Tensor, torch.Tensor]]:
    """Patches of every set of :data:`LEFT_OUT`, from slices that have neighbours below."""
    deep = [one for one in slices if one.below is not None and one.below.below is not None]
    left = TrainingDomain().noise_left
    return {
        name: validation_patches(deep, count, size, exactly(dose, sharpness, left, thickness))
        for name, (dose, sharpness, thickness) in LEFT_OUT.items()
    }


def milliseconds_a_slice(network: nn.Module, rows: int = 512, runs: int = 7) -> float:
    """Median time of a pass over a slice of rows × rows, on the CPU."""
    network = network.eval().to(memory_format=torch.channels_last)
    one = torch.rand(1, rows, rows)
    for _ in range(3):  # the first passes prepare
        apply_network(network, one)
    times = []
    for _ in range(runs):
        started = time.perf_counter()
        apply_network(network, one)
        times.append(time.perf_counter() - started)
    return 1000 * float(np.median(times))
