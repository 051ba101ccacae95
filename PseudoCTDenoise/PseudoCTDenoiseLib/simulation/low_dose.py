"""Low-dose CT from a normal-dose image: noise is added, the anatomy is left as it is.

The variance of every ray follows Yu et al., J Comput Assist Tomogr 2012,
doi:10.1097/RCT.0b013e3182541d15. The noise is drawn on parallel rays and reconstructed with the
wanted kernel; resolution stays that of the scan.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np
import torch
from torch.nn import functional as F

from ..ct.noise_level import soft_tissue_noise
from ..errors import BadInputError
from .ct_scanner import WATER_ATTENUATION, CtScanner, fan_line_integrals, relative_fluence
from .noise_reconstruction import ParallelRays, reconstruct_noise
from .reconstruction_kernels import SOFT, ReconstructionKernel


@dataclass(frozen=True)
class LowDoseSimulator:
    """Draws the noise that a scan would have had at a fraction of its dose.

    Parameters
    ----------
    pixel_mm : side of a square pixel.
    quanta : N0, detected quanta a ray of the normal-dose scan without patient, modulation and
        bowtie filter; :meth:`fitted` finds it from the scan's own noise.
    """

    pixel_mm: float
    quanta: float = 1e6
    scanner: CtScanner = field(default_factory=CtScanner)

    def fitted(
        self, hu: np.ndarray, *, kernel: ReconstructionKernel = SOFT, seed: int = 0
    ) -> LowDoseSimulator:
        """The same with N0 such that the simulated normal-dose noise equals the scan's.

        Parameters
        ----------
        hu : (slices, rows, columns) of one normal-dose scan, HU. Six slices are used.
        kernel : the kernel that the scan was reconstructed with.

        Raises
        ------
        BadInputError
            If no slice shows enough soft tissue to measure noise in, or there is no noise.
        """
        sample = hu[np.unique(np.linspace(0, len(hu) - 1, 8).astype(int)[1:-1])]
        slices = torch.from_numpy(np.ascontiguousarray(sample)).float()
        generator = torch.Generator().manual_seed(seed)
        # Without the read-out's share σ² ∝ 1/N0, so one draw tells N0; that share is
        # about a hundredth of the variance at normal dose.
        quantum = replace(self, scanner=replace(self.scanner, electronic_noise=0.0))
        sinogram = quantum.noise_sinogram(slices, 1.0, generator, image_dose=math.inf)
        noise = quantum.reconstruct(sinogram, slices.shape[-2:], kernel)
        mean = F.avg_pool2d(slices[:, None], 11, stride=1, padding=5)[:, 0]
        tissue = (mean > 0) & (mean < 130)
        simulated = soft_tissue_noise(torch.where(tissue, 50 + noise, -1000.0).numpy())
        measured = soft_tissue_noise(sample)
        if measured == 0:
            raise BadInputError("The scan has no noise to fit N0 to: choose a measured scan.")
        # The flattest windows of a scan are not those of its noise alone. Noise as strong as the
        # scan's own, added to the scan, must raise the very same reading by √2: mend by that.
        equal = noise.numpy() * (measured / simulated)
        raised = soft_tissue_noise(sample + equal) / measured
        if raised <= 1:
            raise BadInputError("The scan's noise cannot be told from its anatomy.")
        return replace(self, quanta=self.quanta * (simulated / measured) ** 2 * (raised**2 - 1))

    def noise_sinogram(
        self,
        hu: torch.Tensor,
        dose: float,
        generator: torch.Generator,
        *,
        image_dose: float = 1.0,
    ) -> torch.Tensor:
        """The noise to add on every parallel ray for a dose fraction, before reconstruction.

        Parameters
        ----------
        hu : (slices, rows, columns), HU.
        dose : fraction a of the normal dose, 0 < a ≤ 1.
        generator : of ``hu``'s device; the same state gives the same noise.
        image_dose : the dose that ``hu`` was taken at; infinite for a noise-free image.

        Returns
        -------
        (slices, views, rays) of line integrals.
        """
        deviation = self.ray_deviation(hu, dose, image_dose=image_dose)
        return deviation * torch.randn(deviation.shape, generator=generator, device=hu.device)

    def ray_deviation(
        self, hu: torch.Tensor, dose: float, *, image_dose: float = 1.0
    ) -> torch.Tensor:
        """Standard deviation of :meth:`noise_sinogram`, (slices, views, rays)."""
        if not 0 < dose <= 1:
            raise BadInputError(f"Dose fraction {dose:g} is not between 0 and 1.")
        line_integrals = fan_line_integrals(hu, self.pixel_mm, self.scanner)
        relative_noise = line_integrals - relative_fluence(line_integrals, self.scanner)
        inverse_quanta = _on_parallel_rays(relative_noise, self.scanner).exp() / self.quanta
        added = (1 / dose - 1 / image_dose) * inverse_quanta
        readout = (1 / dose + 1 / image_dose) * self.scanner.electronic_noise
        added *= 1 + readout * inverse_quanta
        variance = added.mean(dim=0) * _measurements_per_ray(self.scanner, hu.device)
        return variance.sqrt()

    def reconstruct(
        self, sinogram: torch.Tensor, shape: tuple[int, int], kernel: ReconstructionKernel
    ) -> torch.Tensor:
        """The image, (slices, rows, columns) in HU, of noise on parallel rays."""
        image = reconstruct_noise(sinogram, tuple(shape), self.pixel_mm, self.scanner, kernel)
        return image * (1000 / WATER_ATTENUATION)

    def added_noise(
        self,
        hu: torch.Tensor,
        dose: float,
        kernel: ReconstructionKernel,
        generator: torch.Generator,
        *,
        image_dose: float = 1.0,
    ) -> torch.Tensor:
        """The noise, (slices, rows, columns) in HU, between a scan and its dose fraction."""
        sinogram = self.noise_sinogram(hu, dose, generator, image_dose=image_dose)
        return self.reconstruct(sinogram, hu.shape[-2:], kernel)


def simulate_low_dose(
    hu: np.ndarray,
    simulator: LowDoseSimulator,
    dose: float,
    kernel: ReconstructionKernel,
    *,
    image_dose: float = 1.0,
    seed: int = 0,
    device: str = "cpu",
    batch: int = 4,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> np.ndarray:
    """Low-dose twin of a normal-dose scan.

    Parameters
    ----------
    hu : (slices, rows, columns), HU. Slices are independent of each other.
    image_dose : the dose that ``hu`` was taken at; infinite for a noise-free image.
    progress : called with the slices done and their number.

    Returns
    -------
    int16 HU of the same shape; padding below −1024 HU is left as it is.
    """
    generator = torch.Generator(device).manual_seed(seed)
    low_dose = np.empty(hu.shape, np.int16)
    for start in range(0, len(hu), batch):
        part = torch.from_numpy(hu[start : start + batch].astype(np.float32)).to(device)
        noisy = part + simulator.added_noise(part, dose, kernel, generator, image_dose=image_dose)
        noisy = torch.where(part < -1024, part, noisy.clamp(min=-1024))
        low_dose[start : start + batch] = noisy.round().clamp(-32768, 32767).cpu().numpy()
        progress(start + len(part), len(hu))
    return low_dose


def _on_parallel_rays(fan: torch.Tensor, scanner: CtScanner) -> torch.Tensor:
    """Fan-beam values at the parallel rays and at their opposites.

    (slices, views, channels) becomes (2, slices, views, rays). The ray at offset t from the
    centre and angle ψ is channel angle γ = −asin(t / R) of the source at ψ − γ.
    """
    rays = ParallelRays(scanner)
    angle = rays.angles.to(fan.device)[:, None]
    reach = (rays.offsets.to(fan.device) / scanner.source_to_centre).clamp(-1, 1)
    channel = -torch.asin(reach)[None]
    views = fan.shape[1]
    periodic = torch.cat([fan, fan[:, :1]], dim=1)[:, None]

    values = []
    for source, gamma in ((angle - channel, channel), (angle + math.pi + channel, -channel)):
        view = (source / (2 * math.pi)) % 1 * views
        grid = torch.stack(
            [
                (gamma / scanner.half_fan).expand(view.shape),
                view / views * 2 - 1,
            ],
            dim=-1,
        )
        # Channels lie at cell centres, views at the cell corners of a periodic axis.
        grid[..., 0] *= fan.shape[2] / (fan.shape[2] - 1)
        values.append(
            F.grid_sample(
                periodic,
                grid.expand(len(fan), -1, -1, -1),
                align_corners=True,
                padding_mode="border",
            )[:, 0]
        )
    return torch.stack(values)


def _measurements_per_ray(scanner: CtScanner, device: torch.device) -> torch.Tensor:
    """Factor from a detector channel's variance to that of a parallel ray, (rays,).

    A parallel ray stands for as many channels as the fan beam measures in its cell of angle and
    offset, R·cos γ·Δγ·Δβ each; outside of the field nothing is measured and nothing drawn.
    """
    rays = ParallelRays(scanner)
    reach = (rays.offsets / scanner.source_to_centre).clamp(-1, 1)
    cell = rays.spacing * math.pi / rays.views
    fan_cell = (
        scanner.source_to_centre
        * torch.cos(torch.asin(reach))
        * scanner.channel_angle
        * (2 * math.pi / scanner.views)
    )
    factor = fan_cell / (2 * cell)
    return torch.where(rays.offsets.abs() < scanner.field_radius, factor, 0.0).to(device)
