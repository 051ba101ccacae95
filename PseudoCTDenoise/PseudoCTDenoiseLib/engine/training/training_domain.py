"""What a low-dose scan may look like: the ranges that training patches are drawn from."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from ..errors import BadInputError
from ..simulation.reconstruction_kernels import SHARP, SOFT, ReconstructionKernel


@dataclass(frozen=True)
class TrainingDomain:
    """Ranges (from, to) of what is drawn anew for each patch.

    Parameters
    ----------
    doses : fractions of the scan's dose, evenly in their logarithm.
    sharpness : the kernel, evenly: 0 is the simulator's soft one and 1 its sharp one, with f0 and
        order of the apodisation between them or, below 0 and above 1, beyond them.
    order_factor : on the order of that apodisation, which makes its shoulder rounder or squarer.
    thickness : 1 to so many neighbouring slices are averaged, where the scan has neighbours.
    zoom : of the pixel size.
    noise_left : share of a patch's whole noise that the target keeps, see :func:`target_share`.
        None takes the normal-dose scan with its own noise as the target.
    """

    doses: tuple[float, float] = (0.05, 0.7)
    sharpness: tuple[float, float] = (-0.2, 1.2)
    order_factor: tuple[float, float] = (0.85, 1.25)
    thickness: int = 3
    zoom: tuple[float, float] = (0.75, 1.25)
    noise_left: float | None = 0.25

    def __post_init__(self):
        if not 0 < self.doses[0] <= self.doses[1] < 1:
            raise BadInputError(f"doses must lie between 0 and 1, not {self.doses}.")
        if not 0 < self.zoom[0] <= self.zoom[1] or self.thickness < 1:
            raise BadInputError("zoom and thickness must be positive.")
        if self.noise_left is not None and not 0 <= self.noise_left < 1:
            raise BadInputError(f"noise_left must lie between 0 and 1, not {self.noise_left}.")

    def draw_dose(self, rng: np.random.Generator) -> float:
        return math.exp(rng.uniform(*np.log(self.doses)))

    def draw_kernel(self, rng: np.random.Generator) -> ReconstructionKernel:
        return kernel_of_sharpness(rng.uniform(*self.sharpness), rng.uniform(*self.order_factor))


def exactly(dose: float, sharpness: float, noise_left: float | None = None) -> TrainingDomain:
    """One dose and one kernel, at the thickness and pixel size of the scan."""
    return TrainingDomain(
        (dose, dose), (sharpness, sharpness), (1.0, 1.0), 1, (1.0, 1.0), noise_left
    )


def kernel_of_sharpness(sharpness: float, order_factor: float = 1.0) -> ReconstructionKernel:
    """The kernel at a place on the line from soft (0) to sharp (1)."""
    f0 = SOFT.f0_per_cm * (SHARP.f0_per_cm / SOFT.f0_per_cm) ** sharpness
    order = SOFT.order * (SHARP.order / SOFT.order) ** sharpness
    return ReconstructionKernel(f"sharpness {sharpness:.2f}", f0, order * order_factor)


def target_share(dose: float, noise_left: float) -> float:
    """The share c of the added noise that the target keeps.

    The normal-dose scan is noisy itself. At a dose fraction a the noise N of the low-dose scan is
    its own and the added one, which look alike; so the best guess of what the scan itself had is
    a·N, and a network trained on plain normal-dose targets leaves the share a of the noise, which
    it would have to guess. With c = (r − a) / (1 − a) of the added noise on the target, the best
    guess is r·N at every dose: the noise is learnt from noisy targets (as in Noisier2Noise, Moran
    et al., CVPR 2020, arXiv:1910.11908), and r is chosen, not guessed.
    """
    return (noise_left - dose) / (1 - dose)
