"""Ranges of dose, kernel, thickness and zoom that training patches are drawn from."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from PseudoCTDenoiseLib.denoising.target_noise import RESIDUAL_NOISE_FRACTION
from PseudoCTDenoiseLib.errors import BadInputError
from PseudoCTDenoiseLib.simulation.reconstruction_kernels import (
    ReconstructionKernel,
    kernel_at_sharpness,
)


@dataclass(frozen=True)
class TrainingDomain:
    """Ranges (from, to) of the random properties of a patch.

    Parameters
    ----------
    doses : dose fraction, drawn log-uniformly.
    sharpness : reconstruction kernel, drawn uniformly: 0 is the simulator's soft kernel and 1 its
        sharp kernel; f0 and order of the apodisation are interpolated, and extrapolated below 0
        and above 1.
    order_factor : factor on the order of the apodisation, which makes its shoulder rounder or
        squarer.
    thickness : number of neighbouring slices to average, if the scan has them.
    zoom : factor on the pixel size, drawn once for several patches.
    noise_left : fraction r of the noise's standard deviation that the optimal denoiser leaves, see
        :func:`.target_noise_fraction`. None uses the normal-dose scan with its own noise as the
        target.
    inserts : fraction of the patches with ellipses, see :func:`.draw_inserts`; None disables them.
    clean : fraction of the patches whose input and target are both a denoised scan without added
        noise; None disables them.
    """

    doses: tuple[float, float] = (0.05, 0.7)
    sharpness: tuple[float, float] = (-0.2, 1.2)
    order_factor: tuple[float, float] = (0.85, 1.25)
    thickness: tuple[int, int] = (1, 3)
    zoom: tuple[float, float] = (0.75, 1.25)
    noise_left: float | None = RESIDUAL_NOISE_FRACTION
    inserts: float | None = None
    clean: float | None = None

    def __post_init__(self):
        if not 0 < self.doses[0] <= self.doses[1] < 1:
            raise BadInputError(f"doses must lie between 0 and 1, not {self.doses}.")
        for name in ("zoom", "thickness"):
            first, last = getattr(self, name)
            if not 0 < first <= last:
                raise BadInputError(f"{name} must be a positive range, lower limit first.")
        if self.noise_left is not None and not 0 <= self.noise_left < 1:
            raise BadInputError(f"noise_left must lie between 0 and 1, not {self.noise_left}.")
        for name in ("inserts", "clean"):
            share = getattr(self, name)
            if share is not None and not 0 < share <= 1:
                raise BadInputError(f"{name} must be None or above 0 and at most 1, not {share}.")

    def draw_dose(self, rng: np.random.Generator) -> float:
        return math.exp(rng.uniform(*np.log(self.doses)))

    def draw_clean(self, rng: np.random.Generator) -> bool:
        """Draw whether a patch is clean."""
        return self.clean is not None and rng.random() < self.clean

    def draw_kernel(self, rng: np.random.Generator) -> ReconstructionKernel:
        kernel = kernel_at_sharpness(rng.uniform(*self.sharpness))
        return replace(kernel, order=kernel.order * rng.uniform(*self.order_factor))


def exactly(
    dose: float, sharpness: float, noise_left: float | None = None, thickness: int = 1
) -> TrainingDomain:
    """Return a domain of one dose, kernel and thickness, at the pixel size of the scan."""
    return TrainingDomain(
        doses=(dose, dose),
        sharpness=(sharpness, sharpness),
        order_factor=(1.0, 1.0),
        thickness=(thickness, thickness),
        zoom=(1.0, 1.0),
        noise_left=noise_left,
    )
