"""Low-dose CT from a normal-dose image: adds noise and leaves the anatomy unchanged.

The variance of each ray follows Yu et al., J Comput Assist Tomogr 2012,
doi:10.1097/RCT.0b013e3182541d15. The noise is drawn on parallel rays and reconstructed with the
given kernel; the resolution of the scan does not change.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import torch
from torch.nn import functional as F

from ..ct.hounsfield import MIN_CT_HU, to_int16
from ..ct.noise_level import FLAT_WINDOW, SOFT_TISSUE_MEAN_HU, soft_tissue_noise
from ..errors import BadInputError
from .ct_scanner import WATER_ATTENUATION, CtScanner, fan_line_integrals, relative_fluence
from .noise_reconstruction import ParallelRays, reconstruct_noise
from .reconstruction_kernels import SOFT, ReconstructionKernel
from .slice_correlation import correlated_slices, slice_weights


def check_dose(dose: float, name: str = "The dose fraction") -> None:
    """Raise BadInputError if a fraction of the normal dose is not above 0 and at most 1.

    Parameters
    ----------
    name : name of the number in the message.
    """
    if not 0 < dose <= 1:
        raise BadInputError(
            f"{name} {dose:g} is out of range: choose a value above 0 and at most 1."
        )


@dataclass(frozen=True)
class LowDoseSimulator:
    """Simulator of the additional noise of a scan at a fraction of its dose.

    Parameters
    ----------
    pixel_mm : side of a square pixel in mm.
    quanta : N0, detected quanta per ray of the normal-dose scan without patient, modulation and
        bowtie filter; :meth:`fitted` estimates it from the noise of the scan.
    scanner : geometry and tube output.
    """

    pixel_mm: float
    quanta: float = 1e6
    scanner: CtScanner = field(default_factory=CtScanner)

    def fitted(
        self, hu: np.ndarray, *, kernel: ReconstructionKernel = SOFT, seed: int = 0
    ) -> LowDoseSimulator:
        """Return a simulator whose N0 makes the simulated normal-dose noise equal that of the scan.

        Parameters
        ----------
        hu : (slices, rows, columns) of one normal-dose scan, HU. Six slices are used.
        kernel : reconstruction kernel of the scan.
        seed : seed of the simulated noise.

        Raises
        ------
        BadInputError
            If no slice shows enough soft tissue to measure noise, or the scan has no noise.
        """
        sample = hu[np.unique(np.linspace(0, len(hu) - 1, 8).astype(int)[1:-1])]
        slices = torch.from_numpy(np.ascontiguousarray(sample)).float()
        generator = torch.Generator().manual_seed(seed)
        # Without electronic noise σ² ∝ 1/N0, so one draw is sufficient. Electronic noise is about
        # 1 % of the variance at normal dose.
        quantum = replace(self, scanner=replace(self.scanner, electronic_noise=0.0))
        sinogram = quantum.noise_sinogram(slices, 1.0, generator, image_dose=math.inf)
        noise = quantum.reconstruct(sinogram, slices.shape[-2:], kernel)
        mean = F.avg_pool2d(slices[:, None], FLAT_WINDOW, stride=1, padding=FLAT_WINDOW // 2)
        low, high = SOFT_TISSUE_MEAN_HU
        tissue = ((mean > low) & (mean < high))[:, 0]
        simulated = soft_tissue_noise(torch.where(tissue, 50 + noise, -1000.0).numpy())
        measured = soft_tissue_noise(sample)
        if measured == 0:
            raise BadInputError(
                "The scan has no noise, so N0 cannot be estimated: choose a measured scan."
            )
        # Anatomy also affects the noise of the flattest windows. Additional noise of the same level
        # must raise the measured noise by √2; the deviation from √2 corrects the estimate.
        equal = noise.numpy() * (measured / simulated)
        raised = soft_tissue_noise(sample + equal) / measured
        if raised <= 1:
            raise BadInputError(
                "The noise of the scan cannot be separated from its anatomy: choose another scan."
            )
        return replace(self, quanta=self.quanta * (simulated / measured) ** 2 * (raised**2 - 1))

    def noise_sinogram(
        self,
        hu: torch.Tensor,
        dose: float,
        generator: torch.Generator,
        *,
        image_dose: float = 1.0,
    ) -> torch.Tensor:
        """Return the noise to add to each parallel ray for a dose fraction, before reconstruction.

        Parameters
        ----------
        hu : (slices, rows, columns), HU.
        dose : fraction a of the normal dose, 0 < a ≤ 1.
        generator : random generator on the device of ``hu``; the same state gives the same noise.
        image_dose : dose of ``hu``; infinite for a noise-free image.

        Returns
        -------
        (slices, views, rays) of line integrals.
        """
        deviation = self.ray_deviation(hu, dose, image_dose=image_dose)
        return deviation * torch.randn(deviation.shape, generator=generator, device=hu.device)

    def ray_deviation(
        self, hu: torch.Tensor, dose: float, *, image_dose: float = 1.0
    ) -> torch.Tensor:
        """Return the standard deviation of :meth:`noise_sinogram`, (slices, views, rays).

        Raises
        ------
        BadInputError
            If the dose is not above 0 and at most 1.
        """
        return self.deviation_along(self.line_integrals(hu), dose, image_dose=image_dose)

    def line_integrals(self, hu: torch.Tensor) -> torch.Tensor:
        """Return the line integrals along fan-beam rays, (slices, views, channels)."""
        return fan_line_integrals(hu, self.pixel_mm, self.scanner)

    def deviation_along(
        self, line_integrals: torch.Tensor, dose: float, *, image_dose: float = 1.0
    ) -> torch.Tensor:
        """Return :meth:`ray_deviation` of an image with these :meth:`line_integrals`."""
        check_dose(dose)
        relative_noise = line_integrals - relative_fluence(line_integrals, self.scanner)
        inverse_quanta = _on_parallel_rays(relative_noise, self.scanner).exp() / self.quanta
        added = (1 / dose - 1 / image_dose) * inverse_quanta
        readout = (1 / dose + 1 / image_dose) * self.scanner.electronic_noise
        added *= 1 + readout * inverse_quanta
        per_ray = _measurements_per_ray(self.scanner, line_integrals.device)
        return (added.mean(dim=0) * per_ray).sqrt()

    def reconstruct(
        self, sinogram: torch.Tensor, shape: tuple[int, int], kernel: ReconstructionKernel
    ) -> torch.Tensor:
        """Return the image, (slices, rows, columns) in HU, of noise on parallel rays."""
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
        """Return the noise, (slices, rows, columns) in HU, that a dose fraction adds to a scan."""
        sinogram = self.noise_sinogram(hu, dose, generator, image_dose=image_dose)
        return self.reconstruct(sinogram, hu.shape[-2:], kernel)


def simulate_low_dose(
    hu: np.ndarray,
    simulator: LowDoseSimulator,
    dose: float,
    kernel: ReconstructionKernel,
    *,
    image_dose: float = 1.0,
    correlation: Sequence[float] = (),
    seed: int = 0,
    device: str = "cpu",
    batch: int = 4,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> np.ndarray:
    """Return the simulated low-dose scan of a normal-dose scan.

    Parameters
    ----------
    hu : (slices, rows, columns), HU.
    dose : fraction of the normal dose, above 0 and at most 1.
    kernel : reconstruction kernel of the scan.
    image_dose : dose of ``hu``; infinite for a noise-free image.
    correlation : correlation of the noise of slices at the distances 1, 2, …, see
        :func:`.slice_correlation`; the noise of other slices is independent.
    batch : number of slices that are computed together.
    progress : called with the number of finished slices and the number of all slices.

    Returns
    -------
    int16 HU of the same shape, at least −1024: padding is noisy too, see :func:`.with_padding`.
    """
    generator = torch.Generator(device).manual_seed(seed)

    def drawn_noise() -> Iterator[np.ndarray]:
        for start in range(0, len(hu), batch):
            part = torch.from_numpy(hu[start : start + batch].astype(np.float32)).to(device)
            noise = simulator.added_noise(part, dose, kernel, generator, image_dose=image_dose)
            yield from noise.cpu().numpy()

    low_dose = np.empty(hu.shape, np.int16)
    noise_of_slices = correlated_slices(drawn_noise(), slice_weights(correlation))
    for index, noise in enumerate(noise_of_slices):
        low_dose[index] = to_int16((hu[index].astype(np.float32) + noise).clip(min=MIN_CT_HU))
        progress(index + 1, len(hu))
    return low_dose


def _on_parallel_rays(fan: torch.Tensor, scanner: CtScanner) -> torch.Tensor:
    """Return fan-beam values at the parallel rays and at their opposite rays.

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
        # Channels are at cell centres, views at the cell corners of a periodic axis.
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
    """Return the ratio of the variances of a parallel ray and a detector channel, (rays,).

    A parallel ray represents all channels in its cell of angle and offset; each channel covers
    R·cos γ·Δγ·Δβ. The factor is 0 outside the field of view.
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
