"""A reconstructed image as another kernel would have shown it.

Filtered back-projection is linear and its kernel an isotropic filter: the ratio of two kernels'
apodisations, applied to the image, turns the one into the other, anatomy and noise alike. On the
same spectrum the pixel size is changed without interpolation.
"""

from __future__ import annotations

import torch

from .reconstruction_kernels import ReconstructionKernel, StackedKernels

LARGEST_GAIN = 12.0
"""Where the old kernel let nothing through there is nothing to lift but rounding."""


def change_kernel(
    images: torch.Tensor,
    pixel_mm: float | torch.Tensor,
    had: ReconstructionKernel | StackedKernels,
    wanted: ReconstructionKernel | StackedKernels,
    size: tuple[int, int] | None = None,
) -> torch.Tensor:
    """Images, (..., rows, columns) in HU, filtered from one kernel to another.

    Parameters
    ----------
    pixel_mm, had, wanted : side of a square pixel and kernels of ``images``; of a stack of them
        also one each, (count, 1, 1) and :class:`.StackedKernels`.
    size : rows and columns of the result, which shows the same field: fewer make larger pixels.
        None keeps them. Even numbers only, where they change.

    Notes
    -----
    The images are taken as periodic: what lies within some 10 mm of the border is not to be used.
    """
    rows, columns = images.shape[-2:]
    new_rows, new_columns = size or (rows, columns)
    spectrum = torch.fft.rfft2(images)
    down = torch.fft.fftfreq(rows, device=images.device)[:, None]
    along = torch.fft.rfftfreq(columns, device=images.device)
    frequency = torch.hypot(down, along) * (10 / pixel_mm)
    gain = (had.damping(frequency) - wanted.damping(frequency)).clamp(max=10).exp()
    # A soft limit: no frequency is cut off sharply, which would ring.
    spectrum = spectrum * (gain / (1 + (gain / LARGEST_GAIN) ** 4) ** 0.25)
    if (new_rows, new_columns) != (rows, columns):
        spectrum = _resized(spectrum, new_rows, new_columns)
        spectrum = spectrum * (new_rows * new_columns / (rows * columns))
    return torch.fft.irfft2(spectrum, s=(new_rows, new_columns))


def _resized(spectrum: torch.Tensor, rows: int, columns: int) -> torch.Tensor:
    """A half spectrum cut, or filled with zeros, to that of rows × columns."""
    half = min(spectrum.shape[-2], rows) // 2
    width = min(spectrum.shape[-1] - 1, columns // 2)  # the last one is its own mirror image
    resized = spectrum.new_zeros(*spectrum.shape[:-2], rows, columns // 2 + 1)
    resized[..., :half, :width] = spectrum[..., :half, :width]
    resized[..., 1 - half :, :width] = spectrum[..., 1 - half :, :width]
    return resized
