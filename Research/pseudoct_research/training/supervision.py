"""Input and target of a denoiser in training: N2C, N2N or masked pixels (N2V)."""

from __future__ import annotations

from typing import NamedTuple

import torch
from PseudoCTDenoiseLib.ct.hounsfield import RANGE_HU

from .masking import mask_n2v

N2C, N2N_GAUSSIAN, N2V = "n2c", "n2n-gaussian", "n2v"
SUPERVISIONS = (N2C, N2N_GAUSSIAN, N2V)


class TrainingBatch(NamedTuple):
    """Input and target of the network, (count, 1, rows, columns) each.

    ``mask`` is True on the pixels that enter the loss; None if all pixels do.
    """

    input: torch.Tensor
    target: torch.Tensor
    mask: torch.Tensor | None


def supervise(
    supervision: str,
    ldct: torch.Tensor,
    ndct: torch.Tensor,
    generator: torch.Generator,
    gaussian_hu: float,
) -> TrainingBatch:
    """Return input and target for patches of LDCT and NDCT, (count, 1, rows, columns), normalised.

    Parameters
    ----------
    supervision : ``n2c`` maps LDCT to NDCT. ``n2n-gaussian`` maps LDCT to LDCT, each with
        independent Gaussian noise (N2N in the sense of arXiv 2104.02326). ``n2v``
        predicts masked pixels of the LDCT. Only ``n2c`` uses ``ndct``.
    gaussian_hu : standard deviation of the Gaussian noise in HU.
    """
    if supervision == N2C:
        return TrainingBatch(ldct, ndct, None)
    if supervision == N2N_GAUSSIAN:
        noise = torch.randn((2, *ldct.shape), generator=generator) * (gaussian_hu / RANGE_HU)
        return TrainingBatch(ldct + noise[0], ldct + noise[1], None)
    masked, mask = mask_n2v(ldct, generator)
    return TrainingBatch(masked, ldct, mask)
