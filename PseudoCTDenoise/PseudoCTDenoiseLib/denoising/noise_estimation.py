"""The scan's own noise: its kernel and its level, measured on the scan, and drawn anew.

No reference is needed. The kernel is the one whose simulated noise is as rough as what a denoiser
takes off the scan; the level is the one at which as much noise again raises what is measured in
flat soft tissue by √2.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch

from ..ct.hounsfield import RANGE_HU, normalise, to_hu
from ..ct.inner_body import inner_body
from ..ct.noise_level import soft_tissue_noise
from ..errors import BadInputError
from ..simulation.ct_scanner import CtScanner
from ..simulation.kernel_change import change_kernel
from ..simulation.low_dose import LowDoseSimulator
from ..simulation.reconstruction_kernels import kernel_of_sharpness, nearest_kernel
from .target_noise import NOISE_LEFT

DRAWS = 2
"""Independent noise images of each slice; signs and turns make more of them."""
SHARPNESS = np.linspace(-0.4, 1.4, 7)
"""Kernels that are tried, see :func:`.kernel_of_sharpness`."""
USUAL_PIXEL_MM = 0.75
"""Taken where the pixel size is not known: a wrong one is made up for by the kernel."""
_QUARTER = 0.25


class ScanNoise:
    """Noise like that of some slices of a scan.

    Parameters
    ----------
    slices : LDCT, (N, rows, columns), normalised, on any device.
    denoise : a denoiser of normalised slices, (n, rows, columns).
    pixel_mm : side of a pixel; None if it is not known.

    Attributes
    ----------
    draws : (DRAWS, N, rows, columns) on the slices' device, in normalised units without offset.
    sharpness : the kernel's place between the simulator's soft (0) and sharp (1) one.
    clean : what the denoiser made of the slices.
    """

    def __init__(
        self,
        slices: torch.Tensor,
        denoise: Callable[[torch.Tensor], torch.Tensor],
        pixel_mm: float | None = None,
        seed: int = 0,
    ):
        self.clean = denoise(slices)
        # On the CPU: the simulator's sparse matrices are not known to every GPU.
        scan, clean = to_hu(slices.cpu()), to_hu(self.clean.cpu())
        # As many views as the image's edge can tell apart, and no more than the scanner has.
        views = min(CtScanner.views, max(96, 3 * max(clean.shape[-2:]) // 2))
        simulator = LowDoseSimulator(pixel_mm or USUAL_PIXEL_MM, scanner=CtScanner(views=views))
        generator = torch.Generator().manual_seed(seed)
        deviation = simulator.ray_deviation(clean, _QUARTER)
        size = clean.shape[-2:]

        def reconstruct(which: slice, sharpness: float) -> torch.Tensor:
            rays = deviation[which]
            rays = rays * torch.randn(rays.shape, generator=generator)
            wanted = kernel_of_sharpness(sharpness)
            drawn = nearest_kernel(wanted)  # of few, as each kernel's matrix takes a second to make
            noise = simulator.reconstruct(rays, size, drawn)
            return change_kernel(noise, simulator.pixel_mm, drawn, wanted)

        body = inner_body(clean)
        largest = int(body.sum(dim=(1, 2)).argmax())
        one = slice(largest, largest + 1)
        images = [reconstruct(one, sharpness) for sharpness in SHARPNESS]
        tried = [_roughness(image, body[one]) for image in images]
        # Rougher with every step, but for chance where a slice shows hardly any body.
        tried = np.maximum.accumulate(tried)
        wanted = _roughness(scan - clean, body)
        first = np.interp(wanted, tried, SHARPNESS)
        # What a denoiser removes is rougher than the noise itself; by how much, noise that is
        # known tells.
        known = images[int(np.abs(SHARPNESS - first).argmin())]
        known = known * _level(scan[one], clean[one], known, body[one])
        noisy = clean[one] + known
        taken = noisy - to_hu(denoise(normalise(noisy).to(slices)).cpu())
        true, seen = _roughness(known, body[one]), _roughness(taken, body[one])
        if true > 0 and seen > 0:
            wanted *= true / seen
        self.sharpness = float(np.interp(wanted, tried, SHARPNESS))
        noise = torch.stack([reconstruct(slice(None), self.sharpness) for _ in range(DRAWS)])
        self.draws = (noise * (_level(scan, clean, noise[0], body) / RANGE_HU)).to(slices)


def _roughness(noise: torch.Tensor, where: torch.Tensor) -> float:
    """Energy of the differences of neighbours over that of pixels three apart.

    The differences leave out the low frequencies, of which a denoiser removes too little.
    """
    energies = []
    for lag in (1, 3):
        across = (noise[:, :, lag:] - noise[:, :, :-lag])[where[:, :, lag:]]
        down = (noise[:, lag:] - noise[:, :-lag])[where[:, lag:]]
        differences = torch.cat([across, down])
        energies.append(float((differences**2).mean()) if len(differences) else 0.0)
    return energies[0] / max(energies[1], 1e-12)


def _level(
    scan: torch.Tensor, clean: torch.Tensor, noise: torch.Tensor, body: torch.Tensor
) -> float:
    """The factor that makes ``noise`` as strong as the scan's."""
    removed = float((scan - clean)[body].std(correction=0)) / (1 - NOISE_LEFT)
    by_residual = removed / max(float(noise[body].std(correction=0)), 1e-12)
    try:
        measured = soft_tissue_noise(scan.numpy())
        raised = soft_tissue_noise((scan + by_residual * noise).numpy()) / max(measured, 1e-12)
    except BadInputError:  # no soft tissue that is wide enough
        return by_residual
    if not 1.05 < raised < 2:  # no noise to speak of, or none that could be measured
        return by_residual
    return by_residual / float(np.sqrt(raised**2 - 1))
