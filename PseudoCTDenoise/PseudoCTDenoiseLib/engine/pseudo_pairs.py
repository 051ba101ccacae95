"""Pseudo-CT pairs of a scan: the pseudo-NDCT Ỹ and the pseudo-LDCT X̃ = Ỹ + noise.

Source: arXiv 2104.02326, section 2.2 and algorithm 1.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import nn

from .network_pass import apply_network
from .noise_ensemble import apply_sign, ensemble
from .settings import DenoisingSettings
from .training.training_patches import Augmentation, augment, patch_corner


class PseudoPairs:
    """Draws patches (X̃, Ỹ) of the slices that a network is tuned on.

    Parameters
    ----------
    slices : X, (N, rows, columns), normalised.
    noise_maps : Z, (M, N, rows, columns), of the same slices.
    """

    def __init__(self, slices: torch.Tensor, noise_maps: torch.Tensor, settings: DenoisingSettings):
        self.slices = slices
        self.noise_maps = noise_maps
        self.settings = settings
        self.size = min(settings.patch_size, *slices.shape[-2:])
        self.augmentation = Augmentation(
            flips=settings.flips, rotations=False, rescale=settings.rescale
        )
        self._rng = np.random.default_rng(settings.seed)
        self._generator = torch.Generator(slices.device).manual_seed(settings.seed)
        self.pseudo_ndct, self.noise = slices, noise_maps

    def refresh(self, teacher: nn.Module, precision: torch.dtype = torch.float32) -> None:
        """Make Ỹ and the noise anew after the teacher has changed."""
        orientations = 1 if self.settings.teacher == "network" else 8
        self.pseudo_ndct = apply_network(
            teacher, self.slices, orientations=orientations, precision=precision
        )
        if self.settings.teacher == "average":
            cleaned = self.slices - self.noise_maps.mean(dim=0)
            self.pseudo_ndct = (self.pseudo_ndct + cleaned) / 2
        residual = (self.slices - self.pseudo_ndct)[None]
        self.noise = {
            "models": self.noise_maps,
            "both": torch.cat([self.noise_maps, residual]),
            "residual": residual,
        }[self.settings.noise_source]

    def draw(self) -> tuple[torch.Tensor, torch.Tensor]:
        """X̃ and Ỹ, (batch, 1, size, size) each, normalised."""
        ndct, noise = [], []
        for _ in range(self.settings.batch):
            index = self._rng.integers(len(self.slices))
            top, left = patch_corner(self.slices[index], self.size, self._rng)
            here = np.s_[..., index, top : top + self.size, left : left + self.size]
            ndct.append(self.pseudo_ndct[here])
            noise.append(self.noise[here])
        ndct = torch.stack(ndct)
        noise = ensemble(torch.stack(noise, dim=1), self.settings.ensemble, self._generator)
        ldct = ndct + apply_sign(noise, self.settings.noise_sign, self._generator)
        pairs = torch.stack([ldct, ndct], dim=1)
        pairs = torch.stack([augment(pair, self._rng, self.augmentation) for pair in pairs])
        return pairs[:, :1], pairs[:, 1:]
