"""Filtered back-projection of noise, by gridding in the frequency domain.

Every ray's noise is independent, so no anatomy has to be resolved: the filtered spectrum of each
parallel view is a line through the image's two-dimensional spectrum (the projection-slice
theorem), is spread there with a Kaiser-Bessel window, and one inverse FFT gives the image. That
is the same sum as the classical back-projection with ideal interpolation, some ten times cheaper.
Frequencies above the pixel grid's limit fold back, as they do when a scanner samples its image.

Source: Fessler and Sutton, IEEE TSP 2003, doi:10.1109/TSP.2002.807005.
"""

from __future__ import annotations

import math
import warnings
from functools import lru_cache

import numpy as np
import torch

from .ct_scanner import CtScanner
from .reconstruction_kernels import ReconstructionKernel

_OVERSAMPLING = 2
_TAPS = 4
_MOST_VALUES = 2**24
"""Of the oversampled planes that are worked on at once: large slices come one by one."""
_WINDOW_SHAPE = math.pi * math.sqrt((_TAPS / _OVERSAMPLING * (_OVERSAMPLING - 0.5)) ** 2 - 0.8)


class ParallelRays:
    """The parallel rays into which a fan-beam scan of 360 degrees is sorted.

    ``views`` angles over 180 degrees, rays ``spacing`` mm apart: half the detector's pitch at
    the centre, which opposite rays interleave with the quarter-channel offset.
    """

    def __init__(self, scanner: CtScanner):
        self.views = scanner.views
        self.rays = 2 * scanner.channels
        self.spacing = scanner.source_to_centre * scanner.channel_angle / 2
        self.angles = torch.arange(self.views) * (math.pi / self.views)
        self.offsets = (torch.arange(self.rays) - self.rays // 2) * self.spacing


def reconstruct_noise(
    sinogram: torch.Tensor,
    shape: tuple[int, int],
    pixel_mm: float,
    scanner: CtScanner,
    kernel: ReconstructionKernel,
) -> torch.Tensor:
    """Filtered back-projection of parallel rays on a grid of pixels.

    Parameters
    ----------
    sinogram : (slices, views, rays) of line integrals, the rays of :class:`ParallelRays`.
    shape : rows and columns of the image, whose middle is the centre of rotation.

    Returns
    -------
    (slices, rows, columns) of attenuation, 1/mm.
    """
    rays = ParallelRays(scanner)
    size = _OVERSAMPLING * 2 * ((max(shape) + 1) // 2)
    cutoff = min(kernel.cutoff_per_cm / 10, 0.5 / rays.spacing)
    period = rays.rays * rays.spacing
    lines = int(cutoff * period)
    spread = _spreading_matrix(rays.views, lines, period, size, pixel_mm, str(sinogram.device))

    frequency = torch.arange(1, lines + 1, device=sinogram.device) / period
    response = kernel.response(10 * frequency) / 10
    # The middle ray is sample rays/2: shifting it to zero alternates the spectrum's sign.
    sign = 1 - 2 * (torch.arange(1, lines + 1, device=sinogram.device) % 2)
    measure = rays.spacing / period * math.pi / rays.views
    weights = sign * response * measure
    window = _window_transform(size).to(sinogram)
    rows, columns = shape
    top, left = size // 2 - rows // 2, size // 2 - columns // 2

    def image_of(part: torch.Tensor) -> torch.Tensor:
        spectrum = torch.fft.rfft(part, dim=-1)[..., 1 : lines + 1] * weights
        points = torch.view_as_real(spectrum.flatten(1)).permute(1, 0, 2).flatten(1).contiguous()
        plane = torch.view_as_complex((spread @ points).view(size, size, -1, 2)).permute(2, 0, 1)
        image = torch.fft.fftshift(torch.fft.ifft2(plane, norm="forward"), dim=(-2, -1)).real
        image = 2 * image  # the half plane that is left out is the complex conjugate of this one
        image = image / (window[:, None] * window[None, :])
        return image[:, top : top + rows, left : left + columns]

    return torch.cat(list(map(image_of, sinogram.split(max(1, _MOST_VALUES // size**2)))))


@lru_cache(maxsize=4)
def _spreading_matrix(
    views: int, lines: int, period: float, size: int, pixel_mm: float, device: str
) -> torch.Tensor:
    """Sparse matrix from polar frequencies (views × lines) to the plane of size × size."""
    angle = np.arange(views) * (np.pi / views)
    radius = np.arange(1, lines + 1) / period * (size * pixel_mm)
    row, row_weight = _taps(np.outer(np.cos(angle), radius).ravel(), size)
    column, column_weight = _taps(np.outer(-np.sin(angle), radius).ravel(), size)

    # Points that share their first tap share all of them, so the entries need no sorting: each
    # tap fills its places in the matrix's rows at once, one block of points after the other.
    first = row[0] * size + column[0]
    order = np.argsort(first).astype(np.int32)
    first = first[order]
    count = np.bincount(first, minlength=size * size)
    rank = np.arange(len(first)) - (count.cumsum() - count)[first]
    count = count.reshape(size, size).astype(np.int32)
    offsets = [(i, j) for i in range(_TAPS) for j in range(_TAPS)]

    def shifted(tap: tuple[int, int]) -> np.ndarray:
        return np.roll(count, tap, axis=(0, 1)).ravel()

    starts = np.concatenate([[0], np.cumsum(sum(map(shifted, offsets)))])

    point = np.empty(starts[-1], np.int32)
    weight = np.empty(starts[-1], np.float32)
    free = starts[:-1].copy()
    for i, j in offsets:
        place = free[(row[i] * size + column[j])[order]] + rank
        point[place] = order
        weight[place] = (row_weight[i] * column_weight[j])[order]
        free += shifted((i, j))
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Sparse CSR tensor support is in beta")
        return torch.sparse_csr_tensor(
            torch.from_numpy(starts).int(),
            torch.from_numpy(point),
            torch.from_numpy(weight),
            size=(size * size, len(first)),
            device=device,
            check_invariants=False,
        )


def _taps(position: np.ndarray, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Cells around each position, folded into the grid, and their weights; (taps, points)."""
    first = np.floor(position).astype(np.int64) - _TAPS // 2 + 1
    index = first + np.arange(_TAPS)[:, None]
    distance = torch.from_numpy((index - position) * (2 / _TAPS))
    weight = torch.special.i0(_WINDOW_SHAPE * (1 - distance**2).clamp(min=0).sqrt())
    return index % size, weight.float().numpy()


@lru_cache(maxsize=4)
def _window_transform(size: int) -> torch.Tensor:
    """Fourier transform of the Kaiser-Bessel window at every pixel of the oversampled image."""
    position = (np.arange(size) - size // 2) / size
    argument = np.sqrt(
        np.asarray(_WINDOW_SHAPE**2 - (np.pi * _TAPS * position) ** 2, dtype=complex)
    )
    return torch.from_numpy((_TAPS * np.sinh(argument) / argument).real.astype(np.float32))
