"""What a denoiser is shown and what it is held against: N2C, N2N or masked pixels (N2V, N2S)."""

from __future__ import annotations

from typing import NamedTuple

import torch
from PseudoCTDenoiseLib.ct.hounsfield import RANGE_HU

from .masking import mask_n2s, mask_n2v

N2C, N2N_GAUSSIAN, N2V, N2S = "n2c", "n2n-gaussian", "n2v", "n2s"
SUPERVISIONS = (N2C, N2N_GAUSSIAN, N2V, N2S)


class Lesson(NamedTuple):
    """What the network sees and what it should say, (count, 1, rows, columns) each.

    ``where`` is True on the pixels that count; None where all do.
    """

    shown: torch.Tensor
    wanted: torch.Tensor
    where: torch.Tensor | None


def supervise(
    supervision: str,
    ldct: torch.Tensor,
    ndct: torch.Tensor,
    generator: torch.Generator,
    gaussian_hu: float,
) -> Lesson:
    """The lesson of a batch of patches, (count, 1, rows, columns), normalised.

    Parameters
    ----------
    supervision : ``n2c`` shows LDCT and wants NDCT. ``n2n-gaussian`` shows LDCT and wants LDCT,
        each with Gaussian noise of its own (N2N in the sense of arXiv 2104.02326). ``n2v`` and
        ``n2s`` show LDCT with hidden pixels and want these. Only the first looks at ``ndct``.
    gaussian_hu : standard deviation of the Gaussian noise.
    """
    if supervision == N2C:
        return Lesson(ldct, ndct, None)
    if supervision == N2N_GAUSSIAN:
        noise = torch.randn((2, *ldct.shape), generator=generator) * (gaussian_hu / RANGE_HU)
        return Lesson(ldct + noise[0], ldct + noise[1], None)
    masked, where = (mask_n2v if supervision == N2V else mask_n2s)(ldct, generator)
    return Lesson(masked, ldct, where)
