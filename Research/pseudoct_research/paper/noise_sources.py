"""Noise without a noise model: from a histogram, and Gaussian (arXiv 2104.02326, section 3).

Each source is a module that replaces a noise model. It maps normalised slices to noise of the same
shape, normalised without the offset. Pixels are independent and drawn from torch's default
generator, which a job seeds.
"""

from __future__ import annotations

import numpy as np
import torch
from PseudoCTDenoiseLib.ct.hounsfield import RANGE_HU, TISSUE_HU
from torch import nn

DRAWS = 8
"""Number of noise realisations, each in place of a noise model. At every step the ensemble picks
one of them for each pixel, so noise rarely repeats."""


def difference_histogram(ldct: np.ndarray, ndct: np.ndarray) -> tuple[int, np.ndarray]:
    """Return the lowest difference LDCT − NDCT in HU, and pixel counts in steps of 1 HU from it.

    Only the body (above −500 HU) enters, where methods are evaluated: in air the noise is weaker
    and clipped at −1024 HU. The paper uses NDCT − LDCT, the mirrored histogram, and subtracts it.
    """
    body = ndct > TISSUE_HU
    difference = np.rint(ldct[body].astype(np.float32) - ndct[body]).astype(int)
    lowest = int(difference.min())
    return lowest, np.bincount(difference - lowest)


class HistogramNoise(nn.Module):
    """Noise drawn from the :func:`difference_histogram` of the training subjects (Hist)."""

    def __init__(self, lowest: int, counts: np.ndarray):
        super().__init__()
        self.lowest = int(lowest)
        self.cumulative = torch.from_numpy(np.cumsum(counts) / np.sum(counts))

    def forward(self, slices: torch.Tensor) -> torch.Tensor:
        share = torch.rand(slices.shape, dtype=torch.float64)
        bins = torch.searchsorted(self.cumulative, share, right=True)
        within = torch.rand(slices.shape) - 0.5
        hu = self.lowest + bins.clamp(max=len(self.cumulative) - 1) + within
        return (hu / RANGE_HU).to(slices)


class GaussianNoise(nn.Module):
    """White Gaussian noise with a standard deviation in HU."""

    def __init__(self, deviation_hu: float):
        super().__init__()
        self.deviation_hu = deviation_hu

    def forward(self, slices: torch.Tensor) -> torch.Tensor:
        noise = torch.randn(slices.shape)
        return (noise * (self.deviation_hu / RANGE_HU)).to(slices)
