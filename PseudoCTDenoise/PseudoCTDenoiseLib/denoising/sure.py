"""Stein's unbiased risk estimate (SURE) of a denoiser on a scan, without a reference.

SURE for noise of any texture (Eldar, IEEE TSP 2009, doi:10.1109/TSP.2008.2008212), with the
divergence by a finite difference (Ramani et al., IEEE TIP 2008, doi:10.1109/TIP.2008.2001404).
"""

from __future__ import annotations

import math

import torch
from torch import nn

from ..ct.hounsfield import RANGE_HU, to_hu
from ..ct.inner_body import inner_body
from .inference import apply_network
from .plan import RISK_SLICES
from .target_noise import RESIDUAL_NOISE_FRACTION

FINITE_DIFFERENCE_STEP = 0.3
"""Step of the finite difference, in units of the scan's noise."""
MINIMUM_RELATIVE_RISK = 0.02
"""Smallest plausible risk, as a fraction of :func:`removed_energy`."""
LOWEST_RELATIVE_RISK = -0.1
"""Risk, in the same units, below which the simulated noise is unlike the scan's. The true risk is
not negative. An error of the noise's level can make the estimate slightly negative, on validation
scans down to −0.03 with a network that was trained narrowly."""
_REMOVED_FRACTION = 1 - RESIDUAL_NOISE_FRACTION


def removed_energy(noise_hu: float) -> float:
    """Return the energy, in HU², that the optimal network removes from noise of this RMS in HU."""
    return max((_REMOVED_FRACTION * noise_hu) ** 2, 1e-12)


class SureEstimate:
    """Estimates E‖f(X) − (clean + r·N)‖² inside the body.

    r is :data:`.RESIDUAL_NOISE_FRACTION`.

    Parameters
    ----------
    slices : X, (N, rows, columns), normalised. The middle :data:`.RISK_SLICES` are used.
    noise : a realisation of noise with the statistics of N, of the same shape.
    """

    def __init__(self, slices: torch.Tensor, noise: torch.Tensor):
        first = max(0, (len(slices) - RISK_SLICES) // 2)
        self.slices = slices[first : first + RISK_SLICES]
        self.noise = noise[first : first + RISK_SLICES]
        self.body = inner_body(to_hu(self.slices))
        self.has_body = not bool(self.body.all())  # the mask of a body leaves out its edge
        self._energy = float((self.noise[self.body] ** 2).mean())

    @property
    def noise_hu(self) -> float:
        """Root mean square of the noise inside the body, in HU."""
        return math.sqrt(self._energy) * RANGE_HU

    @property
    def removed_energy(self) -> float:
        """Noise energy that the optimal network removes, in HU²."""
        return removed_energy(self.noise_hu)

    def __call__(self, network: nn.Module) -> float:
        """Return the risk in HU². Chance or overestimated noise can make it negative."""
        removed, kept = self._measure(network)
        energy = self._energy
        return (
            removed + 2 * _REMOVED_FRACTION * (kept - energy) + _REMOVED_FRACTION**2 * energy
        ) * RANGE_HU**2

    def plausible_noise_scale(self, network: nn.Module) -> float:
        """Return the factor, at most 1, on the noise that gives the network a plausible risk.

        Overestimated noise makes the risk implausibly small. The estimate is linear in the
        noise's energy: at this factor the risk is :data:`MINIMUM_RELATIVE_RISK` of the
        energy that the optimal network removes.
        """
        removed, kept = self._measure(network)
        energy = self._energy
        slope = (
            2 * _REMOVED_FRACTION * (energy - kept)
            - (1 - MINIMUM_RELATIVE_RISK) * _REMOVED_FRACTION**2 * energy
        )
        if slope <= 0 or removed <= 0:
            return 1.0
        return min(1.0, math.sqrt(removed / slope))

    def _measure(self, network: nn.Module) -> tuple[float, float]:
        """Return the mean square of the removed signal, and the noise energy that is kept."""
        output, shifted = (
            apply_network(network, self.slices + step * self.noise)
            for step in (0.0, FINITE_DIFFERENCE_STEP)
        )
        derivative = (shifted - output) / FINITE_DIFFERENCE_STEP
        removed = ((output - self.slices)[self.body] ** 2).mean()
        return float(removed), float((self.noise * derivative)[self.body].mean())
