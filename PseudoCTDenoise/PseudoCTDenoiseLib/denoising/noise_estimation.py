"""Estimation of a scan's own noise: its reconstruction kernel, its level, and realisations of it.

No reference is needed. The kernel is the one whose simulated noise has the roughness of the noise
that a denoiser removes from the scan. The level is the one at which adding the simulated noise
raises the noise measured in uniform soft tissue by a factor of √2.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch

from ..ct.hounsfield import RANGE_HU, normalise, to_hu
from ..ct.inner_body import inner_body
from ..ct.noise_level import soft_tissue_noise
from ..errors import BadInputError
from ..simulation.ct_scanner import CtScanner
from ..simulation.kernel_change import change_kernel
from ..simulation.low_dose import LowDoseSimulator
from ..simulation.reconstruction_kernels import kernel_at_sharpness, nearest_kernel
from .target_noise import RESIDUAL_NOISE_FRACTION

DRAWS = 2
"""Number of noise realisations of each slice. Random signs, flips and rotations multiply them."""
SHARPNESS = np.linspace(-0.4, 1.4, 7)
"""Sharpness of the kernels that are compared, see :func:`.kernel_at_sharpness`."""
DEFAULT_PIXEL_MM = 0.75
"""Pixel size if the scan's is unknown. The kernel compensates for an error."""
_SIMULATED_DOSE = 0.25


@dataclass(frozen=True)
class NoiseEstimate:
    """Noise with the statistics of a scan's noise.

    Attributes
    ----------
    draws : (DRAWS, N, rows, columns) on the slices' device, in normalised units without offset.
    sharpness : position of the kernel between the simulator's soft (0) and sharp (1) one.
    denoised : the slices as the denoiser returned them, (N, rows, columns), normalised.
    """

    draws: torch.Tensor
    sharpness: float
    denoised: torch.Tensor


def estimate_noise(
    slices: torch.Tensor,
    denoise: Callable[[torch.Tensor], torch.Tensor],
    pixel_mm: float | None = None,
    seed: int = 0,
) -> NoiseEstimate:
    """Estimate the noise of some slices of a scan and draw realisations of it.

    Parameters
    ----------
    slices : LDCT, (N, rows, columns), normalised, on any device.
    denoise : a denoiser of normalised slices, (n, rows, columns).
    pixel_mm : side of a pixel; None if it is unknown.
    seed : of the realisations.
    """
    denoised = denoise(slices)
    # On the CPU: some GPUs do not support the simulator's sparse matrices.
    scan, clean = to_hu(slices.cpu()), to_hu(denoised.cpu())
    body = inner_body(clean)
    source = _NoiseSource(clean, pixel_mm or DEFAULT_PIXEL_MM, seed)
    sharpness = _matching_sharpness(source, scan, clean, body, denoise, slices)
    noise = torch.stack([source.draw(slice(None), sharpness) for _ in range(DRAWS)])
    draws = (noise * (_noise_scale(scan, clean, noise[0], body) / RANGE_HU)).to(slices)
    return NoiseEstimate(draws, sharpness, denoised)


class _NoiseSource:
    """Draws noise of any kernel, at a fixed dose, for denoised slices, (N, rows, columns) HU."""

    def __init__(self, clean: torch.Tensor, pixel_mm: float, seed: int):
        self._size = clean.shape[-2:]
        # As many views as the edge of the image can resolve, at most those of the scanner.
        views = min(CtScanner.views, max(96, 3 * max(self._size) // 2))
        self._simulator = LowDoseSimulator(pixel_mm, scanner=CtScanner(views=views))
        self._generator = torch.Generator().manual_seed(seed)
        self._deviation = self._simulator.ray_deviation(clean, _SIMULATED_DOSE)

    def draw(self, selection: slice, sharpness: float) -> torch.Tensor:
        """Return new noise of the selected slices, (n, rows, columns) HU."""
        rays = self._deviation[selection]
        rays = rays * torch.randn(rays.shape, generator=self._generator)
        kernel = kernel_at_sharpness(sharpness)
        nearest = nearest_kernel(kernel)  # one of few: the matrix of each takes a second to compute
        noise = self._simulator.reconstruct(rays, self._size, nearest)
        return change_kernel(noise, self._simulator.pixel_mm, nearest, kernel)


def _matching_sharpness(
    source: _NoiseSource,
    scan: torch.Tensor,
    clean: torch.Tensor,
    body: torch.Tensor,
    denoise: Callable[[torch.Tensor], torch.Tensor],
    slices: torch.Tensor,
) -> float:
    """Return the sharpness of the kernel whose noise is as rough as the scan's.

    ``slices`` are the normalised scan, which gives device and dtype to the input of ``denoise``.
    """
    largest = int(body.sum(dim=(1, 2)).argmax())
    test = slice(largest, largest + 1)
    images = [source.draw(test, sharpness) for sharpness in SHARPNESS]
    roughness = [_roughness(image, body[test]) for image in images]
    # It increases with sharpness, except by chance on a slice with almost no body.
    roughness = np.maximum.accumulate(roughness)
    wanted = _roughness(scan - clean, body)
    first = np.interp(wanted, roughness, SHARPNESS)
    # The removed noise is rougher than the noise itself. Noise that is known shows by how much.
    known = images[int(np.abs(SHARPNESS - first).argmin())]
    known = known * _noise_scale(scan[test], clean[test], known, body[test])
    noisy = clean[test] + known
    removed = noisy - to_hu(denoise(normalise(noisy).to(slices)).cpu())
    true, measured = _roughness(known, body[test]), _roughness(removed, body[test])
    if true > 0 and measured > 0:
        wanted *= true / measured
    return float(np.interp(wanted, roughness, SHARPNESS))


def _roughness(noise: torch.Tensor, mask: torch.Tensor) -> float:
    """Return the energy of differences of neighbours over that of pixels three apart.

    The differences suppress the low frequencies, of which a denoiser removes too little.
    """
    energies = []
    for lag in (1, 3):
        across = (noise[:, :, lag:] - noise[:, :, :-lag])[mask[:, :, lag:]]
        down = (noise[:, lag:] - noise[:, :-lag])[mask[:, lag:]]
        differences = torch.cat([across, down])
        energies.append(float((differences**2).mean()) if len(differences) else 0.0)
    return energies[0] / max(energies[1], 1e-12)


def _noise_scale(
    scan: torch.Tensor, clean: torch.Tensor, noise: torch.Tensor, body: torch.Tensor
) -> float:
    """Return the factor that brings ``noise`` to the level of the scan's noise."""
    deviation = float((scan - clean)[body].std(correction=0)) / (1 - RESIDUAL_NOISE_FRACTION)
    by_residual = deviation / max(float(noise[body].std(correction=0)), 1e-12)
    try:
        measured = soft_tissue_noise(scan.numpy())
        ratio = soft_tissue_noise((scan + by_residual * noise).numpy()) / max(measured, 1e-12)
    except BadInputError:  # the soft tissue is too small
        return by_residual
    if not 1.05 < ratio < 2:  # the noise is negligible or could not be measured
        return by_residual
    return by_residual / float(np.sqrt(ratio**2 - 1))
