"""How far a denoiser is from the best one on the scan at hand, without a reference.

Stein's unbiased estimate for noise of any texture (Eldar, IEEE TSP 2009,
doi:10.1109/TSP.2008.2008212) with the divergence by a finite difference (Ramani et al., IEEE TIP
2008, doi:10.1109/TIP.2008.2001404).
"""

from __future__ import annotations

import math

import torch
from torch import nn

from ..ct.hounsfield import RANGE_HU, to_hu
from ..ct.inner_body import inner_body
from .inference import apply_network
from .plan import RISK_SLICES
from .target_noise import NOISE_LEFT

STEP = 0.3
"""Of the finite difference, in units of the scan's noise."""
LEAST_RISK = 0.02
"""What even the best network leaves undone, as a share of the energy that is to be removed."""
_SHARE = 1 - NOISE_LEFT


def removed_energy(noise_hu: float) -> float:
    """What is to be removed of noise of this root mean square, in HU²."""
    return max((_SHARE * noise_hu) ** 2, 1e-12)


class ScanRisk:
    """Estimates E‖f(X) − (clean + r·N)‖² inside of the body, with r = :data:`.NOISE_LEFT`.

    Parameters
    ----------
    slices : X, (N, rows, columns), normalised; the middle ones are used.
    noise : a draw of noise like N, of the same shape.
    """

    def __init__(self, slices: torch.Tensor, noise: torch.Tensor):
        first = max(0, (len(slices) - RISK_SLICES) // 2)
        self.slices = slices[first : first + RISK_SLICES]
        self.noise = noise[first : first + RISK_SLICES]
        self.body = inner_body(to_hu(self.slices))
        self._energy = float((self.noise[self.body] ** 2).mean())

    @property
    def noise_hu(self) -> float:
        """Root mean square of the noise inside of the body, in HU."""
        return math.sqrt(self._energy) * RANGE_HU

    @property
    def removed_energy(self) -> float:
        """What is to be removed of the noise, in HU²."""
        return removed_energy(self.noise_hu)

    def __call__(self, network: nn.Module) -> float:
        """The estimate in HU²; by chance, or by noise that was judged too strong, below zero."""
        removed, kept = self._measure(network)
        energy = self._energy
        return (removed + 2 * _SHARE * (kept - energy) + _SHARE**2 * energy) * RANGE_HU**2

    def believable_level(self, network: nn.Module) -> float:
        """The factor, at most 1, on noise that makes a network look better than any can be.

        The estimate is linear in the noise's energy: the factor is that at which the risk is
        :data:`LEAST_RISK` of the energy that is to be removed.
        """
        removed, kept = self._measure(network)
        energy = self._energy
        slope = 2 * _SHARE * (energy - kept) - (1 - LEAST_RISK) * _SHARE**2 * energy
        if slope <= 0 or removed <= 0:
            return 1.0
        return min(1.0, math.sqrt(removed / slope))

    def _measure(self, network: nn.Module) -> tuple[float, float]:
        """Mean square of what is removed, and how much of the noise the network lets through."""
        here, ahead = (
            apply_network(network, self.slices + step * self.noise) for step in (0.0, STEP)
        )
        along = (ahead - here) / STEP
        removed = ((here - self.slices)[self.body] ** 2).mean()
        return float(removed), float((self.noise * along)[self.body].mean())
