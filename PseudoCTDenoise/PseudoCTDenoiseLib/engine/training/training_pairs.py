"""Patches of LDCT and NDCT to train on, from real pairs or from normal-dose CT alone."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from ..errors import BadInputError
from ..hounsfield import MIN_CT_HU, RANGE_HU, TISSUE_HU, normalise
from ..simulation.low_dose import LowDoseSimulator
from ..simulation.reconstruction_kernels import SHARP, SOFT
from .ct_dataset import CtScan
from .training_patches import Augmentation, augment, patch_corner

CACHED_DOSE = 0.25
PLAIN_TURNS = Augmentation()


@dataclass(frozen=True)
class NoisySlice:
    """An NDCT slice, (rows, columns) int16 HU, and its noise, (kernels, rows, columns) in HU.

    Simulated noise comes twice, from the same rays: with the soft and with the sharp kernel. As
    reconstruction is linear, any mixture of both is the noise of a kernel between them.
    """

    ndct: np.ndarray
    noise: np.ndarray


@dataclass(frozen=True)
class NoiseRange:
    """What is drawn for every patch of simulated noise.

    ``doses`` are the fractions of the scan's dose, drawn evenly in their logarithm; ``sharpness``
    0 is the soft kernel and 1 the sharp one, drawn with more weight on the soft end, where most
    scans are.
    """

    doses: tuple[float, float] = (0.08, 0.8)
    sharpness: tuple[float, float] = (-0.1, 1.1)


def simulated_slices(
    scans: Sequence[CtScan],
    cache: Path | str,
    *,
    device: str = "cpu",
    seed: int = 0,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> list[NoisySlice]:
    """Noise at a quarter of the dose for every slice of normal-dose scans.

    The tube output is fitted to each scan's own noise. Draws are kept in the folder ``cache`` and
    read from there the next time.
    """
    cache = Path(cache)
    cache.mkdir(parents=True, exist_ok=True)
    slices = []
    for number, scan in enumerate(scans):
        file = cache / f"{_fingerprint(scan, seed)}.npy"
        if not file.is_file():
            draws = _draw_noise(scan, device, seed)
            partial = file.with_suffix(".part")
            with partial.open("wb") as stream:
                np.save(stream, draws, allow_pickle=False)
            partial.replace(file)
        noise = np.load(file, mmap_mode="r", allow_pickle=False)
        slices += [NoisySlice(hu, noise[:, index]) for index, hu in enumerate(scan.hu)]
        progress(number + 1, len(scans))
    return slices


def paired_slices(ldct: np.ndarray, ndct: np.ndarray) -> list[NoisySlice]:
    """The slices of a real pair, both (slices, rows, columns) in HU on the same grid."""
    if ldct.shape != ndct.shape:
        raise BadInputError(f"LDCT {ldct.shape} and NDCT {ndct.shape} are not on the same grid.")
    noise = np.asarray(ldct, np.float32) - ndct
    return [NoisySlice(hu, noise[None, index]) for index, hu in enumerate(ndct)]


def draw_patches(
    slices: Sequence[NoisySlice],
    count: int,
    size: int,
    rng: np.random.Generator,
    noise_range: NoiseRange | None = None,
    augmentation: Augmentation = PLAIN_TURNS,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Random patches inside of the body.

    Parameters
    ----------
    noise_range : draws dose and kernel anew for each patch; None takes the noise as it is.

    Returns
    -------
    LDCT and NDCT, (count, 1, size, size) each, normalised.
    """
    ldct, ndct = [], []
    for _ in range(count):
        low, normal = _draw_patch(slices[rng.integers(len(slices))], size, rng, noise_range)
        pair = augment(torch.from_numpy(np.stack([low, normal])), rng, augmentation)
        ldct.append(pair[0])
        ndct.append(pair[1])
    return torch.stack(ldct)[:, None], torch.stack(ndct)[:, None]


def _draw_patch(
    noisy: NoisySlice, size: int, rng: np.random.Generator, noise_range: NoiseRange | None
) -> tuple[np.ndarray, np.ndarray]:
    top, left = patch_corner(noisy.ndct, size, rng, tissue=TISSUE_HU)
    here = np.s_[top : top + size, left : left + size]
    normal = np.maximum(noisy.ndct[here].astype(np.float32), MIN_CT_HU)
    noise = noisy.noise[(slice(None), *here)].astype(np.float32)
    if noise_range is None:
        noise = noise[0]
    else:
        dose = math.exp(rng.uniform(*np.log(noise_range.doses)))
        soft, sharp = noise_range.sharpness
        sharpness = soft + (sharp - soft) * rng.random() ** 3
        noise = (1 - sharpness) * noise[0] + sharpness * noise[-1]
        noise = noise * dose_factor(dose)
    low = np.maximum(normal + noise, MIN_CT_HU)
    return normalise(low), normalise(normal)


def dose_factor(dose: float) -> float:
    """σ added at a dose fraction over σ added at :data:`CACHED_DOSE`, by √(1/a − 1)."""
    return math.sqrt((1 / dose - 1) / (1 / CACHED_DOSE - 1))


def _draw_noise(scan: CtScan, device: str, seed: int) -> np.ndarray:
    """(2, slices, rows, columns) float16 HU: soft and sharp kernel from the same rays."""
    simulator = LowDoseSimulator(scan.pixel_mm).fitted(scan.hu)
    generator = torch.Generator(device).manual_seed(seed)
    draws = []
    for start in range(0, len(scan.hu), 4):
        part = torch.from_numpy(scan.hu[start : start + 4].astype(np.float32)).to(device)
        sinogram = simulator.noise_sinogram(part, CACHED_DOSE, generator)
        kernels = [
            simulator.reconstruct(sinogram, part.shape[-2:], kernel) for kernel in (SOFT, SHARP)
        ]
        draws.append(torch.stack(kernels).clamp(-RANGE_HU, RANGE_HU).half().cpu().numpy())
    return np.concatenate(draws, axis=1)


def _fingerprint(scan: CtScan, seed: int) -> str:
    """Names a draw by all that it depends on."""
    setting = f"{LowDoseSimulator(scan.pixel_mm)} {SOFT} {SHARP} {CACHED_DOSE} {seed}"
    digest = hashlib.sha256(setting.encode())
    digest.update(np.ascontiguousarray(scan.hu))
    return digest.hexdigest()[:24]
