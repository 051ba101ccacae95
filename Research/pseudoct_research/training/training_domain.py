"""What a low-dose scan may look like: the ranges that training patches are drawn from."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from PseudoCTDenoiseLib.denoising.target_noise import NOISE_LEFT
from PseudoCTDenoiseLib.errors import BadInputError
from PseudoCTDenoiseLib.simulation.reconstruction_kernels import (
    ReconstructionKernel,
    kernel_of_sharpness,
)


@dataclass(frozen=True)
class TrainingDomain:
    """Ranges (from, to) of what is drawn anew for each patch.

    Parameters
    ----------
    doses : fractions of the scan's dose, evenly in their logarithm.
    sharpness : the kernel, evenly: 0 is the simulator's soft one and 1 its sharp one, with f0 and
        order of the apodisation between them or, below 0 and above 1, beyond them.
    order_factor : on the order of that apodisation, which makes its shoulder rounder or squarer.
    thickness : so many neighbouring slices, from and to, are averaged where the scan has them.
    zoom : of the pixel size, drawn for every few patches.
    noise_left : share of a patch's whole noise that the target keeps, see :func:`.target_share`.
        None takes the normal-dose scan with its own noise as the target.
    inserts : share of the patches that get ellipses, see :func:`.draw_inserts`; None for none.
    clean : share of the patches that show a scan which a denoiser has cleaned, get no noise and are
        their own target; None for none.
    """

    doses: tuple[float, float] = (0.05, 0.7)
    sharpness: tuple[float, float] = (-0.2, 1.2)
    order_factor: tuple[float, float] = (0.85, 1.25)
    thickness: tuple[int, int] = (1, 3)
    zoom: tuple[float, float] = (0.75, 1.25)
    noise_left: float | None = NOISE_LEFT
    inserts: float | None = None
    clean: float | None = None

    def __post_init__(self):
        if not 0 < self.doses[0] <= self.doses[1] < 1:
            raise BadInputError(f"doses must lie between 0 and 1, not {self.doses}.")
        for name in ("zoom", "thickness"):
            first, last = getattr(self, name)
            if not 0 < first <= last:
                raise BadInputError(f"{name} must be positive, the smaller first.")
        if self.noise_left is not None and not 0 <= self.noise_left < 1:
            raise BadInputError(f"noise_left must lie between 0 and 1, not {self.noise_left}.")
        for name in ("inserts", "clean"):
            share = getattr(self, name)
            if share is not None and not 0 < share <= 1:
                raise BadInputError(f"{name} must be none or at most 1 and above 0, not {share}.")

    def draw_dose(self, rng: np.random.Generator) -> float:
        return math.exp(rng.uniform(*np.log(self.doses)))

    def draw_clean(self, rng: np.random.Generator) -> bool:
        """Whether a patch is to be a clean one."""
        return self.clean is not None and rng.random() < self.clean

    def draw_kernel(self, rng: np.random.Generator) -> ReconstructionKernel:
        return kernel_of_sharpness(rng.uniform(*self.sharpness), rng.uniform(*self.order_factor))


def exactly(
    dose: float, sharpness: float, noise_left: float | None = None, thickness: int = 1
) -> TrainingDomain:
    """One dose, one kernel and so many slices averaged, at the pixel size of the scan."""
    return TrainingDomain(
        doses=(dose, dose),
        sharpness=(sharpness, sharpness),
        order_factor=(1.0, 1.0),
        thickness=(thickness, thickness),
        zoom=(1.0, 1.0),
        noise_left=noise_left,
    )
