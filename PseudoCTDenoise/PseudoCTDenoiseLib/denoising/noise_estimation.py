"""Estimation of a scan's own noise: kernel, direction and level, and realisations of it.

No reference is needed. The texture of the simulator's noise depends on the sharpness of the
reconstruction kernel and on the modulation of the tube current: the less the current follows the
patient's width, the more the noise of the widest rays dominates and forms streaks. The estimate has
the sharpness and the modulation whose noise is as rough, along rows and along columns, as the noise
that a denoiser removes from the scan. Noise that is known shows how far the removed noise differs
from the whole: in texture, and in level. What remains of the difference to the spectrum of the
scan's noise is measured in flat windows, see :mod:`.noise_spectrum`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import torch

from ..ct.hounsfield import RANGE_HU, normalise, to_hu
from ..ct.inner_body import inner_body
from ..simulation.ct_scanner import CtScanner
from ..simulation.kernel_change import change_kernel
from ..simulation.low_dose import LowDoseSimulator
from ..simulation.pixel_size import simulated_pixel_mm
from ..simulation.reconstruction_kernels import (
    KERNELS,
    ReconstructionKernel,
    kernel_at_sharpness,
    nearest_kernel,
)
from .noise_spectrum import with_spectrum_of_scan
from .target_noise import RESIDUAL_NOISE_FRACTION

DRAWS = 2
"""Number of noise realisations of each slice. Random signs, flips and rotations multiply them."""
SHARPNESS = np.linspace(-0.4, 1.4, 7)
"""Sharpness of the kernels that are compared, see :func:`.kernel_at_sharpness`."""
MODULATION = np.linspace(-0.2, 1.0, 4)
"""Modulations of the tube current that are compared, see :class:`.CtScanner`."""
TEXTURE_SLICES = 2
"""Number of slices, those with the largest body, on which textures are compared."""
REAL_NOISE_EXCESS = 1.03
"""Level of a scan's noise over the level of simulated noise of which the denoiser removes as much.
Chosen on the validation scans and on slices of the 2016 AAPM challenge."""
DEFAULT_PIXEL_MM = 0.75
"""Pixel size if the scan's is unknown. The kernel compensates for an error."""
_PROBE = 0.3
"""Level of the noise that is added to the scan to see how much is removed, in units of its own."""
_SMALLEST_REMOVED_FRACTION = 0.25
"""Lower limit of the fraction of the noise that the denoiser removes."""
_NEGLIGIBLE_HU = 1e-6
_SIMULATED_DOSE = 0.25

Denoise = Callable[[torch.Tensor], torch.Tensor]
"""A denoiser of normalised slices, (n, rows, columns)."""


class NoiseTexture(NamedTuple):
    """Texture of the simulator's noise.

    Attributes
    ----------
    sharpness : position of the kernel between the simulator's soft (0) and sharp (1) one.
    modulation : of the tube current, see :class:`.CtScanner`; the lower, the more streaks.
    """

    sharpness: float
    modulation: float


@dataclass(frozen=True)
class NoiseEstimate:
    """Noise with the statistics of a scan's noise.

    Attributes
    ----------
    draws : (DRAWS, N, rows, columns) on the slices' device, in normalised units without offset.
    texture : that of the draws.
    denoised : the slices as the denoiser returned them, (N, rows, columns), normalised.
    """

    draws: torch.Tensor
    texture: NoiseTexture
    denoised: torch.Tensor


def estimate_noise(
    slices: torch.Tensor, denoise: Denoise, pixel_mm: float | None = None, seed: int = 0
) -> NoiseEstimate:
    """Estimate the noise of some slices of a scan and draw realisations of it.

    Parameters
    ----------
    slices : LDCT, (N, rows, columns), normalised, on any device.
    pixel_mm : side of a pixel; None if it is unknown.
    seed : of the realisations.
    """
    denoised = denoise(slices)

    # On the CPU: some GPUs do not support the simulator's sparse matrices.
    def denoise_hu(hu: torch.Tensor) -> torch.Tensor:
        return to_hu(denoise(normalise(hu).to(slices)).cpu())

    scan, clean = to_hu(slices.cpu()), to_hu(denoised.cpu())
    body = inner_body(clean)
    source = _NoiseSource(clean, simulated_pixel_mm(pixel_mm or DEFAULT_PIXEL_MM), seed)
    texture = _matching_texture(source, scan, clean, body, denoise_hu)
    noise = torch.stack([source.draw(slice(None), texture) for _ in range(DRAWS)])
    noise = with_spectrum_of_scan(noise, scan, clean)
    scale = _noise_scale(scan, clean, noise[0], body, denoise_hu)
    return NoiseEstimate((noise * (scale / RANGE_HU)).to(slices), texture, denoised)


class _NoiseSource:
    """Draws noise of any texture, at a fixed dose, for denoised slices, (N, rows, columns) HU."""

    def __init__(self, clean: torch.Tensor, pixel_mm: float, seed: int):
        self._size = clean.shape[-2:]
        # As many views as the edge of the image can resolve, at most those of the scanner.
        views = min(CtScanner.views, max(96, 3 * max(self._size) // 2))
        self._simulator = LowDoseSimulator(pixel_mm, scanner=CtScanner(views=views))
        self._generator = torch.Generator().manual_seed(seed)
        self._line_integrals = self._simulator.line_integrals(clean)

    def draw(self, selection: slice | list[int], texture: NoiseTexture) -> torch.Tensor:
        """Return new noise of the selected slices, (n, rows, columns) HU."""
        nearest = nearest_kernel(kernel_at_sharpness(texture.sharpness))
        noise = self.draw_with_kernel(selection, texture.modulation, nearest)
        return self.change_sharpness(noise, nearest, texture.sharpness)

    def draw_with_kernel(
        self, selection: slice | list[int], modulation: float, kernel: ReconstructionKernel
    ) -> torch.Tensor:
        """Return new noise with one of the simulator's kernels, whose matrices are costly."""
        scanner = replace(self._simulator.scanner, modulation=modulation)
        simulator = replace(self._simulator, scanner=scanner)
        rays = simulator.deviation_along(self._line_integrals[selection], _SIMULATED_DOSE)
        rays = rays * torch.randn(rays.shape, generator=self._generator)
        return simulator.reconstruct(rays, self._size, kernel)

    def change_sharpness(
        self, noise: torch.Tensor, kernel: ReconstructionKernel, sharpness: float
    ) -> torch.Tensor:
        return change_kernel(
            noise, self._simulator.pixel_mm, kernel, kernel_at_sharpness(sharpness)
        )


def _matching_texture(
    source: _NoiseSource,
    scan: torch.Tensor,
    clean: torch.Tensor,
    body: torch.Tensor,
    denoise: Denoise,
) -> NoiseTexture:
    """Return the texture whose noise is as rough as the scan's; images are in HU."""
    test = body.sum(dim=(1, 2)).argsort(descending=True, stable=True)[:TEXTURE_SLICES].tolist()
    scan, clean, body = scan[test], clean[test], body[test]
    removed = _Roughness.of(scan - clean, body)

    def sharpness_curve(modulation: float) -> dict[float, torch.Tensor]:
        """Return noise of each sharpness."""
        noise = {k: source.draw_with_kernel(test, modulation, k) for k in KERNELS.values()}
        nearest = {s: nearest_kernel(kernel_at_sharpness(s)) for s in SHARPNESS}
        return {s: source.change_sharpness(noise[k], k, s) for s, k in nearest.items()}

    def matching_sharpness(images: dict[float, torch.Tensor], wanted: _Roughness) -> float:
        overall = [_Roughness.of(image, body).overall for image in images.values()]
        return _interpolate(wanted.overall, overall, SHARPNESS)

    sharpness = matching_sharpness(sharpness_curve(CtScanner.modulation), removed)
    textures = [NoiseTexture(sharpness, modulation) for modulation in MODULATION[::-1]]
    directions = [_Roughness.of(source.draw(test, t), body).direction for t in textures]
    # With less modulation, the noise of a wide body has more direction and that of a tall one less.
    sign = 1.0 if directions[-1] >= directions[0] else -1.0
    directions = [sign * direction for direction in directions]

    def matching_modulation(wanted: _Roughness) -> float:
        return _interpolate(sign * wanted.direction, directions, MODULATION[::-1])

    images = sharpness_curve(matching_modulation(removed))
    sharpness = matching_sharpness(images, removed)
    # The removed noise is rougher than the noise itself. Noise that is known shows by how much.
    known = images[SHARPNESS[np.abs(SHARPNESS - sharpness).argmin()]]
    expected = _levels(scan - clean, body) / (1 - RESIDUAL_NOISE_FRACTION)
    known = known * expected / _levels(known, body).clamp(min=_NEGLIGIBLE_HU)
    noisy = clean + known
    known_removed = _Roughness.of(noisy - denoise(noisy), body)
    wanted = removed.corrected(_Roughness.of(known, body), known_removed)
    return NoiseTexture(matching_sharpness(images, wanted), matching_modulation(wanted))


def _interpolate(wanted: float, values: list[float], positions: np.ndarray) -> float:
    """Return the position of a value on a curve that rises, except by chance."""
    return float(np.interp(wanted, np.maximum.accumulate(values), positions))


class _Roughness(NamedTuple):
    """Roughness of noise in logarithms.

    Attributes
    ----------
    overall : energy of the differences of neighbours, over that of pixels three apart. Differences
        suppress the low frequencies, of which a denoiser removes too little.
    direction : energy of the differences of neighbours along columns, over that along rows.
    """

    overall: float
    direction: float

    @classmethod
    def of(cls, noise: torch.Tensor, mask: torch.Tensor) -> _Roughness:
        """Measure noise, (N, rows, columns), inside a mask."""
        (rows_1, columns_1), (rows_3, columns_3) = (
            _difference_energies(noise, mask, lag) for lag in (1, 3)
        )
        return cls(
            float(np.log((rows_1 + columns_1) / (rows_3 + columns_3))),
            float(np.log(columns_1 / rows_1)),
        )

    def corrected(self, known: _Roughness, measured: _Roughness) -> _Roughness:
        """Return the roughness less the error of the measured one of known noise."""
        return _Roughness(
            self.overall + known.overall - measured.overall,
            self.direction + known.direction - measured.direction,
        )


def _difference_energies(noise: torch.Tensor, mask: torch.Tensor, lag: int) -> tuple[float, float]:
    """Return the mean squared difference of pixels along rows and along columns."""
    along_rows = (noise[:, :, lag:] - noise[:, :, :-lag])[mask[:, :, lag:]]
    along_columns = (noise[:, lag:] - noise[:, :-lag])[mask[:, lag:]]
    return tuple(
        max(float((differences**2).mean()), 1e-12) if len(differences) else 1e-12
        for differences in (along_rows, along_columns)
    )


def _noise_scale(
    scan: torch.Tensor,
    clean: torch.Tensor,
    noise: torch.Tensor,
    body: torch.Tensor,
    denoise: Denoise,
) -> torch.Tensor:
    """Return the factors, (N, 1, 1), that bring ``noise`` to the level of each slice's noise.

    The denoiser removes a fraction of the noise. Weak noise that is added to the scan shows it.
    """
    level = _levels(noise, body).clamp(min=_NEGLIGIBLE_HU)
    found = _levels(scan - clean, body)
    probe = noise * (_PROBE / (1 - RESIDUAL_NOISE_FRACTION) * found / level)
    removed = probe - (denoise(scan + probe) - clean)
    fraction = _levels(removed, body) / _levels(probe, body).clamp(min=_NEGLIGIBLE_HU)
    return REAL_NOISE_EXCESS * found / fraction.clamp(min=_SMALLEST_REMOVED_FRACTION) / level


def _levels(noise: torch.Tensor, body: torch.Tensor) -> torch.Tensor:
    """Return each slice's standard deviation inside the body, or of all pixels without one.

    The result is (N, 1, 1).
    """
    body = body | ~body.any(dim=(1, 2), keepdim=True)
    deviations = [image[mask].std(correction=0) for image, mask in zip(noise, body, strict=True)]
    return torch.stack(deviations)[:, None, None]
