"""Training patches of LDCT and NDCT, from real pairs or from normal-dose CT alone."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np
import torch
from PseudoCTDenoiseLib.ct.hounsfield import (
    MIN_CT_HU,
    RANGE_HU,
    TISSUE_HU,
    normalise,
    to_hu,
    to_int16,
)
from PseudoCTDenoiseLib.denoising.patches import Augmentation, augment, check_fits, patch_corner
from PseudoCTDenoiseLib.denoising.target_noise import target_noise_fraction
from PseudoCTDenoiseLib.errors import BadInputError
from PseudoCTDenoiseLib.simulation.ct_scanner import CtScanner
from PseudoCTDenoiseLib.simulation.low_dose import LowDoseSimulator
from PseudoCTDenoiseLib.simulation.reconstruction_kernels import (
    SHARP,
    SOFT,
    nearest_kernel,
)
from PseudoCTDenoiseLib.simulation.slice_correlation import (
    correlated_slices,
    slice_correlation,
    slice_weights,
)
from PseudoCTDenoiseLib.temporary_files import write_atomically

from ..datasets.ct_dataset import CtScan
from .inserts import draw_inserts
from .kernel_stacks import StackedKernels, change_kernels
from .own_noise import like_own_noise
from .training_domain import TrainingDomain

CACHED_DOSE = 0.25
"""Dose fraction of the cached noise."""
DEFAULT_AUGMENTATION = Augmentation()
LEAST_SLICES = 8
"""Minimum number of slices of a scan whose neighbouring slices are averaged: shorter stacks may
hold unrelated slices."""
NOISE_VERSION = 4
"""Number of the way in which noise is drawn; noise that was cached by another is not used."""
BLOCK = 24
"""Number of slices with the same tube current modulation, bowtie filter and patient position."""
MODULATION = (0.0, 0.8)
BOWTIE = (0.3, 0.7)
OFF_CENTRE_MM = 50.0
MARGIN = 16
"""Margin around a patch in pixels, in which filtering causes edge artefacts; it is cropped."""
SAME_ZOOM = 8
"""Number of consecutive patches that share a zoom factor and are filtered together."""


@dataclass(frozen=True)
class NoisySlice:
    """An NDCT slice, (rows, columns) int16 HU, and its noise, (kernels, rows, columns) in HU.

    Simulated noise has two kernels, soft and sharp, reconstructed from the same rays; the noise of
    any other kernel is computed from the nearer one. ``below`` is the next slice of the scan, and
    ``clean`` the denoised NDCT; None if there is none.
    """

    ndct: np.ndarray
    noise: np.ndarray
    pixel_mm: float = 1.0
    below: NoisySlice | None = field(default=None, repr=False)
    clean: np.ndarray | None = None


def simulated_slices(
    scans: Sequence[CtScan],
    cache: Path | str,
    *,
    device: str = "cpu",
    seed: int = 0,
    denoise: Callable[[torch.Tensor], torch.Tensor] | None = None,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> list[NoisySlice]:
    """Simulate noise at 25 % dose for every slice of normal-dose scans.

    The tube output is fitted to the noise of each scan; tube current modulation, bowtie filter and
    patient position vary between blocks of slices. The noise is cached in the folder ``cache`` and
    read from there the next time. ``denoise`` maps normalised slices, (n, rows, columns), to the
    clean ones; None makes no clean slices.
    """
    cache = Path(cache)
    cache.mkdir(parents=True, exist_ok=True)
    slices = []
    for number, scan in enumerate(scans):
        file = cache / f"{_fingerprint(scan, seed)}.npy"
        if not file.is_file():
            draws = _draw_noise(scan, device, seed)
            write_atomically(file, partial(np.save, arr=draws, allow_pickle=False))
        noise = np.load(file, mmap_mode="r", allow_pickle=False)
        below = None
        of_scan = []
        for index in reversed(range(len(scan.hu))):
            hu = scan.hu[index]
            clean = None if denoise is None else _clean(hu, denoise)
            noisy = NoisySlice(hu, noise[:, index], scan.pixel_mm, below, clean)
            of_scan.append(noisy)
            below = noisy if len(scan.hu) >= LEAST_SLICES else None
        slices += of_scan[::-1]
        progress(number + 1, len(scans))
    return slices


def paired_slices(ldct: np.ndarray, ndct: np.ndarray) -> list[NoisySlice]:
    """Return the slices of a real pair, both (slices, rows, columns) in HU on the same grid."""
    if ldct.shape != ndct.shape:
        raise BadInputError(
            f"LDCT {ldct.shape} and NDCT {ndct.shape} are not on the same grid. "
            "Give two scans on one grid."
        )
    noise = np.asarray(ldct, np.float32) - ndct
    return [NoisySlice(hu, noise[None, index]) for index, hu in enumerate(ndct)]


def draw_patches(
    slices: Sequence[NoisySlice],
    count: int,
    size: int,
    rng: np.random.Generator,
    domain: TrainingDomain | None = None,
    augmentation: Augmentation = DEFAULT_AUGMENTATION,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Draw random patches inside the body.

    Parameters
    ----------
    domain : ranges from which dose, kernel and thickness are drawn for each patch of simulated
        noise, and the zoom for each :data:`SAME_ZOOM` patches; None uses the noise unchanged.

    Returns
    -------
    LDCT and NDCT, (count, 1, size, size) each, normalised.
    """
    if domain is None:
        pairs = (_measured_patch(_any(slices, rng), size, rng) for _ in range(count))
    else:
        pairs = _simulated_patches(slices, count, size, rng, domain)
    turned = [
        augment(normalise(torch.stack([low, normal])), rng, augmentation) for low, normal in pairs
    ]
    ldct, ndct = torch.stack(turned, dim=1)[:, :, None]
    return ldct, ndct


def _clean(hu: np.ndarray, denoise: Callable[[torch.Tensor], torch.Tensor]) -> np.ndarray:
    """Denoise a slice; return (rows, columns) int16 HU."""
    slices = normalise(torch.from_numpy(hu[None].astype(np.float32)).clamp(min=MIN_CT_HU))
    return to_int16(to_hu(denoise(slices))[0].clamp(min=MIN_CT_HU).cpu().numpy())


def _any(slices: Sequence[NoisySlice], rng: np.random.Generator) -> NoisySlice:
    return slices[rng.integers(len(slices))]


def _measured_patch(
    noisy: NoisySlice, size: int, rng: np.random.Generator
) -> tuple[torch.Tensor, torch.Tensor]:
    """Draw a patch of a real pair; return LDCT and NDCT, (size, size) HU."""
    top, left = patch_corner(noisy.ndct, size, rng, tissue=TISSUE_HU)
    here = np.s_[top : top + size, left : left + size]
    normal = torch.from_numpy(noisy.ndct[here].astype(np.float32)).clamp(min=MIN_CT_HU)
    noise = torch.from_numpy(noisy.noise[(0, *here)].astype(np.float32))
    return (normal + noise).clamp(min=MIN_CT_HU), normal


def _simulated_patches(
    slices: Sequence[NoisySlice],
    count: int,
    size: int,
    rng: np.random.Generator,
    domain: TrainingDomain,
) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    """Yield LDCT and target of each patch, (size, size) HU."""
    wide = size + 2 * MARGIN
    for first in range(0, count, SAME_ZOOM):
        cut = 2 * round(wide * math.exp(rng.uniform(*np.log(domain.zoom))) / 2)
        by_cut: dict[int, list[NoisySlice]] = {}
        for _ in range(min(SAME_ZOOM, count - first)):
            noisy = _any(slices, rng)
            check_slice(noisy, size, domain)
            fits = min(cut, *(2 * (length // 2) for length in noisy.ndct.shape))
            by_cut.setdefault(fits, []).append(noisy)
        for fits, few in by_cut.items():
            yield from _filtered_patches(few, fits, size, rng, domain)


def _filtered_patches(
    few: Sequence[NoisySlice],
    cut: int,
    size: int,
    rng: np.random.Generator,
    domain: TrainingDomain,
) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    """Yield a patch of each slice, resampled from ``cut`` pixels per side, in one batch."""
    wide = size + 2 * MARGIN
    fewest, most = domain.thickness
    doses = [domain.draw_dose(rng) for _ in few]
    kernels = [domain.draw_kernel(rng) for _ in few]
    clean = [domain.draw_clean(rng) for _ in few]
    doses = [1.0 if cleaned else dose for cleaned, dose in zip(clean, doses, strict=True)]
    layers = [_layers(noisy, int(rng.integers(fewest, most + 1))) for noisy in few]
    # The nearer kernel needs the smaller amplification of high frequencies.
    drawn = [(SOFT, SHARP).index(nearest_kernel(kernel)) for kernel in kernels]
    normal, noise = _cut_out(layers, drawn, clean, cut, rng)
    source = StackedKernels([(SOFT, SHARP)[number] for number in drawn])
    target_kernels = StackedKernels(kernels)
    pixel_mm = torch.tensor([noisy.pixel_mm for noisy in few], dtype=torch.float32)[:, None, None]
    normal = change_kernels(normal, pixel_mm, SOFT, target_kernels, (wide, wide))
    noise = change_kernels(noise, pixel_mm, source, target_kernels, (wide, wide))
    if domain.inserts:
        normal += draw_inserts(wide, pixel_mm * (cut / wide), target_kernels, rng, domain.inserts)
    inner = np.s_[MARGIN : MARGIN + size, MARGIN : MARGIN + size]
    for low, target in zip(*_blend(normal, noise, doses, domain), strict=True):
        yield low[inner], target[inner]


def check_slice(noisy: NoisySlice, size: int, domain: TrainingDomain | None) -> None:
    """Check that patches of ``size`` can be drawn from a slice.

    Raises
    ------
    BadInputError
        If the slice is too small or lacks the noise or the clean image that the domain needs.
    """
    if domain is None:
        check_fits(noisy.ndct, size)
        return
    if len(noisy.noise) < 2:
        raise BadInputError("A measured pair has the noise of one kernel only. Give no domain.")
    if domain.clean is not None and noisy.clean is None:
        raise BadInputError("The domain has clean patches. Give a denoiser that makes them.")
    rows, columns = noisy.ndct.shape
    if 2 * (min(rows, columns) // 2) < (size + 2 * MARGIN) / 2:
        raise BadInputError(
            f"Slices of {rows}×{columns} pixels are too small for patches of {size}×{size} pixels. "
            "Use larger slices."
        )


def _layers(noisy: NoisySlice, thickness: int) -> list[NoisySlice]:
    """Return a slice and those below it, at most ``thickness``."""
    layers = [noisy]
    while len(layers) < thickness and layers[-1].below is not None:
        layers.append(layers[-1].below)
    return layers


def _cut_out(
    layers: Sequence[Sequence[NoisySlice]],
    drawn: Sequence[int],
    clean: Sequence[bool],
    cut: int,
    rng: np.random.Generator,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Crop NDCT, or the clean slices, and the noise of the drawn kernels; average the layers.

    Both results are (count, cut, cut) HU.
    """
    normal, noise = torch.zeros(2, len(layers), cut, cut)
    for number, (slices, kernel, cleaned) in enumerate(zip(layers, drawn, clean, strict=True)):
        top, left = patch_corner(slices[0].ndct, cut, rng, tissue=TISSUE_HU)
        here = np.s_[top : top + cut, left : left + cut]
        for layer in slices:
            anatomy = (layer.clean if cleaned else layer.ndct)[here]
            normal[number] += torch.from_numpy(anatomy.astype(np.float32)) / len(slices)
            drawn_noise = layer.noise[(kernel, *here)].astype(np.float32)
            noise[number] += torch.from_numpy(drawn_noise) / len(slices)
    return normal, noise


def _blend(
    normal: torch.Tensor, noise: torch.Tensor, doses: Sequence[float], domain: TrainingDomain
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return LDCT and target, (count, rows, columns) HU.

    ``normal`` is the NDCT and ``noise`` the noise at 25 % dose.

    Targets are not clipped at the lower HU limit: clipping their noise would raise the mean.
    """
    factors = [dose_factor(dose) for dose in doses]
    left = domain.noise_left
    coefficients = [
        0.0 if left is None or dose == 1 else target_noise_fraction(dose, left) for dose in doses
    ]
    factor, coefficient = torch.tensor([factors, coefficients])[..., None, None]
    normal = normal.clamp(min=MIN_CT_HU)
    noise = noise * factor
    return (normal + noise).clamp(min=MIN_CT_HU), normal + coefficient * noise


def dose_factor(dose: float) -> float:
    """Return the ratio of σ added at a dose fraction a to σ added at :data:`CACHED_DOSE`.

    The added σ is proportional to √(1/a − 1).
    """
    return math.sqrt((1 / dose - 1) / (1 / CACHED_DOSE - 1))


def _draw_noise(scan: CtScan, device: str, seed: int) -> np.ndarray:
    """Draw noise with the soft and the sharp kernel from the same rays, like the scan's own noise.

    The result is (2, slices, rows, columns) float16 HU. Neighbouring slices have as much of it in
    common as of their own noise.
    """
    # Each scan has noise of its own. A test scan with the same seed has other noise.
    rng = np.random.default_rng(int(_fingerprint(scan, seed), 16))
    generator = torch.Generator(device).manual_seed(int(rng.integers(2**62)))
    draws = []
    for first in range(0, len(scan.hu), BLOCK):
        scanner = CtScanner(modulation=rng.uniform(*MODULATION), bowtie=rng.uniform(*BOWTIE))
        simulator = LowDoseSimulator(scan.pixel_mm, scanner=scanner).fitted(scan.hu)
        # A cropped scan must not be shifted out of the image.
        reach = np.minimum(OFF_CENTRE_MM / scan.pixel_mm, 0.15 * np.array(scan.hu.shape[1:]))
        shift = np.rint(rng.uniform(-reach, reach)).astype(int)
        block = scan.hu[first : first + BLOCK]
        for start in range(0, len(block), 4):
            part = torch.from_numpy(block[start : start + 4].astype(np.float32)).to(device)
            part = _shifted(part, shift, fill=MIN_CT_HU)
            sinogram = simulator.noise_sinogram(part, CACHED_DOSE, generator)
            noise = torch.stack(
                [simulator.reconstruct(sinogram, part.shape[-2:], k) for k in (SOFT, SHARP)]
            )
            # Pixels that left the field on one side get the noise of the opposite side.
            noise = noise.roll(tuple(int(-pixels) for pixels in shift), dims=(-2, -1))
            draws.append(noise.clamp(-RANGE_HU, RANGE_HU).half().cpu().numpy())
    noise = like_own_noise(np.concatenate(draws, axis=1), scan.hu, CACHED_DOSE)
    weights = slice_weights(slice_correlation(scan.hu))
    return np.array([list(correlated_slices(drawn, weights)) for drawn in noise], np.float16)


def _shifted(images: torch.Tensor, shift: np.ndarray, fill: float) -> torch.Tensor:
    """Shift images by whole rows and columns."""
    down, right = (int(pixels) for pixels in shift)
    moved = images.roll((down, right), dims=(-2, -1))
    moved[..., : max(down, 0), :] = fill
    moved[..., moved.shape[-2] + min(down, 0) :, :] = fill
    moved[..., : max(right, 0)] = fill
    moved[..., moved.shape[-1] + min(right, 0) :] = fill
    return moved


def _fingerprint(scan: CtScan, seed: int) -> str:
    """Return a hash of all inputs of the noise of a scan."""
    varied = f"{BLOCK} {MODULATION} {BOWTIE} {OFF_CENTRE_MM} {scan.patient} {NOISE_VERSION}"
    setting = f"{LowDoseSimulator(scan.pixel_mm)} {SOFT} {SHARP} {CACHED_DOSE} {varied} {seed}"
    digest = hashlib.sha256(setting.encode())
    digest.update(np.ascontiguousarray(scan.hu))
    return digest.hexdigest()[:24]
