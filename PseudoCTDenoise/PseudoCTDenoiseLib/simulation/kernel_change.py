"""Change of the reconstruction kernel of a reconstructed image.

Filtered back-projection is linear and its kernel is an isotropic filter. The ratio of two
apodisations, applied to the image, therefore converts one kernel to the other, for anatomy and
noise alike.
"""

from __future__ import annotations

from typing import Protocol

import torch

from .reconstruction_kernels import ReconstructionKernel

MAX_GAIN = 12.0
"""Maximum gain of a frequency. Larger gains would amplify rounding errors."""


class Apodisation(Protocol):
    """Kernel of an image, or kernels of a stack of images."""

    def damping(self, frequency_per_cm: torch.Tensor) -> torch.Tensor:
        """Return the negative logarithm of the apodisation at each frequency in 1/cm."""


def change_kernel(
    images: torch.Tensor,
    pixel_mm: float,
    source: ReconstructionKernel,
    target: ReconstructionKernel,
) -> torch.Tensor:
    """Return images, (..., rows, columns) in HU, filtered from one kernel to another.

    Parameters
    ----------
    pixel_mm : side of a square pixel.
    source, target : kernel of ``images`` and of the result.

    Notes
    -----
    The filter treats images as periodic, so a margin of about 10 mm at the border is not valid.
    """
    spectrum = changed_spectrum(images, pixel_mm, source, target)
    return torch.fft.irfft2(spectrum, s=images.shape[-2:])


def changed_spectrum(
    images: torch.Tensor,
    pixel_mm: float | torch.Tensor,
    source: Apodisation,
    target: Apodisation,
) -> torch.Tensor:
    """Return the half spectrum, (..., rows, columns // 2 + 1), of :func:`change_kernel`."""
    rows, columns = images.shape[-2:]
    down = torch.fft.fftfreq(rows, device=images.device)[:, None]
    along = torch.fft.rfftfreq(columns, device=images.device)
    frequency = torch.hypot(down, along) * (10 / pixel_mm)
    gain = (source.damping(frequency) - target.damping(frequency)).clamp(max=10).exp()
    # The limit is soft, because a sharp one would cause ringing.
    return torch.fft.rfft2(images) * (gain / (1 + (gain / MAX_GAIN) ** 4) ** 0.25)
