"""Reconstruction kernels as filters of the projections."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch


@dataclass(frozen=True)
class ReconstructionKernel:
    """Filter sqrt(f² + f1²) · exp(−(f/f0)^order): an apodised ramp, frequencies in 1/cm.

    ``f1_per_cm`` raises the ramp at low frequencies: real scans have more noise below 0.4 /cm than
    a ramp filter passes.
    """

    name: str
    f0_per_cm: float
    order: float
    f1_per_cm: float = 0.15

    def response(self, frequency_per_cm: torch.Tensor) -> torch.Tensor:
        """Return the filter in 1/cm at each frequency in 1/cm."""
        ramp = (frequency_per_cm**2 + self.f1_per_cm**2).sqrt()
        return ramp * torch.exp(-self.damping(frequency_per_cm))

    def damping(self, frequency_per_cm: torch.Tensor) -> torch.Tensor:
        """Return the negative logarithm of the apodisation at each frequency in 1/cm."""
        return (frequency_per_cm / self.f0_per_cm) ** self.order

    @property
    def cutoff_per_cm(self) -> float:
        """Frequency above which the apodisation is below 1 %."""
        return self.f0_per_cm * math.log(100) ** (1 / self.order)


SOFT = ReconstructionKernel("soft", f0_per_cm=4.25, order=2.1)
"""Kernel fitted to B30f of a Siemens scanner: patients L143 and L192 of the 2016 AAPM challenge."""

SHARP = ReconstructionKernel("sharp", f0_per_cm=8.2, order=3.2)
"""Kernel fitted to D45f of the same scanner: patients L143, L192 and L286."""

KERNELS = {kernel.name: kernel for kernel in (SOFT, SHARP)}


def kernel_at_sharpness(sharpness: float) -> ReconstructionKernel:
    """Return the kernel between soft (0) and sharp (1), interpolated geometrically."""
    f0 = SOFT.f0_per_cm * (SHARP.f0_per_cm / SOFT.f0_per_cm) ** sharpness
    order = SOFT.order * (SHARP.order / SOFT.order) ** sharpness
    return ReconstructionKernel(f"sharpness {sharpness:.2f}", f0, order)


def nearest_kernel(kernel: ReconstructionKernel) -> ReconstructionKernel:
    """Return the soft or the sharp kernel, whichever is nearer to the given one."""
    between = math.sqrt(SOFT.f0_per_cm * SHARP.f0_per_cm)
    return SHARP if kernel.f0_per_cm > between else SOFT
