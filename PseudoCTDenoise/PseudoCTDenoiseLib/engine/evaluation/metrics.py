"""How good an image is: PSNR, SSIM, HU bias, noise level and noise texture.

Images are HU arrays of (slices, rows, columns) or (rows, columns). Whatever lies below
-1024 HU is padding without a measurement; it is clamped to -1024 HU in both images before
anything is compared. No range is ever inferred from the data.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import SimpleITK as sitk

from ..errors import BadInputError
from ..hounsfield import MIN_CT_HU, RANGE_HU

SOFT_WINDOW_HU = (-160.0, 240.0)
"""The abdominal window (width 400, level 40) of PSNR-400 and SSIM-400."""

TISSUES_HU = {
    "air": (-np.inf, -950.0),
    "lung": (-950.0, -500.0),
    "fat": (-140.0, -40.0),
    "water": (-20.0, 20.0),
    "soft_tissue": (20.0, 130.0),
    "bone": (200.0, np.inf),
}
"""Tissue classes of :func:`hu_bias`: lower bound inclusive, upper bound exclusive."""

EDGE_HU = 100.0

SOFT_TISSUE_MEAN_HU = (0.0, 130.0)
FLAT_WINDOW = 11
"""Side in pixels of the windows in which the noise of soft tissue is measured."""
FLATTEST = 0.1
_FEWEST_WINDOWS = 100


# --------------------------------------------------------------- against a reference


def psnr_4096(image: np.ndarray, reference: np.ndarray) -> float:
    """20 log10(4096 / RMSE in HU) over all voxels, in dB; infinite for equal images."""
    return _psnr(rmse_hu(image, reference), RANGE_HU)


def psnr_400(image: np.ndarray, reference: np.ndarray) -> float:
    """PSNR in dB after clipping both images to [-160, 240] HU; range 400 HU."""
    image, reference = _pair(image, reference)
    low, high = SOFT_WINDOW_HU
    error = np.clip(image, low, high) - np.clip(reference, low, high)
    return _psnr(float(np.sqrt(np.mean(error**2))), high - low)


def rmse_hu(image: np.ndarray, reference: np.ndarray) -> float:
    """Root mean square error over all voxels, in HU."""
    image, reference = _pair(image, reference)
    return float(np.sqrt(np.mean((image - reference) ** 2)))


def ssim_4096(image: np.ndarray, reference: np.ndarray) -> float:
    """Structural similarity of HU + 1024 with a range of 4096, the mean of the slices'.

    Wang et al., IEEE TIP 2004, in scikit-image's default form: uniform 7x7 window, sample
    covariance, K1 = 0.01, K2 = 0.03. The default is kept so that the figure can be held
    against other work; the Gaussian window gives other values. Slices must be at least 7x7.
    """
    return _ssim(image, reference, MIN_CT_HU, MIN_CT_HU + RANGE_HU, clip=False)


def ssim_400(image: np.ndarray, reference: np.ndarray) -> float:
    """:func:`ssim_4096` after clipping to [-160, 240] HU, of HU + 160 with a range of 400."""
    return _ssim(image, reference, *SOFT_WINDOW_HU, clip=True)


def hu_bias(image: np.ndarray, reference: np.ndarray) -> dict[str, float]:
    """Mean of image - reference in HU, by tissue and inside the body.

    Parameters
    ----------
    image, reference : HU, (slices, rows, columns) or (rows, columns)

    Returns
    -------
    dict
        ``air``, ``lung``, ``fat``, ``water``, ``soft_tissue``, ``bone`` (:data:`TISSUES_HU`;
        bone includes dense contrast medium) and ``body`` (:func:`body_mask`); NaN where
        the reference has no such voxel.

    Notes
    -----
    The class of a voxel is that of the reference's 5x5 mean. Taken from the voxel itself,
    the reference's own noise would choose the class and pull each mean towards it. Where
    these means vary by 100 HU within 5x5 pixels there is an edge, which must not pass for a
    tissue between its two sides; air and bone, at the ends of the scale, keep their edges.
    """
    image, reference = _pair(image, reference)
    difference = image - reference
    tissue = np.stack([_local_mean(np.pad(part, 2, mode="edge"), 5) for part in reference])
    uniform = _range_5x5(tissue) < EDGE_HU
    masks = {}
    for name, (low, high) in TISSUES_HU.items():
        between_others = np.isfinite(low) and np.isfinite(high)
        masks[name] = (tissue >= low) & (tissue < high) & (uniform | (not between_others))
    masks["body"] = body_mask(reference)
    return {n: float(difference[m].mean()) if m.any() else np.nan for n, m in masks.items()}


def body_mask(hu: np.ndarray) -> np.ndarray:
    """The patient, lungs included, without table and clothes: a bool array of ``hu``'s shape.

    Slice by slice the largest connected region above -300 HU, after an opening of 2 pixels
    that cuts the table off, with its holes filled.
    """
    mask = np.zeros(hu.shape, dtype=bool)
    for part, out in zip(_slices(hu), _slices(mask), strict=True):
        tissue = sitk.GetImageFromArray((part > -300).astype(np.uint8))
        # What lies past the border counts as tissue, or a body that the field cuts off would
        # be eaten there.
        tissue = sitk.BinaryErode(tissue, (2, 2), boundaryToForeground=True)
        tissue = sitk.BinaryDilate(tissue, (2, 2), boundaryToForeground=False)
        regions = sitk.RelabelComponent(sitk.ConnectedComponent(tissue))
        out[:] = sitk.GetArrayFromImage(sitk.BinaryFillhole(regions == 1)) > 0
    return mask


def image_metrics(image: np.ndarray, reference: np.ndarray) -> dict[str, float]:
    """One row of a results table.

    Returns
    -------
    dict
        ``psnr_4096``, ``psnr_400`` in dB; ``ssim_4096``, ``ssim_400``; ``rmse_hu`` and
        ``hu_bias`` (inside the body) in HU.
    """
    return {
        "psnr_4096": psnr_4096(image, reference),
        "psnr_400": psnr_400(image, reference),
        "ssim_4096": ssim_4096(image, reference),
        "ssim_400": ssim_400(image, reference),
        "rmse_hu": rmse_hu(image, reference),
        "hu_bias": hu_bias(image, reference)["body"],
    }


# --------------------------------------------------------------- without a reference


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
    for part in _slices(hu):
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
    before, after = _pair(before, after)
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


# --------------------------------------------------------------- noise texture


def noise_power_spectrum(
    windows: np.ndarray, pixel_mm: float, *, bin_per_cm: float = 0.25, highest_per_cm: float = 8.0
) -> tuple[np.ndarray, np.ndarray]:
    """Radial noise power spectrum of flat windows (ICRU 87; AAPM TG-233).

    Parameters
    ----------
    windows : HU, (count, rows, columns), usually 64x64; each window's mean is subtracted
    pixel_mm : side of a square pixel in mm

    Returns
    -------
    frequency : the bins' centres in 1/cm
    power : mean of pixel_mm^2 / (rows columns) |DFT|^2 over the windows and over each ring,
        in HU^2 mm^2. The zero frequency, which the subtracted mean empties, is left out.
        Rings that hold no sample are interpolated; beyond the corner of the sampled
        spectrum the power is 0.
    """
    windows = _zero_mean(windows)
    _, rows, columns = windows.shape
    spectrum = np.mean(np.abs(np.fft.fft2(windows)) ** 2, axis=0) * pixel_mm**2 / (rows * columns)
    radius = 10 * np.hypot(
        np.fft.fftfreq(rows, pixel_mm)[:, None], np.fft.fftfreq(columns, pixel_mm)
    )
    bins = round(highest_per_cm / bin_per_cm)
    frequency = (np.arange(bins) + 0.5) * bin_per_cm
    ring = np.floor(radius / bin_per_cm).astype(int)
    inside = (ring < bins) & (radius > 0)
    count = np.bincount(ring[inside], minlength=bins)
    total = np.bincount(ring[inside], weights=spectrum[inside], minlength=bins)
    filled = count > 0
    power = np.interp(frequency, frequency[filled], total[filled] / count[filled], right=0.0)
    return frequency, power


def normalised_spectrum(power: np.ndarray) -> np.ndarray:
    """A radial spectrum scaled to sum 1 over its bins, so that only its shape is left."""
    return power / power.sum()


def mean_frequency(frequency: np.ndarray, power: np.ndarray) -> float:
    """f_av: the mean of the frequencies weighted by the radial spectrum, in their unit."""
    return float(np.sum(frequency * power) / np.sum(power))


def autocorrelation(windows: np.ndarray, lags: tuple[int, ...] = (1, 2, 3)) -> dict[str, float]:
    """Correlation of pixels ``lags`` apart along columns (x) and rows (y), over all windows.

    ``windows`` is (count, rows, columns); each window's mean is subtracted. The keys are
    x1, x2, x3, y1, y2, y3.
    """
    windows = _zero_mean(windows)
    variance = np.mean(windows**2)
    along_x = {f"x{k}": windows[:, :, k:] * windows[:, :, :-k] for k in lags}
    along_y = {f"y{k}": windows[:, k:, :] * windows[:, :-k, :] for k in lags}
    return {key: float(np.mean(v) / variance) for key, v in {**along_x, **along_y}.items()}


# --------------------------------------------------------------- shared

_NO_SOFT_TISSUE = (
    "The noise cannot be measured: the image has no soft tissue (0 to 130 HU). "
    "Give the noise in HU, or choose a scan with soft tissue."
)


def _slices(array: np.ndarray) -> Iterator[np.ndarray]:
    return iter(array if array.ndim == 3 else array[None])


def _pair(image: np.ndarray, reference: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Both as float64 (slices, rows, columns), clamped at -1024 HU."""
    if image.shape != reference.shape or image.ndim not in (2, 3):
        raise BadInputError(
            f"Images of shapes {image.shape} and {reference.shape} cannot be compared: "
            "give two of the same (slices, rows, columns) or (rows, columns)."
        )
    shape = (-1, *image.shape[-2:])
    image = np.maximum(image.astype(np.float64), MIN_CT_HU).reshape(shape)
    return image, np.maximum(reference.astype(np.float64), MIN_CT_HU).reshape(shape)


def _psnr(rmse: float, data_range: float) -> float:
    return float(20 * np.log10(data_range / rmse)) if rmse > 0 else np.inf


def _ssim(
    image: np.ndarray, reference: np.ndarray, low: float, high: float, *, clip: bool
) -> float:
    from skimage.metrics import structural_similarity

    image, reference = _pair(image, reference)
    if clip:
        image, reference = np.clip(image, low, high), np.clip(reference, low, high)
    # The luminance term is meant for values that start at zero, as a network sees them.
    parts = zip(image - low, reference - low, strict=True)
    return float(np.mean([structural_similarity(a, b, data_range=high - low) for a, b in parts]))


def _zero_mean(windows: np.ndarray) -> np.ndarray:
    windows = np.asarray(windows, dtype=np.float64)
    return windows - windows.mean(axis=(1, 2), keepdims=True)


def _range_5x5(stack: np.ndarray) -> np.ndarray:
    """Largest minus smallest value around every voxel within its slice."""
    high = low = np.pad(stack, ((0, 0), (2, 2), (2, 2)), mode="edge")
    for axis in (1, 2):
        high = np.lib.stride_tricks.sliding_window_view(high, 5, axis).max(axis=-1)
        low = np.lib.stride_tricks.sliding_window_view(low, 5, axis).min(axis=-1)
    return high - low


def _local_mean(hu: np.ndarray, side: int) -> np.ndarray:
    """Means of all side x side windows that lie inside (rows, columns), in float64."""
    sums = np.pad(hu.astype(np.float64).cumsum(0).cumsum(1), ((1, 0), (1, 0)))
    box = sums[side:, side:] - sums[:-side, side:] - sums[side:, :-side] + sums[:-side, :-side]
    return box / side**2


def _mean_and_deviation(hu: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation of all 11x11 windows of (rows, columns)."""
    hu = np.maximum(hu.astype(np.float64), MIN_CT_HU)
    mean = _local_mean(hu, FLAT_WINDOW)
    return mean, np.sqrt(np.maximum(_local_mean(hu**2, FLAT_WINDOW) - mean**2, 0))


def _is_soft_tissue(mean: np.ndarray) -> np.ndarray:
    low, high = SOFT_TISSUE_MEAN_HU
    return (mean >= low) & (mean <= high)
