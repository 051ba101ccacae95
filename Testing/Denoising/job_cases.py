"""Scans, networks and settings of the tests of a job: the default method and the paper's loop."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from PseudoCTDenoiseLib.denoising.denoised_scan import DenoisedScan
from PseudoCTDenoiseLib.denoising.job import DenoisingJob
from PseudoCTDenoiseLib.denoising.plan import JobPlan
from PseudoCTDenoiseLib.denoising.presets import paper_settings
from PseudoCTDenoiseLib.denoising.settings import DenoisingSettings
from PseudoCTDenoiseLib.models.networks import UNet
from torch import nn

SMALL = {
    "device": "cpu",
    "precision": "float32",
    "orientations": 1,
    "steps": 4,
    "learning_rate": 0.1,
    "patch_size": 16,
    "batch": 2,
    "tuning_slices": 2,
}
DEFAULT = DenoisingSettings(**SMALL, moving_average=0.5)
PAPER = paper_settings(**SMALL, moving_average=None, update_period=2)
PRETRAINED = replace(PAPER, method="pretrained")
BOTH = [DEFAULT, PAPER]
NAMES = ["default", "paper"]


class Smoothing(nn.Module):
    """Moves each pixel towards the mean of 3×3 pixels, by a weight that can be tuned."""

    def __init__(self, weight=0.3):
        super().__init__()
        self.weight = nn.Parameter(torch.tensor(weight))

    def forward(self, x):
        padded = nn.functional.pad(x, (1, 1, 1, 1), mode="replicate")
        return x + self.weight * (nn.functional.avg_pool2d(padded, 3, 1) - x)


class Brightening(nn.Module):
    """Smooths and adds a bias of 2 HU."""

    def forward(self, x):
        return Smoothing()(x) + 2 / 4096


def scan(slices=3, rows=40, columns=48):
    """Return soft tissue in fat with white noise of 20 HU, (slices, rows, columns) int16 HU."""
    rng = np.random.default_rng(0)
    hu = np.full((slices, rows, columns), -20.0)
    hu[:, rows // 6 : -rows // 6, columns // 6 : -columns // 6] = 50
    return np.rint(hu + rng.normal(0, 20, hu.shape)).clip(-1024).astype(np.int16)


def bodies(count=7, size=48, seed=0):
    """Return slices of organs that drift slowly, with noise of 5 HU, (count, size, size) HU."""
    rng = np.random.default_rng(seed)
    organs = np.kron(rng.uniform(-100, 200, (size // 8 + 1,) * 2), np.ones((8, 8)))
    drift = np.stack([organs[:size, index // 2 : index // 2 + size] for index in range(count)])
    return np.rint(drift + rng.normal(0, 5, drift.shape)).astype(np.int16)


def scan_with_padding():
    hu = scan()
    hu[:, :5] = -2000
    hu[1, 20, 30] = 3071
    return hu


def unet(seed=0, residual=True):
    torch.manual_seed(seed)
    return UNet([4, 8], residual=residual)


def with_other_last_layers(network, seed):
    """Return a noise model with the trunk of a U-Net."""
    model = unet(seed, residual=False)
    kept = {k: v for k, v in network.state_dict().items() if k not in network.last_layers()}
    model.load_state_dict({**model.state_dict(), **kept})
    return model


def noise_models(count=2):
    return [unet(1 + number, residual=False) for number in range(count)]


def job(hu, settings, models=None, denoiser=None, **options) -> DenoisingJob:
    models = noise_models() if models is None else models
    return DenoisingJob(hu, denoiser or Smoothing(), models, settings, pixel_mm=0.8, **options)


def denoise(hu, settings, models=None, denoiser=None, *, run=None, **options) -> DenoisedScan:
    """Run a job without trials of its parts; ``run`` are options of the run."""
    made = job(hu, settings, models, denoiser, **options)
    return made.run(JobPlan(dict.fromkeys(made.stages, 1.0)), **(run or {}))
