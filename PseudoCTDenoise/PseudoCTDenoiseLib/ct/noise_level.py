"""Noise level in uniform soft tissue, measured without a reference."""

from __future__ import annotations

import numpy as np

from ..errors import BadInputError
from .box_mean import inner_box_means
from .constant_areas import tissue_padding
from .hounsfield import MIN_CT_HU
from .image_arrays import iterate_slices, paired_slices

SOFT_TISSUE_MEAN_HU = (0.0, 130.0)
"""Range of a soft-tissue window's mean."""
FLAT_WINDOW = 11
"""Side in pixels of the windows in which soft-tissue noise is measured."""
FLATTEST = 0.1
"""Fraction of the windows, those with the least noise, that is measured."""
_MIN_WINDOWS = 100
"""Minimum number of soft-tissue windows in a slice."""

_NO_SOFT_TISSUE = (
    "The noise cannot be measured: the image has no soft tissue (0 to 130 HU). "
    "Give the noise in HU, or choose a scan with soft tissue."
)


def soft_tissue_noise(hu: np.ndarray) -> float:
    """Return the standard deviation of the noise in uniform soft tissue, in HU.

    In each slice, it is the median standard deviation of the most uniform tenth of all 11x11
    windows whose mean is in [0, 130] HU; the result is the median over the slices. The selection of
    the most uniform windows biases it by about -25 %, so use it to compare scans and not as an
    absolute noise level.

    Raises
    ------
    BadInputError
        If no slice has 100 such windows.
    """
    noise = []
    for part in iterate_slices(hu):
        mean, deviation = mean_and_deviation(part)
        deviation = deviation[is_soft_tissue(mean)]
        if deviation.size >= _MIN_WINDOWS:
            noise.append(np.quantile(deviation, FLATTEST / 2))
    if not noise:
        raise BadInputError(_NO_SOFT_TISSUE)
    return float(np.median(_noisy(np.array(noise))))


def noise_reduction(before: np.ndarray, after: np.ndarray) -> float:
    """Return the removed fraction of the soft-tissue noise, 1 - sigma(after) / sigma(before).

    Both are medians over the same windows. In each slice, these are the tenth of the windows with
    a mean in [0, 130] HU whose product of both standard deviations is smallest. A selection by
    one image only would bias the noise of that image.

    Raises
    ------
    BadInputError
        If the shapes differ, or no slice has 100 soft-tissue windows.
    """
    before, after = paired_slices(before, after)
    sigma = []
    for old, new in zip(before, after, strict=True):
        mean, deviation_before = mean_and_deviation(old)
        deviations = np.stack([deviation_before, mean_and_deviation(new)[1]])
        if (flat := flattest(mean, deviations, _MIN_WINDOWS)) is not None:
            sigma.append(np.median(deviations[:, flat], axis=1))
    if not sigma:
        raise BadInputError(_NO_SOFT_TISSUE)
    sigma_before, sigma_after = np.median(_noisy(np.array(sigma)), axis=0)
    return float(1 - sigma_after / sigma_before) if sigma_before > 0 else 0.0


def flattest(mean: np.ndarray, deviations: np.ndarray, fewest: int) -> np.ndarray | None:
    """Return True in the flattest tenth of the soft-tissue windows, in the shape of ``mean``.

    Parameters
    ----------
    mean : of each window, HU.
    deviations : standard deviations of each window in several images, (images, …). Their product
        is smallest in the flattest windows.
    fewest : minimum number of soft-tissue windows; None is returned if there are fewer.
    """
    soft = is_soft_tissue(mean)
    if np.count_nonzero(soft) < fewest:
        return None
    flatness = deviations.prod(axis=0)
    return soft & (flatness <= np.quantile(flatness[soft], FLATTEST))


def _noisy(noise: np.ndarray) -> np.ndarray:
    """Return the noise of the slices, (slices, …), without those that hold nothing but padding.

    These have no noise; if all slices have none, it is that of the scan.
    """
    noisy = noise.reshape(len(noise), -1)[:, 0] > 0
    return noise[noisy] if noisy.any() else noise


def mean_and_deviation(hu: np.ndarray, side: int = FLAT_WINDOW) -> tuple[np.ndarray, np.ndarray]:
    """Return mean and standard deviation of all side x side windows of (rows, columns).

    The mean is NaN in windows that touch :func:`.tissue_padding`.
    """
    padding = tissue_padding(hu)
    hu = np.maximum(hu.astype(np.float64), MIN_CT_HU)
    mean = inner_box_means(hu, side)
    deviation = np.sqrt(np.maximum(inner_box_means(hu**2, side) - mean**2, 0))
    if padding.any():
        mean[inner_box_means(padding, side) > 0] = np.nan
    return mean, deviation


def is_soft_tissue(mean: np.ndarray) -> np.ndarray:
    low, high = SOFT_TISSUE_MEAN_HU
    return (mean >= low) & (mean <= high)
