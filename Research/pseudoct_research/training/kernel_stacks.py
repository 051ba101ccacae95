"""Change of the reconstruction kernels and pixel sizes of a stack of images.

The pixel size is changed in the spectrum that changes the kernel, without interpolation.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from PseudoCTDenoiseLib.simulation.kernel_change import Apodisation, changed_spectrum
from PseudoCTDenoiseLib.simulation.reconstruction_kernels import ReconstructionKernel


class StackedKernels:
    """Apodisations of a stack of images with one kernel per image."""

    def __init__(self, kernels: Sequence[ReconstructionKernel]):
        numbers = torch.tensor([[kernel.f0_per_cm, kernel.order] for kernel in kernels])
        self.f0_per_cm, self.order = numbers.T[..., None, None]

    def damping(self, frequency_per_cm: torch.Tensor) -> torch.Tensor:
        """Return the damping of each image, (count, ...).

        The frequencies are (count, ...), or the same for all images.
        """
        return (frequency_per_cm / self.f0_per_cm) ** self.order


def change_kernels(
    images: torch.Tensor,
    pixel_mm: float | torch.Tensor,
    source: Apodisation,
    target: Apodisation,
    size: tuple[int, int] | None = None,
) -> torch.Tensor:
    """Return a stack of images, (count, rows, columns) in HU, as :func:`.change_kernel` does.

    Parameters
    ----------
    pixel_mm : side of a square pixel of all images, or of each image, (count, 1, 1).
    source, target : kernel of all images, or :class:`StackedKernels`, before and after the change.
    size : rows and columns of the result, which shows the same field of view; fewer rows make
        larger pixels. None keeps the size. Sizes must be even if they change.
    """
    rows, columns = images.shape[-2:]
    new_rows, new_columns = size or (rows, columns)
    spectrum = changed_spectrum(images, pixel_mm, source, target)
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
