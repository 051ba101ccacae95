"""The traffic light of the removed noise on good results, and on results damaged on purpose."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
from PseudoCTDenoiseLib.ct.hounsfield import to_int16
from PseudoCTDenoiseLib.ct.removed_structure import removed_structure
from PseudoCTDenoiseLib.denoising.job import DenoisingJob
from PseudoCTDenoiseLib.denoising.removed_noise import check_removed_noise
from PseudoCTDenoiseLib.denoising.report import noise_metrics
from PseudoCTDenoiseLib.denoising.settings import DenoisingSettings
from torch import nn

from ..datasets.ct_dataset import CtScan
from .comparison import CtPair
from .filters import gaussian, non_local_means

DISCS = ((3, 3.0), (4, 2.0), (8, 1.0), (3, 1.0))
"""Radius in pixels, and contrast in standard deviations of the removed noise, of erased discs."""


def removed_noise_rows(
    pair: CtPair, denoiser: nn.Module, settings: dict[str, DenoisingSettings], seed: int
) -> Iterator[dict]:
    """Judge the results of the settings on every slice of a pair, and damaged results.

    The first setting's result is damaged. Yields ``result``, the name; ``slice``; ``light``;
    ``edge_correlation`` and ``strongest_spot``, empty if the slice is not judged.
    """
    images = {}
    for name, chosen in settings.items():
        job = DenoisingJob(pair.ldct, denoiser, [], chosen, pixel_mm=pair.pixel_mm)
        images[name] = job.run_at_once().hu
    good = images[next(iter(settings))]
    images |= {name: to_int16(damage(pair.ldct, good)) for name, damage in _DAMAGES.items()}
    images["reference"] = pair.ndct
    for index, scan in enumerate(pair.ldct):
        unchanged = job.unchanged(index)
        for name, image in images.items():
            yield _row(name, index, scan, np.where(unchanged, scan, image[index]), unchanged)
        for radius, contrast in DISCS:
            lesion = _lesion(scan, good[index], radius, contrast, seed)
            if lesion is None:
                continue
            name = f"disc of {2 * radius} pixels and {contrast:g} σ erased"
            yield _row(name, index, scan + lesion, good[index], unchanged)


def whole_scan_row(scan: CtScan, denoiser: nn.Module, settings: DenoisingSettings) -> dict:
    """Judge the result of a whole scan at its own dose, as a job does.

    Returns
    -------
    Number of ``slices``; ``noise_hu`` of the scan in soft tissue; ``light``, ``edge_correlation``,
    ``strongest_spot`` and ``mean_frequency_ratio`` of :func:`.check_removed_noise`; and
    ``low_frequency_percent``, see :func:`.noise_metrics`. Unknown figures are empty.
    """
    job = DenoisingJob(scan.hu, denoiser, [], settings, pixel_mm=scan.pixel_mm)
    result = job.run_at_once()
    noise = noise_metrics(scan.hu, result.hu) or {}
    ratio = noise.get("removed_mean_frequency_ratio")
    check = check_removed_noise(result.structures, ratio)
    figures = ("light", "edge_correlation", "strongest_spot", "mean_frequency_ratio")
    return {
        "slices": len(scan.hu),
        "noise_hu": noise.get("soft_tissue_before_hu"),
        **{figure: check[figure] for figure in figures},
        "low_frequency_percent": noise.get("removed_low_frequency_percent"),
    }


def _row(name: str, index: int, scan: np.ndarray, image: np.ndarray, unchanged: np.ndarray) -> dict:
    check = check_removed_noise([removed_structure(scan, image, unchanged)], None)
    figures = ("light", "edge_correlation", "strongest_spot")
    return {"result": name, "slice": index} | {figure: check[figure] for figure in figures}


def _lesion(
    scan: np.ndarray, denoised: np.ndarray, radius: int, contrast: float, seed: int
) -> np.ndarray | None:
    """Return a disc at a random place in soft tissue in whole HU; None without soft tissue."""
    rows, columns = scan.shape
    margin = 4 * radius
    inside = denoised[margin:-margin, margin:-margin]
    places = np.argwhere((inside > 0) & (inside < 130))
    if len(places) < 500:
        return None
    top, left = places[np.random.default_rng(seed).integers(len(places))] + margin
    here = np.s_[top - margin : top + margin, left - margin : left + margin]
    noise = (scan[here].astype(float) - denoised[here]).std()
    down, right = np.ogrid[:rows, :columns]
    disc = np.hypot(down - top, right - left) <= radius
    return np.rint(disc * contrast * noise).astype(np.int16)


def _median(scan: np.ndarray, good: np.ndarray) -> np.ndarray:
    padded = np.pad(good, ((0, 0), (1, 1), (1, 1)), mode="edge")
    windows = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), axis=(1, 2))
    return np.median(windows, axis=(-2, -1))


def _non_local_means(scan: np.ndarray, good: np.ndarray, strength: float) -> np.ndarray:
    """Filter the scan more strongly than the best strength, 0.6."""
    noise = float((scan.astype(np.float32) - good).std())
    return non_local_means(scan, strength=strength, noise_hu=noise)


_DAMAGES: dict[str, Callable[[np.ndarray, np.ndarray], np.ndarray]] = {
    "a quarter of a blur of 1 pixel": lambda x, y: 0.75 * y + 0.25 * gaussian(y, sigma_px=1.0),
    "half of a blur of 1 pixel": lambda x, y: 0.5 * y + 0.5 * gaussian(y, sigma_px=1.0),
    "blurred, 0.5 pixels": lambda x, y: gaussian(y, sigma_px=0.5),
    "blurred, 1 pixel": lambda x, y: gaussian(y, sigma_px=1.0),
    "blurred, 2 pixels": lambda x, y: gaussian(y, sigma_px=2.0),
    "blurred, 3 pixels": lambda x, y: gaussian(y, sigma_px=3.0),
    "scan blurred, 1 pixel": lambda x, y: gaussian(x, sigma_px=1.0),
    "median of 3×3 pixels": _median,
    "shifted by a pixel": lambda x, y: np.roll(y, 1, axis=-1),
    "non-local means, h of 4 σ": lambda x, y: _non_local_means(x, y, 4.0),
    "non-local means, h of 16 σ": lambda x, y: _non_local_means(x, y, 16.0),
}
"""Name → damaged result of the scan and its good result."""
