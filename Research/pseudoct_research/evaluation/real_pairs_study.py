"""The default method on slices of the AAPM challenge: gain, and estimate of the noise.

Their quarter dose is noise inserted into the projections of the full-dose scan.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PseudoCTDenoiseLib.ct.flat_windows import flat_windows
from PseudoCTDenoiseLib.ct.hounsfield import RANGE_HU
from PseudoCTDenoiseLib.ct.noise_direction import direction_ratio
from PseudoCTDenoiseLib.ct.noise_level import SOFT_TISSUE_MEAN_HU
from PseudoCTDenoiseLib.ct.reference_metrics import psnr_4096
from PseudoCTDenoiseLib.denoising.inference import apply_network
from PseudoCTDenoiseLib.denoising.job import DenoisingJob
from PseudoCTDenoiseLib.denoising.noise_estimation import estimate_noise
from scipy import ndimage
from torch import nn

from ..datasets.real_pairs import RealPairs
from .method_study import METHOD, START, stopping_curve

LAGS = {"x1": (0, 1), "x2": (0, 2), "x3": (0, 3), "y1": (1, 0), "y2": (2, 0)}
"""Name → rows and columns between the pixels whose correlation is measured."""
DIRECTIONS = ("direction_ldct", "direction_untuned", "direction_tuned")
_SMOOTHING_PX = 3.0
_FINE_PX = 1.0


def measure_gains(pairs: RealPairs, denoiser: nn.Module) -> list[dict]:
    """Denoise a group with and without tuning; return the gains of every slice.

    Returns
    -------
    A row per slice: ``patient``, ``kernel``, ``slice``, and in dB over the LDCT the gain
    ``untuned``, averaged over eight orientations, and ``tuned``, by the default method. The ratio
    of directions of the group's noise, see :func:`.direction_ratio`, is in ``direction_ldct``,
    ``direction_untuned`` and ``direction_tuned``.
    """
    gains, directions = {}, {}
    for name, settings in (("untuned", START), ("tuned", METHOD)):
        job = DenoisingJob(pairs.ldct, denoiser, [], settings, pixel_mm=pairs.pixel_mm)
        denoised = job.run_at_once().hu
        gains[name] = [
            psnr_4096(image, ndct) - psnr_4096(ldct, ndct)
            for image, ldct, ndct in zip(denoised, pairs.ldct, pairs.ndct, strict=True)
        ]
        ratios = map(direction_ratio, flat_windows(pairs.ldct, denoised))
        directions |= dict(zip(("direction_ldct", f"direction_{name}"), ratios, strict=True))
    about = {"patient": pairs.patient, "kernel": pairs.kernel}
    return [
        about | {"slice": number} | dict(zip(gains, both, strict=True)) | directions
        for number, both in enumerate(zip(*gains.values(), strict=True))
    ]


def measure_noise(pairs: RealPairs, denoiser: nn.Module) -> list[dict]:
    """Compare the noise that the method draws with the inserted noise, in uniform soft tissue.

    Returns
    -------
    A row for the inserted noise, called ``real``, and one for the ``drawn`` noise: ``sigma_hu``,
    and the autocorrelation for each of :data:`LAGS`.
    """
    job = DenoisingJob(pairs.ldct, denoiser, [], METHOD, pixel_mm=pairs.pixel_mm)
    slices = job.normalised(range(len(pairs.ldct)))
    estimate = estimate_noise(
        slices, lambda images: apply_network(job.denoiser, images), pairs.pixel_mm
    )
    drawn = estimate.draws[0].cpu().numpy() * RANGE_HU
    mask = uniform_soft_tissue(pairs.ndct)
    about = {"patient": pairs.patient, "kernel": pairs.kernel}
    return [
        about | {"noise": name} | noise_statistics(noise, mask)
        for name, noise in (("real", whole_noise(pairs, mask)), ("drawn", drawn))
    ]


def measure_risk(pairs: RealPairs, denoiser: nn.Module) -> list[dict]:
    """Return a row for each step of a group's tuning, see :func:`.stopping_curve`."""
    about = {"patient": pairs.patient, "kernel": pairs.kernel}
    return [about | row for row in stopping_curve(pairs, denoiser, METHOD.steps, METHOD)]


def whole_noise(pairs: RealPairs, mask: np.ndarray) -> np.ndarray:
    """Return the whole noise of the LDCT in HU, from its difference to the NDCT.

    The difference lacks the noise of the NDCT. It is brought to the level of the LDCT's noise in
    fine detail inside the mask, where uniform tissue has nothing but noise.
    """
    added = pairs.ldct.astype(np.float64) - pairs.ndct
    levels = [
        np.std((images - ndimage.gaussian_filter(images, (0, _FINE_PX, _FINE_PX)))[mask])
        for images in (pairs.ldct.astype(np.float64), added)
    ]
    return added * (levels[0] / levels[1])


def uniform_soft_tissue(ndct: np.ndarray) -> np.ndarray:
    """Return a mask of the half of the soft tissue with the smallest gradient of each slice."""
    low, high = SOFT_TISSUE_MEAN_HU
    mask = np.zeros(ndct.shape, bool)
    for index, image in enumerate(ndct.astype(np.float32)):
        smooth = ndimage.gaussian_filter(image, _SMOOTHING_PX)
        gradient = ndimage.gaussian_gradient_magnitude(image, _SMOOTHING_PX)
        tissue = (smooth > low) & (smooth < high)
        if tissue.any():
            uniform = tissue & (gradient < np.median(gradient[tissue]))
            mask[index] = ndimage.binary_erosion(uniform)
    return mask


def noise_statistics(noise: np.ndarray, mask: np.ndarray) -> dict[str, float]:
    """Return the root mean square in HU and the autocorrelations of noise inside a mask."""
    energy = np.mean(noise[mask] ** 2)
    rows, columns = noise.shape[1:]
    statistics = {"sigma_hu": float(np.sqrt(energy))}
    for name, (down, right) in LAGS.items():
        here = np.s_[:, down:, right:]
        there = np.s_[:, : rows - down, : columns - right]
        both = mask[here] & mask[there]
        product = noise[here][both] * noise[there][both]
        statistics[name] = float(np.mean(product) / energy)
    return statistics


def group_means(rows: Sequence[dict]) -> list[dict]:
    """Return a row per patient and kernel, and one per kernel: means, and the worst slice.

    The mean of a kernel weights slices equally. ``more`` is the gain of the tuning in dB.
    """
    lines = []
    for kernel in dict.fromkeys(row["kernel"] for row in rows):
        of_kernel = [row for row in rows if row["kernel"] == kernel]
        for patient in [*dict.fromkeys(row["patient"] for row in of_kernel), "all"]:
            group = [row for row in of_kernel if patient in (row["patient"], "all")]
            untuned, tuned = (
                np.array([float(row[key]) for row in group]) for key in ("untuned", "tuned")
            )
            lines.append(
                {
                    "kernel": kernel,
                    "patient": patient,
                    "slices": len(group),
                    "untuned": untuned.mean(),
                    "tuned": tuned.mean(),
                    "more": (tuned - untuned).mean(),
                    "worst": (tuned - untuned).min(),
                }
                | {key: np.mean([float(row[key]) for row in group]) for key in DIRECTIONS}
            )
    return lines
