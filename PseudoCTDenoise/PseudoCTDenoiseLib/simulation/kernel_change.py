"""Change of the reconstruction kernel and pixel size of a reconstructed image.

Filtered back-projection is linear and its kernel is an isotropic filter. The ratio of two
apodisations, applied to the image, therefore converts one kernel to the other, for anatomy and
noise alike. The pixel size is changed in the same spectrum, without interpolation.
"""

from __future__ import annotations

import torch

from .reconstruction_kernels import ReconstructionKernel, StackedKernels

MAX_GAIN = 12.0
"""Maximum gain of a frequency. Larger gains would amplify rounding errors."""


def change_kernel(
    images: torch.Tensor,
    pixel_mm: float | torch.Tensor,
    source: ReconstructionKernel | StackedKernels,
    target: ReconstructionKernel | StackedKernels,
    size: tuple[int, int] | None = None,
) -> torch.Tensor:
    """Return images, (..., rows, columns) in HU, filtered from one kernel to another.

    Parameters
    ----------
    pixel_mm : side of a square pixel of ``images``; for a stack also one per image, (count, 1, 1).
    source, target : kernel of ``images`` and of the result; for a stack also
        :class:`.StackedKernels`.
    size : rows and columns of the result, which shows the same field of view; fewer rows make
        larger pixels. None keeps the size. Sizes must be even if they change.

    Notes
    -----
    The filter treats images as periodic, so a margin of about 10 mm at the border is not valid.
    """
    rows, columns = images.shape[-2:]
    new_rows, new_columns = size or (rows, columns)
    spectrum = torch.fft.rfft2(images)
    down = torch.fft.fftfreq(rows, device=images.device)[:, None]
    along = torch.fft.rfftfreq(columns, device=images.device)
    frequency = torch.hypot(down, along) * (10 / pixel_mm)
    gain = (source.damping(frequency) - target.damping(frequency)).clamp(max=10).exp()
    # The limit is soft, because a sharp one would cause ringing.
    spectrum = spectrum * (gain / (1 + (gain / MAX_GAIN) ** 4) ** 0.25)
    if (new_rows, new_columns) != (rows, columns):
        spectrum = _resized(spectrum, new_rows, new_columns)
        spectrum = spectrum * (new_rows * new_columns / (rows * columns))
    return torch.fft.irfft2(spectrum, s=(new_rows, new_columns))


def _resized(spectrum: torch.Tensor, rows: int, columns: int) -> torch.Tensor:
    """Return a half spectrum, cropped or padded with zeros to that of rows × columns."""
    half = min(spectrum.shape[-2], rows) // 2
    width = min(spectrum.shape[-1] - 1, columns // 2)  # the Nyquist frequency is left out
    resized = spectrum.new_zeros(*spectrum.shape[:-2], rows, columns // 2 + 1)
    resized[..., :half, :width] = spectrum[..., :half, :width]
    resized[..., 1 - half :, :width] = spectrum[..., 1 - half :, :width]
    return resized
