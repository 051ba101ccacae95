"""Pseudo-CT pairs of a scan: the pseudo-NDCT Ỹ and the pseudo-LDCT X̃ = Ỹ + noise.

Source: arXiv 2104.02326, section 2.2 and algorithm 1. The default method uses
:class:`ScanTargetPairs`, the paper :class:`NetworkTargetPairs`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
import torch
from torch import nn

from ..ct.hounsfield import RANGE_HU, to_hu
from .clipping import clipping_bias, clipping_probability, padding
from .inference import apply_network
from .noise_estimation import NoiseEstimate, estimate_noise
from .noise_maps import apply_sign, ensemble
from .patches import Augmentation, augment, patch_corner
from .settings import DenoisingSettings
from .sure import SureEstimate
from .target_noise import RESIDUAL_NOISE_FRACTION, target_noise_fraction
from .tensor_box_mean import double_box_mean

DOSE_RANGE = (0.35, 0.65)
"""Range of the simulated doses, as fractions of the scan's own dose."""
REFERENCE_NOISE = math.sqrt(RESIDUAL_NOISE_FRACTION)
"""Standard deviation of the normal-dose reference's noise over that of the scan's noise.

A denoiser that leaves the fraction r of the noise's standard deviation estimates a reference at 1/r
times the scan's dose (see :func:`.target_noise_fraction`). The variance of noise is inversely
proportional to the dose, so the reference has the fraction r of the variance, and √r of the
standard deviation.
"""


@dataclass(frozen=True)
class SimulatedNoise(NoiseEstimate):
    """Estimate of the scan's noise, at a level that gives the teacher a plausible risk.

    Attributes
    ----------
    noise_hu : standard deviation inside the body.
    has_body : False if the slices show too little of a body to measure the noise.
    """

    noise_hu: float
    has_body: bool


class PseudoPairs(Protocol):
    """Pairs of patches that a network is tuned on.

    Attributes
    ----------
    pseudo_ndct : Ỹ, (N, rows, columns), normalised.
    simulated : the noise of the simulator; None if the noise models make the noise.
    """

    pseudo_ndct: torch.Tensor
    simulated: SimulatedNoise | None

    def refresh(self, teacher: nn.Module) -> None:
        """Recompute Ỹ and the noise. Call it before the first draw and after a teacher update."""

    def draw(self) -> tuple[torch.Tensor, torch.Tensor]:
        """Return random patches of X̃ and Ỹ, (batch, 1, size, size) each, normalised."""


def make_pseudo_pairs(
    slices: torch.Tensor,
    noise_maps: torch.Tensor,
    settings: DenoisingSettings,
    pixel_mm: float | None = None,
) -> PseudoPairs:
    """Return the pairs for the teacher and the noise source of the settings.

    Parameters
    ----------
    slices : X, (N, rows, columns), normalised.
    noise_maps : Z, (M, N, rows, columns), of the same slices; M may be 0 with the simulator.
    pixel_mm : side of a pixel, for the simulator; None if it is unknown.
    """
    if settings.teacher == "scan":
        return ScanTargetPairs(slices, settings, pixel_mm)
    return NetworkTargetPairs(slices, noise_maps, settings, pixel_mm)


class ScanTargetPairs:
    """Pairs of the scan with added simulated noise, as at a lower dose, and the scan as the target.

    The target contains c times the added noise. c is negative at the doses of :data:`DOSE_RANGE`,
    see :func:`.target_noise_fraction`. Where the scan's noise is clipped at −1024 HU, the target is
    lowered to the mean of the normal-dose reference. See :class:`PseudoPairs` for attributes and
    methods.
    """

    def __init__(
        self, slices: torch.Tensor, settings: DenoisingSettings, pixel_mm: float | None = None
    ):
        self.pseudo_ndct = slices
        self.simulated: SimulatedNoise | None = None
        self._slices, self._settings, self._pixel_mm = slices, settings, pixel_mm
        self._sampler = _PatchSampler(slices, settings, rotations=settings.flips)
        self._kept = torch.ones_like(slices)

    def refresh(self, teacher: nn.Module) -> None:
        seed = self._settings.seed
        simulated = simulate_noise(self._slices, teacher, self._pixel_mm, seed)
        signal_hu = to_hu(simulated.denoised)
        deviation_hu = double_box_mean((simulated.draws**2).mean(dim=0)).sqrt() * RANGE_HU
        empty = padding(to_hu(self._slices))
        bias = clipping_bias(signal_hu, deviation_hu)
        reference_bias = clipping_bias(signal_hu, REFERENCE_NOISE * deviation_hu)
        excess = (bias - reference_bias) / RANGE_HU
        self.pseudo_ndct = self._slices - excess.masked_fill(empty, 0)
        self._kept = 1 - clipping_probability(signal_hu, deviation_hu)
        self.simulated = replace(simulated, draws=simulated.draws.masked_fill(empty, 0))

    def draw(self) -> tuple[torch.Tensor, torch.Tensor]:
        sampler = self._sampler
        places = sampler.places()
        target = _cut(self.pseudo_ndct, places)
        noise = sampler.pick_draw(_cut(self.simulated.draws, places, dim=1))
        noise = apply_sign(noise, self._settings.noise_sign, sampler.generator)
        kept = noise * _cut(self._kept, places)
        scan = _cut(self._slices, places)
        return sampler.augmented(*self._at_lower_dose(scan, noise, target, kept))

    def _at_lower_dose(
        self, scan: torch.Tensor, noise: torch.Tensor, target: torch.Tensor, kept: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the scan at random fractions of its dose, and its target.

        The target contains c times the added noise, weighted by the probability that noise is not
        clipped (``kept``). The target itself is not clipped: clipping would raise its mean.
        """
        doses = np.exp(self._sampler.rng.uniform(*np.log(DOSE_RANGE), size=len(scan)))
        added = [math.sqrt(1 / dose - 1) for dose in doses]
        shares = [math.sqrt(1 / dose - 1) * target_noise_fraction(dose) for dose in doses]
        added, shares = (scan.new_tensor(factors)[:, None, None] for factors in (added, shares))
        return (scan + added * noise).clamp(min=0), target + shares * kept


class NetworkTargetPairs:
    """Pairs of the teacher's output plus noise, and the teacher's output as the target.

    The noise is the ensemble of the noise models' maps (the paper) or that of the simulator. See
    :class:`PseudoPairs` for attributes and methods.
    """

    def __init__(
        self,
        slices: torch.Tensor,
        noise_maps: torch.Tensor,
        settings: DenoisingSettings,
        pixel_mm: float | None = None,
    ):
        self.pseudo_ndct = slices
        self.simulated: SimulatedNoise | None = None
        self._slices, self._noise_maps = slices, noise_maps
        self._settings, self._pixel_mm = settings, pixel_mm
        self._sampler = _PatchSampler(slices, settings, rotations=False)

    def refresh(self, teacher: nn.Module) -> None:
        if self._settings.noise_source == "models":
            self.pseudo_ndct = apply_network(teacher, self._slices)
            return
        seed = self._settings.seed
        self.simulated = simulate_noise(self._slices, teacher, self._pixel_mm, seed)
        self.pseudo_ndct = self.simulated.denoised

    def draw(self) -> tuple[torch.Tensor, torch.Tensor]:
        sampler = self._sampler
        places = sampler.places()
        target = _cut(self.pseudo_ndct, places)
        if self.simulated is None:
            noise = ensemble(_cut(self._noise_maps, places, dim=1), sampler.generator)
        else:
            noise = sampler.pick_draw(_cut(self.simulated.draws, places, dim=1))
        noise = apply_sign(noise, self._settings.noise_sign, sampler.generator)
        return sampler.augmented(target + noise, target)


def simulate_noise(
    slices: torch.Tensor, teacher: nn.Module, pixel_mm: float | None, seed: int
) -> SimulatedNoise:
    """Simulate the scan's own noise. Reduce it if it gives the teacher an implausible risk."""
    estimate = estimate_noise(slices, lambda images: apply_network(teacher, images), pixel_mm, seed)
    risk = SureEstimate(slices, estimate.draws[0])
    scale = risk.plausible_noise_scale(teacher)
    return SimulatedNoise(
        scale * estimate.draws,
        estimate.texture,
        estimate.denoised,
        scale * risk.noise_hu,
        risk.has_body,
    )


class _PatchSampler:
    """Random choices behind the patches: positions, realisations of noise, and augmentation."""

    def __init__(self, slices: torch.Tensor, settings: DenoisingSettings, rotations: bool):
        self._slices = slices
        self._batch = settings.batch
        self._size = min(settings.patch_size, *slices.shape[-2:])
        self._augmentation = Augmentation(settings.flips, rotations, settings.rescale)
        self.rng = np.random.default_rng(settings.seed)
        self.generator = torch.Generator(slices.device).manual_seed(settings.seed)

    def places(self) -> list[tuple]:
        """Return the index of a random patch of a random slice, ``batch`` times."""
        return [self._place() for _ in range(self._batch)]

    def pick_draw(self, noise: torch.Tensor) -> torch.Tensor:
        """Return one of the realisations, (DRAWS, batch, size, size), for each patch."""
        count, batch = noise.shape[:2]
        pick = torch.from_numpy(self.rng.integers(count, size=batch))
        return noise[pick, torch.arange(batch)]

    def augmented(
        self, ldct: torch.Tensor, ndct: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return (batch, 1, size, size) patches. A pair has the same flip, rotation and zoom."""
        pairs = torch.stack([ldct, ndct], dim=1)
        pairs = torch.stack([augment(pair, self.rng, self._augmentation) for pair in pairs])
        return pairs[:, :1], pairs[:, 1:]

    def _place(self) -> tuple:
        index = self.rng.integers(len(self._slices))
        top, left = patch_corner(self._slices[index], self._size, self.rng)
        return np.s_[..., index, top : top + self._size, left : left + self._size]


def _cut(images: torch.Tensor, places: list[tuple], dim: int = 0) -> torch.Tensor:
    return torch.stack([images[place] for place in places], dim)
