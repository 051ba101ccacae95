"""Curves of the plots: histogram and spectrum of the removed noise, and loss of the tuning."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..ct.hounsfield import TISSUE_HU
from ..ct.noise_texture import noise_power_spectrum
from ..ct.pixel_spacing import are_square
from ..simulation.pixel_size import pixel_size_warning

BLUE, ORANGE, GREY = (0.0, 0.45, 0.70), (0.84, 0.37, 0.0), (0.62, 0.62, 0.62)
"""Colours that colour-blind readers can distinguish (Okabe and Ito, 2008)."""

MOST_BINS = 121
SHOWN_PERCENT = 99.8
"""Percentage of the noise in the central range that the histogram shows."""

WINDOW = 64
MOST_SLICES = 32
MOST_WINDOWS = 256

SMOOTHED_STEPS = 20


@dataclass(frozen=True)
class Curve:
    """A line of a plot; the legend shows ``name``."""

    name: str
    y: np.ndarray
    color: tuple[float, float, float] = BLUE
    width: float = 2.0


@dataclass(frozen=True)
class Plot:
    """Content of a chart. ``kind`` identifies the plot and ends the names of its nodes."""

    kind: str
    title: str
    xTitle: str
    yTitle: str
    x: np.ndarray
    curves: tuple[Curve, ...]


def noiseHistogram(before: np.ndarray, after: np.ndarray) -> Plot:
    """Return the distribution of the removed noise, of tissue only if there is any."""
    tissue = bool((before > TISSUE_HU).any())
    noises, counts = _distribution(before, after, tissue)
    share = np.cumsum(counts) / counts.sum()
    tail = (1 - SHOWN_PERCENT / 100) / 2
    low, high = noises[np.searchsorted(share, [tail, 1 - tail])]
    limit = max(abs(low), abs(high), 1)
    # Bins have an odd width, and one is centred at 0. Every bin then holds the same number of
    # integers, so the curve has no comb artefact.
    width = -(-(2 * limit + 1) // MOST_BINS) // 2 * 2 + 1
    side = -(-limit // width)
    centres = np.arange(-side, side + 1) * width
    bins = (noises - (centres[0] - width // 2)) // width
    inside = (bins >= 0) & (bins < len(centres))
    filled = np.bincount(bins[inside], weights=counts[inside], minlength=len(centres))
    percent = 100 * filled / (counts.sum() * width)
    return Plot(
        "noise histogram",
        f"Removed noise of voxels above {TISSUE_HU:.0f} HU" if tissue else "Removed noise",
        "Removed noise (HU)",
        "Voxels (% per HU)",
        centres.astype(float),
        (Curve("Removed noise", percent),),
    )


def _distribution(
    before: np.ndarray, after: np.ndarray, tissueOnly: bool
) -> tuple[np.ndarray, np.ndarray]:
    """Return the removed whole HU in ascending order, and the number of voxels of each."""
    offset = 2**16  # int16 differ by less
    counts = np.zeros(2 * offset + 1, dtype=np.int64)
    for x, y in zip(before, after, strict=True):  # slice by slice, to save memory
        removed = np.rint(np.subtract(x, y, dtype=np.float32))
        if tissueOnly:
            removed = removed[x > TISSUE_HU]
        removed = np.clip(removed, -offset, offset).astype(np.int64) + offset
        counts += np.bincount(removed.ravel(), minlength=len(counts))
    found = np.flatnonzero(counts)
    return found - offset, counts[found]


def noiseSpectrum(
    before: np.ndarray, after: np.ndarray, pixelSizeMm: float | tuple[float, float]
) -> Plot | None:
    """Return the NPS of the removed noise; None without flat tissue or the size of a pixel."""
    rowMm, columnMm = np.broadcast_to(pixelSizeMm, 2)
    if not are_square((rowMm, columnMm)) or pixel_size_warning(columnMm):
        return None
    windows = _flatWindows(before, after)
    if windows is None:
        return None
    frequency, power = noise_power_spectrum(windows, float(columnMm))
    seen = frequency <= 10 / (2 * columnMm)
    return Plot(
        "noise power spectrum",
        f"Spectrum of the removed noise ({len(windows)} flat windows)",
        "Spatial frequency (1/cm)",
        "NPS (HU² mm²)",
        frequency[seen],
        (Curve("NPS of removed noise", power[seen]),),
    )


def _flatWindows(before: np.ndarray, after: np.ndarray) -> np.ndarray | None:
    """Return the removed noise in the flattest windows, (count, rows, columns) HU, or None.

    Windows overlap by half, lie in tissue, and come from at most MOST_SLICES slices spread over
    the scan. The tenth with the smallest standard deviation of the denoised scan is selected. A
    selection by the input would depend on the noise itself.
    """
    _, rows, columns = before.shape
    if rows < WINDOW or columns < WINDOW:
        return None
    deviations, windows = [], []
    for index in np.unique(np.linspace(0, len(before) - 1, MOST_SLICES).astype(int)):
        x, y = (_tiles(hu[index]) for hu in (before, after))
        inTissue = y.min(axis=(1, 2)) > TISSUE_HU
        x, y = x[inTissue].astype(np.float32), y[inTissue].astype(np.float32)
        deviations.append(y.std(axis=(1, 2)))
        windows.append(x - y)
    order = np.argsort(np.concatenate(deviations), kind="stable")
    count = min(-(-len(order) // 10), MOST_WINDOWS)
    return np.concatenate(windows)[order[:count]] if count else None


def _tiles(image: np.ndarray) -> np.ndarray:
    """Return half-overlapping windows of (rows, columns), as (count, WINDOW, WINDOW)."""
    windows = np.lib.stride_tricks.sliding_window_view(image, (WINDOW, WINDOW))
    return windows[:: WINDOW // 2, :: WINDOW // 2].reshape(-1, WINDOW, WINDOW)


def lossCurve(losses: np.ndarray, unit: str) -> Plot | None:
    """Return the loss of each step and its running mean; None without losses."""
    if losses.size == 0:
        return None
    sums = np.cumsum(np.insert(losses, 0, 0.0))
    steps = np.arange(1, losses.size + 1)
    since = np.maximum(steps - SMOOTHED_STEPS, 0)
    mean = (sums[steps] - sums[since]) / (steps - since)
    return Plot(
        "tuning loss",
        "Loss of the tuning",
        "Step",
        f"Loss ({unit})" if unit else "Loss",
        steps.astype(float),
        (
            Curve("Loss of the step", losses, GREY, 1.0),
            Curve(f"Mean of {SMOOTHED_STEPS} steps", mean, ORANGE),
        ),
    )
