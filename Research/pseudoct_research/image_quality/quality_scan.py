"""Repeated low-dose scans of the quality phantom, before and after a denoiser."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from PseudoCTDenoiseLib.ct.hounsfield import MIN_CT_HU
from PseudoCTDenoiseLib.ct.strength import apply_strength
from PseudoCTDenoiseLib.errors import BadInputError
from PseudoCTDenoiseLib.simulation.ct_scanner import CtScanner
from PseudoCTDenoiseLib.simulation.low_dose import LowDoseSimulator
from PseudoCTDenoiseLib.simulation.reconstruction_kernels import ReconstructionKernel

from ..phantom.phantom_scan import NORMAL_DOSE_QUANTA
from ..phantom.quality_phantom import (
    PIXEL_MM,
    PIXELS,
    Circle,
    discs,
    flat_window,
    rods,
    section,
)
from .model_observer import channel_width_mm, laguerre_gauss

Denoise = Callable[[np.ndarray], np.ndarray]
"""Function from float32 HU of unrelated slices, (slices, rows, columns), to denoised HU."""

WINDOW = 128
"""Side in pixels of the noise region: with 64, 4 % of the power leaks to other frequencies."""
FEWEST_REALISATIONS = 4
_DISC_MARGIN = 21
"""Margin in pixels around a disc's centre, which contains the widest channels."""


@dataclass(frozen=True)
class QualityScan:
    """Data of all realisations; S is the number of strengths.

    Attributes
    ----------
    strengths : 0 to 100 %; the first is 0, the LDCT.
    windows : HU of a uniform region, (S, realisations, rows, columns).
    inserts : HU of the section with rods, mean over the realisations, (S, rows, columns).
    clean_inserts : the same section without noise, (rows, columns).
    responses : channel responses by disc, each (S, 2, realisations, positions, channels); the
        second axis is without and with the disc, in the same noise.
    """

    strengths: Sequence[float]
    windows: np.ndarray
    inserts: np.ndarray
    clean_inserts: np.ndarray
    responses: dict[tuple[float, float], np.ndarray]


def check_realisations(count: int) -> None:
    """Check that the realisations can be split into pairs of opposite noise.

    Raises
    ------
    BadInputError
        If the number is odd or below 4.
    """
    if count < FEWEST_REALISATIONS or count % 2:
        raise BadInputError(
            f"{count} realisations are not valid. Use an even number of at least "
            f"{FEWEST_REALISATIONS}, and 200 for reliable metrics."
        )


def scan_quality_phantom(
    denoise: Denoise,
    kernel: ReconstructionKernel,
    *,
    strengths: Sequence[float] = (0.0, 100.0),
    dose: float = 0.25,
    realisations: int = 200,
    seed: int = 0,
    device: str = "cpu",
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> QualityScan:
    """Scan the phantom repeatedly with independent noise, and denoise every scan.

    The resolution follows from the kernel's apodisation and the detector channels; images are
    clipped at -1024 HU, as on a scanner. In the section with rods, every second realisation has the
    noise of the previous one with opposite sign: the mean of the LDCT is then free of noise, and
    the mean of the denoised images shows the effect of the denoiser alone. The images are shown at
    each of the ``strengths``, 0 to 100 %, of which the first is 0. ``progress`` receives the number
    of finished realisations and their total.

    Raises
    ------
    BadInputError
        If the number of realisations is odd or below 4, the dose fraction is not above 0 and
        at most 1, or the denoiser returns another shape or values that are not finite.
    """
    check_realisations(realisations)
    simulator = LowDoseSimulator(PIXEL_MM, NORMAL_DOSE_QUANTA)

    def mtf(frequency_per_cm: torch.Tensor) -> torch.Tensor:
        detector = detector_mtf(simulator.scanner, frequency_per_cm)
        return torch.exp(-kernel.damping(frequency_per_cm)) * detector

    circles, rod_circles = discs(), rods()
    every_rod = dict.fromkeys(rod for group in rod_circles.values() for rod in group)
    clean = np.stack(
        [
            section(every_rod, mtf),
            section([], mtf),
            section([disc for group in circles.values() for disc in group], mtf),
        ]
    )
    blur = blur_mm(mtf)
    side = 2 * _DISC_MARGIN + 1
    channels = {
        disc: laguerre_gauss(channel_width_mm(disc[0], blur), PIXEL_MM, side) for disc in circles
    }

    generator = torch.Generator(device).manual_seed(seed)
    deviation = simulator.ray_deviation(
        torch.from_numpy(clean[:2]).to(device), dose, image_dose=math.inf
    )
    flat = flat_window(WINDOW)
    windows = np.empty((len(strengths), realisations, WINDOW, WINDOW), np.float32)
    inserts = np.zeros((len(strengths), PIXELS, PIXELS))
    rod_noise = np.zeros((PIXELS, PIXELS))
    responses = {
        disc: np.empty((len(strengths), 2, realisations, len(group), len(channels[disc])))
        for disc, group in circles.items()
    }
    for number in range(realisations):
        rays = torch.randn(deviation.shape, generator=generator, device=device)
        noise = simulator.reconstruct(deviation * rays, (PIXELS, PIXELS), kernel)
        of_rods, plain = noise.cpu().numpy()
        rod_noise = -rod_noise if number % 2 else of_rods
        # The same noise with and without discs, so only the disc differs.
        ldct = np.maximum(clean + np.stack([rod_noise, plain, plain]), MIN_CT_HU)
        denoised = _checked(denoise(ldct), ldct)
        for part, strength in enumerate(strengths):
            images = apply_strength(ldct, denoised, strength, out=np.empty_like(ldct))
            inserts[part] += images[0] / realisations
            windows[part, number] = images[1][flat]
            for disc, group in circles.items():
                responses[disc][part, :, number] = _responses(images[1:], group, channels[disc])
        progress(number + 1, realisations)
    return QualityScan(strengths, windows, inserts, clean[0], responses)


def detector_mtf(scanner: CtScanner, frequency_per_cm: torch.Tensor) -> torch.Tensor:
    """Return the modulation transfer function of a channel at the centre; frequency in 1/cm."""
    width_cm = scanner.source_to_centre * scanner.channel_angle / 10
    return torch.sinc(frequency_per_cm * width_cm).abs()


def blur_mm(mtf: Callable[[torch.Tensor], torch.Tensor]) -> float:
    """Return the standard deviation in mm of the Gaussian with the same MTF50."""
    frequency = torch.linspace(0, 20, 20001, dtype=torch.float64)
    half_per_mm = float(frequency[(mtf(frequency) < 0.5).nonzero()[0]]) / 10
    return math.sqrt(math.log(2) / 2) / math.pi / half_per_mm


def square(image: np.ndarray, circle: Circle, margin: int, end: int = 0) -> np.ndarray:
    """Crop a square of ``image`` with ``margin`` pixels on each side of a circle's centre.

    ``end`` 1 includes the pixel at the far edge, ``end`` 0 excludes it.
    """
    rows = slice(circle.row - margin, circle.row + margin + end)
    return image[..., rows, circle.column - margin : circle.column + margin + end]


def _responses(images: np.ndarray, group: list[Circle], channels: np.ndarray) -> np.ndarray:
    """Return the channel responses at all discs of a kind, (images, positions, channels)."""
    places = np.stack([square(images, disc, _DISC_MARGIN, 1) for disc in group], axis=1)
    return np.tensordot(places, channels, axes=([2, 3], [1, 2]))


def _checked(denoised: np.ndarray, ldct: np.ndarray) -> np.ndarray:
    if denoised.shape != ldct.shape or not np.isfinite(denoised).all():
        raise BadInputError(
            "The denoiser returned another shape or values that are not finite. Choose another "
            "model."
        )
    return denoised
