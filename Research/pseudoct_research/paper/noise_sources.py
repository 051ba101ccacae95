"""Noise that no network predicts: from a histogram, and Gaussian (arXiv 2104.02326, section 3).

Each is a module in the place of a noise model: it maps normalised slices to noise of their shape,
normalised without the offset, of which every pixel is drawn by itself, from torch's default
generator, which a job seeds.
"""

from __future__ import annotations

import numpy as np
import torch
from PseudoCTDenoiseLib.ct.hounsfield import RANGE_HU, TISSUE_HU
from torch import nn

DRAWS = 8
"""Realisations that stand in the place of as many noise models: the ensemble picks one of them
for each pixel anew at every step, so that hardly any noise comes twice."""


def difference_histogram(ldct: np.ndarray, ndct: np.ndarray) -> tuple[int, np.ndarray]:
    """The lowest difference LDCT − NDCT in HU, and how many pixels have it and each HU above.

    Of what shows the body (above −500 HU), where a method is judged: in air the noise is weaker,
    and cut off at −1024 HU. The paper's differences are NDCT − LDCT: the same mirrored, and added
    with the sign turned.
    """
    body = ndct > TISSUE_HU
    difference = np.rint(ldct[body].astype(np.float32) - ndct[body]).astype(int)
    lowest = int(difference.min())
    return lowest, np.bincount(difference - lowest)


class HistogramNoise(nn.Module):
    """Noise drawn from a :func:`difference_histogram` of the training subjects (Hist)."""

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
    """White Gaussian noise of a standard deviation in HU."""

    def __init__(self, deviation_hu: float):
        super().__init__()
        self.deviation_hu = deviation_hu

    def forward(self, slices: torch.Tensor) -> torch.Tensor:
        noise = torch.randn(slices.shape)
        return (noise * (self.deviation_hu / RANGE_HU)).to(slices)
