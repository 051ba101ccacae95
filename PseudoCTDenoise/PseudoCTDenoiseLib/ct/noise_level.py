"""Noise level in flat soft tissue, measured without a reference."""

from __future__ import annotations

import numpy as np

from ..errors import BadInputError
from .hounsfield import MIN_CT_HU
from .image_arrays import local_mean, paired_slices, slices_of

SOFT_TISSUE_MEAN_HU = (0.0, 130.0)
FLAT_WINDOW = 11
"""Side in pixels of the windows in which the noise of soft tissue is measured."""
FLATTEST = 0.1
_FEWEST_WINDOWS = 100

_NO_SOFT_TISSUE = (
    "The noise cannot be measured: the image has no soft tissue (0 to 130 HU). "
    "Give the noise in HU, or choose a scan with soft tissue."
)


def soft_tissue_noise(hu: np.ndarray) -> float:
    """Standard deviation of the noise in flat soft tissue, in HU.

    In each slice, the median standard deviation of the flattest tenth of all 11x11 windows
    whose mean is in [0, 130] HU; then the median over the slices. Picking the flattest
    windows makes it read about a quarter low, so it is for comparing scans, not for physics.

    Raises
    ------
    BadInputError
        No slice has 100 such windows.
    """
    noise = []
    for part in slices_of(hu):
        mean, deviation = _mean_and_deviation(part)
        deviation = deviation[_is_soft_tissue(mean)]
        if deviation.size >= _FEWEST_WINDOWS:
            noise.append(np.quantile(deviation, FLATTEST / 2))
    if not noise:
        raise BadInputError(_NO_SOFT_TISSUE)
    return float(np.median(noise))


def noise_reduction(before: np.ndarray, after: np.ndarray) -> float:
    """The part of the soft-tissue noise that is gone: 1 - sigma(after) / sigma(before).

    Both are medians over the same windows. In each slice these are, of the windows with a
    mean in [0, 130] HU, the tenth with the smallest product of both standard deviations:
    chosen by one image alone, that image would read low by selection.

    Raises
    ------
    BadInputError
        The shapes differ, or no slice has 100 soft-tissue windows.
    """
    before, after = paired_slices(before, after)
    sigma = []
    for old, new in zip(before, after, strict=True):
        mean, deviation_before = _mean_and_deviation(old)
        soft = _is_soft_tissue(mean)
        if np.count_nonzero(soft) < _FEWEST_WINDOWS:
            continue
        pairs = np.stack([deviation_before[soft], _mean_and_deviation(new)[1][soft]])
        flatness = pairs.prod(axis=0)
        sigma.append(np.median(pairs[:, flatness <= np.quantile(flatness, FLATTEST)], axis=1))
    if not sigma:
        raise BadInputError(_NO_SOFT_TISSUE)
    sigma_before, sigma_after = np.median(sigma, axis=0)
    return float(1 - sigma_after / sigma_before) if sigma_before > 0 else 0.0


def _mean_and_deviation(hu: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation of all 11x11 windows of (rows, columns)."""
    hu = np.maximum(hu.astype(np.float64), MIN_CT_HU)
    mean = local_mean(hu, FLAT_WINDOW)
    return mean, np.sqrt(np.maximum(local_mean(hu**2, FLAT_WINDOW) - mean**2, 0))


def _is_soft_tissue(mean: np.ndarray) -> np.ndarray:
    low, high = SOFT_TISSUE_MEAN_HU
    return (mean >= low) & (mean <= high)
