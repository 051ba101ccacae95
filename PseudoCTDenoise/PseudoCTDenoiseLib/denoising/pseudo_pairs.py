"""Pseudo-CT pairs of a scan: the pseudo-NDCT Ỹ and the pseudo-LDCT X̃ = Ỹ + noise.

Source: arXiv 2104.02326, section 2.2 and algorithm 1.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import nn

from ..ct.hounsfield import RANGE_HU, to_hu
from .clipping import box_mean, cut_off_chance, cut_off_mean, padding
from .inference import apply_network
from .noise_estimation import ScanNoise
from .noise_maps import apply_sign, ensemble
from .patches import Augmentation, augment, patch_corner
from .settings import DenoisingSettings
from .sure import ScanRisk
from .target_noise import NOISE_LEFT, target_share

REPEATED_DOSES = (0.35, 0.65)
"""Fractions of its own dose at which the scan is taken once more, by noise added to it."""
TWIN_NOISE = math.sqrt(NOISE_LEFT)
"""Noise of the normal-dose twin, in units of the scan's own: that of four times its dose."""


class PseudoPairs:
    """Draws patches (X̃, Ỹ) of the slices that a network is tuned on.

    Parameters
    ----------
    slices : X, (N, rows, columns), normalised.
    noise_maps : Z, (M, N, rows, columns), of the same slices.
    pixel_mm : side of a pixel, for the simulator; None if it is not known.

    Attributes
    ----------
    pseudo_ndct : Ỹ, (N, rows, columns). Of the teacher ``scan`` it is X itself, where noise is cut
        off at −1024 HU darkened to the mean of its normal-dose twin.
    noise_hu, sharpness : the noise that the simulator was set to, its standard deviation in the
        body and its kernel's place between soft (0) and sharp (1); None where none was drawn.
    """

    def __init__(
        self,
        slices: torch.Tensor,
        noise_maps: torch.Tensor,
        settings: DenoisingSettings,
        pixel_mm: float | None = None,
    ):
        self.slices = slices
        self.noise_maps = noise_maps
        self.settings = settings
        self.pixel_mm = pixel_mm
        self.size = min(settings.patch_size, *slices.shape[-2:])
        self.augmentation = Augmentation(
            flips=settings.flips,
            rotations=settings.flips and settings.teacher == "scan",
            rescale=settings.rescale,
        )
        self._rng = np.random.default_rng(settings.seed)
        self._generator = torch.Generator(slices.device).manual_seed(settings.seed)
        self.pseudo_ndct, self.noise = slices, noise_maps
        self._kept = torch.ones_like(slices)
        self.noise_hu: float | None = None
        self.sharpness: float | None = None

    def refresh(self, teacher: nn.Module) -> None:
        """Make Ỹ and the noise anew after the teacher has changed."""

        def denoise(slices: torch.Tensor, orientations: int = 1) -> torch.Tensor:
            return apply_network(teacher, slices, orientations=orientations)

        if self.settings.teacher != "scan":
            self.pseudo_ndct = denoise(self.slices, 1 if self.settings.teacher == "network" else 8)
        if self.settings.teacher == "average":
            cleaned = self.slices - self.noise_maps.mean(dim=0)
            self.pseudo_ndct = (self.pseudo_ndct + cleaned) / 2
        if self.settings.noise_source == "simulator":
            measured = ScanNoise(self.slices, denoise, self.pixel_mm, self.settings.seed)
            risk = ScanRisk(self.slices, measured.draws[0])
            level = risk.believable_level(teacher)
            self.noise = level * measured.draws
            if self.settings.teacher == "scan":
                self._aim_at_the_twin(to_hu(measured.clean))
            self.noise_hu, self.sharpness = level * risk.noise_hu, measured.sharpness
            return
        residual = (self.slices - self.pseudo_ndct)[None]
        self.noise = {
            "models": self.noise_maps,
            "both": torch.cat([self.noise_maps, residual]),
            "residual": residual,
        }[self.settings.noise_source]

    def _aim_at_the_twin(self, shown_hu: torch.Tensor) -> None:
        """Set Ỹ, and the noise that it keeps, by what is seen without noise."""
        deviation_hu = box_mean((self.noise**2).mean(dim=0)).sqrt() * RANGE_HU
        empty = padding(to_hu(self.slices))
        self.noise = self.noise.masked_fill(empty, 0)
        raised = cut_off_mean(shown_hu, deviation_hu)
        twin_raised = cut_off_mean(shown_hu, TWIN_NOISE * deviation_hu)
        self.pseudo_ndct = self.slices - ((raised - twin_raised) / RANGE_HU).masked_fill(empty, 0)
        self._kept = 1 - cut_off_chance(shown_hu, deviation_hu)

    def draw(self) -> tuple[torch.Tensor, torch.Tensor]:
        """X̃ and Ỹ, (batch, 1, size, size) each, normalised."""
        places = [self._place() for _ in range(self.settings.batch)]

        def cut_out(images: torch.Tensor, dim: int = 0) -> torch.Tensor:
            return torch.stack([images[place] for place in places], dim)

        ndct, noise = cut_out(self.pseudo_ndct), cut_out(self.noise, dim=1)
        if self.settings.noise_source == "simulator":  # draws of one noise: none is to be mixed
            pick = torch.from_numpy(self._rng.integers(len(noise), size=noise.shape[1]))
            noise = noise[pick, torch.arange(noise.shape[1])]
        else:
            noise = ensemble(noise, self.settings.ensemble, self._generator)
        noise = apply_sign(noise, self.settings.noise_sign, self._generator)
        if self.settings.teacher == "scan":
            kept = noise * cut_out(self._kept)
            ldct, ndct = self._repeated(cut_out(self.slices), noise, ndct, kept)
        else:
            ldct = ndct + noise
        pairs = torch.stack([ldct, ndct], dim=1)
        pairs = torch.stack([augment(pair, self._rng, self.augmentation) for pair in pairs])
        return pairs[:, :1], pairs[:, 1:]

    def _place(self) -> tuple:
        """Index of a random patch of a random slice."""
        index = self._rng.integers(len(self.slices))
        top, left = patch_corner(self.slices[index], self.size, self._rng)
        return np.s_[..., index, top : top + self.size, left : left + self.size]

    def _repeated(
        self, scan: torch.Tensor, noise: torch.Tensor, ndct: torch.Tensor, kept: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """The scan at a fraction of its dose, by ``noise``, and its target.

        Of the noise that is ``kept`` the target has the share that :func:`.target_share` says. It
        may lie below the scale's end, or it would be too bright in its turn.
        """
        doses = np.exp(self._rng.uniform(*np.log(REPEATED_DOSES), size=len(scan)))
        added = [math.sqrt(1 / dose - 1) for dose in doses]
        shares = [math.sqrt(1 / dose - 1) * target_share(dose) for dose in doses]
        added, shares = (scan.new_tensor(one)[:, None, None] for one in (added, shares))
        return (scan + added * noise).clamp(min=0), ndct + shares * kept
