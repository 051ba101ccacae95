"""Reference implementation of the paper's algorithm in float32; the engine must match its result.

Algorithm 1 of arXiv 2104.02326: the noise models predict noise maps, the denoiser is tuned on
patches of pseudo-CT pairs, and the tuned denoiser is applied. The random draws (slices, patches,
flips, zoom, the ensemble's choice) use the engine's functions, so both implementations see the
same patches and their results are comparable. The comparison therefore does not test those
functions.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence

import numpy as np
import torch
from PseudoCTDenoiseLib.ct.slice_selection import evenly_spaced_slices
from PseudoCTDenoiseLib.denoising.noise_maps import ensemble
from PseudoCTDenoiseLib.denoising.patches import Augmentation, augment, patch_corner
from PseudoCTDenoiseLib.denoising.settings import DenoisingSettings
from torch import nn
from torch.nn import functional as F


def apply_reference(network: nn.Module, hu: np.ndarray) -> np.ndarray:
    """Apply a network to (slices, rows, columns) HU; return int16 HU."""
    return _to_hu(_output(network, _normalised(hu)))


def denoise_with_reference_loop(
    hu: np.ndarray,
    denoiser: nn.Module,
    noise_models: Sequence[nn.Module],
    settings: DenoisingSettings,
) -> np.ndarray:
    """Run the paper's loop on (slices, rows, columns) HU; return int16 HU.

    ``settings`` are those of :func:`.printed_settings`.
    """
    x = _normalised(hu[evenly_spaced_slices(hu, settings.tuning_slices)])
    maps = torch.stack([_output(model, x) for model in noise_models])
    student = copy.deepcopy(denoiser).train().requires_grad_(True)
    teacher = copy.deepcopy(denoiser).eval()
    pseudo_ndct = _output(teacher, x)
    optimizer = torch.optim.Adam(student.parameters(), lr=settings.learning_rate)
    schedule = torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, factor=0.5, patience=50)
    rng = np.random.default_rng(settings.seed)
    generator = torch.Generator().manual_seed(settings.seed)
    size = min(settings.patch_size, *hu.shape[1:])
    augmentation = Augmentation(settings.flips, rotations=False, rescale=settings.rescale)
    for step in range(1, settings.steps + 1):
        clean, noise = [], []
        for _ in range(settings.batch):
            index = rng.integers(len(x))
            top, left = patch_corner(x[index], size, rng)
            clean.append(pseudo_ndct[index, top : top + size, left : left + size])
            noise.append(maps[:, index, top : top + size, left : left + size])
        clean, noise = torch.stack(clean), torch.stack(noise, dim=1)
        noisy = clean + ensemble(noise, generator)
        pairs = [
            augment(torch.stack(pair), rng, augmentation) for pair in zip(noisy, clean, strict=True)
        ]
        pairs = torch.stack(pairs)
        loss = F.mse_loss(student(pairs[:, :1]), pairs[:, 1:]) * 4096**2
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step(loss.item())
        last = step == settings.steps
        if settings.update_period and step % settings.update_period == 0 and not last:
            teacher.load_state_dict(student.state_dict())
            pseudo_ndct = _output(teacher, x)
    return apply_reference(student.eval(), hu)


def _output(network: nn.Module, x: torch.Tensor) -> torch.Tensor:
    with torch.no_grad():
        return torch.cat([network(image[None, None])[0] for image in x])


def _normalised(hu: np.ndarray) -> torch.Tensor:
    return (torch.from_numpy(np.maximum(hu, -1024).astype(np.float32)) + 1024) / 4096


def _to_hu(x: torch.Tensor) -> np.ndarray:
    return (x * 4096 - 1024).clamp(-1024, 32767).round().numpy().astype(np.int16)
