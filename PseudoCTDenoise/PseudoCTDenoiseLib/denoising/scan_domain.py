"""Comparison of a scan with the scans that a network was trained on: words on what is unusual.

The ranges are those of the training inputs, in the manifest of the model. This file does not
import torch.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from ..ct.constant_areas import constant_areas
from ..ct.flat_windows import flat_windows, mean_frequency
from ..ct.hounsfield import TISSUE_HU
from ..ct.noise_level import noise_reduction, soft_tissue_noise
from ..ct.slice_selection import MIN_BODY_SHARE, tissue_share
from ..errors import BadInputError

NOISE, FREQUENCY = "noise_hu", "noise_frequency_per_pixel"
PIXEL, TISSUE = "pixel_mm", "tissue_cm2"
QUIET_HU = 5.0
"""Noise in soft tissue below which a scan is probably denoised already."""
NOISY_HU = 8.0
"""Noise in soft tissue from which a network should remove a good part of it."""
LEAST_REDUCTION = 0.13
"""Fraction of the noise in soft tissue below which little was removed. The shipped network removes
mostly 0.5 to 0.75, and 0.15 or more from single slices whose noise is coarse or has streaks. From
white noise smoothed with a standard deviation of 1.6 to 2 pixels it removes 0.12 or less."""
MARGIN = 1.25
"""Factor by which a figure may exceed the range, which is measured on a part of the training."""
BORDER_SHARE = 0.9
"""Fraction of the measured pixels on the border of a slice that show tissue, above which the image
lies inside the body."""


def scan_figures(hu: np.ndarray, pixel_mm: float | None) -> dict[str, float]:
    """Return the figures of a scan that are compared with the training, without those unknown.

    Parameters
    ----------
    hu : slices of a scan, (slices, rows, columns), HU.
    pixel_mm : side of a pixel in mm; None if it is unknown.

    Returns
    -------
    ``noise_hu``, see :func:`.soft_tissue_noise`; ``noise_frequency_per_pixel``, the mean frequency
    of the noise in flat soft tissue in cycles per pixel; ``pixel_mm``; and ``tissue_cm2``, the
    largest area above −500 HU in a slice.
    """
    figures = {}
    try:
        figures[NOISE] = soft_tissue_noise(hu)
        frequency = mean_frequency(flat_windows(hu, hu)[0])
    except BadInputError:  # there is too little soft tissue
        frequency = None
    if frequency is not None:
        figures[FREQUENCY] = frequency
    if pixel_mm is not None:
        figures[PIXEL] = pixel_mm
        tissue = max(np.count_nonzero((part > TISSUE_HU) & ~constant_areas(part)) for part in hu)
        figures[TISSUE] = float(tissue * pixel_mm**2 / 100)
    return figures


def domain_warnings(
    hu: np.ndarray,
    pixel_mm: float | None,
    domain: Mapping[str, Sequence[float]],
    *,
    simulates: bool = True,
) -> list[str]:
    """Return a sentence for each property in which a scan is far from those of the training.

    Parameters
    ----------
    hu, pixel_mm : as for :func:`scan_figures`.
    domain : name of a figure → lowest and highest value of the training inputs.
    simulates : True if noise is simulated for the scan.
    """
    if not (tissue_share(hu) > MIN_BODY_SHARE).any():
        return [
            f"No slice shows a body: less than {100 * MIN_BODY_SHARE:g} % of its pixels are above "
            f"{TISSUE_HU:g} HU. The network was trained on bodies; noise and texture "
            "are not checked. Check the range of slices."
        ]
    figures = scan_figures(hu, pixel_mm)
    outside = {
        name: (figures[name], *domain[name])
        for name in figures.keys() & domain.keys()
        if not _is_within(figures[name], domain[name])
    }
    sentences = [
        _noise(figures.get(NOISE), domain.get(NOISE)),
        _frequency(*outside[FREQUENCY], pixel_mm, simulates) if FREQUENCY in outside else None,
        _pixel(*outside[PIXEL]) if PIXEL in outside else None,
        _anatomy(hu, outside.get(TISSUE), simulates),
    ]
    return [sentence for sentence in sentences if sentence]


def quiet_warning(noise_hu: float, name: str = "The scan") -> str | None:
    """Return a warning if a scan has so little noise that it is probably denoised already."""
    if noise_hu >= QUIET_HU:
        return None
    return (
        f"{name} has only {noise_hu:.1f} HU of noise in soft tissue. "
        "It is probably denoised already. "
        "Denoising it again will change little; choose the original scan if you have it."
    )


def little_removed_warning(hu: np.ndarray, denoised: np.ndarray) -> str | None:
    """Return a warning if a noisy scan kept almost all of its noise, otherwise None.

    Parameters
    ----------
    hu, denoised : slices of the scan and of the result at full strength, (slices, rows, columns).
    """
    try:
        noise = soft_tissue_noise(hu)
        reduction = noise_reduction(hu, denoised)
    except BadInputError:  # there is too little soft tissue
        return None
    if noise < NOISY_HU or reduction >= LEAST_REDUCTION:
        return None
    return (
        f"The scan has {noise:.1f} HU of noise in soft tissue, and only {100 * reduction:.0f} % of "
        "it was removed: the noise is unlike that of the training, probably coarser. Choose a "
        "reconstruction that is neither interpolated nor filtered if you have one."
    )


def _is_within(found: float, trained: Sequence[float]) -> bool:
    return trained[0] / MARGIN <= found <= trained[1] * MARGIN


def _noise(found: float | None, trained: Sequence[float] | None) -> str | None:
    if found is None:
        return None
    quiet = quiet_warning(found)
    if quiet or trained is None or _is_within(found, trained):
        return quiet
    low, high = trained
    side = "less" if found < low else "more"
    expect = "It should change little." if found < low else "Much of it will remain."
    return (
        f"The scan has {found:.1f} HU of noise in soft tissue, {side} than the {low:g} to {high:g} "
        f"HU that the network was trained on. {expect} Compare the result with the original."
    )


def _frequency(
    found: float, low: float, high: float, pixel_mm: float | None, simulates: bool
) -> str:
    texture, kernel = ("coarser", "softer") if found < low else ("finer", "sharper")
    per_cm = "" if pixel_mm is None else f" ({10 * found / pixel_mm:.1f} per cm)"
    return (
        f"The noise of the scan has a mean frequency of {found:.2f} cycles per pixel{per_cm}, "
        f"{texture} than the {low:g} to {high:g} that the network was trained on. The kernel is "
        f"{kernel} than usual, or the reconstruction is iterative or interpolated."
        + " Tuning uses the most similar noise that the simulator makes." * simulates
        + " Compare the result with the original."
    )


def _pixel(found: float, low: float, high: float) -> str:
    size = "smaller" if found < low else "larger"
    return (
        f"The scan has pixels of {found:g} mm, {size} than the {low:g} to {high:g} mm that the "
        "network was trained on. The network is applied to the pixels as they are. Check the pixel "
        "size in the header, and compare the result with the original."
    )


def _anatomy(
    hu: np.ndarray, tissue: tuple[float, float, float] | None, simulates: bool
) -> str | None:
    if all(_border_share(part) > BORDER_SHARE for part in hu):
        return (
            "Every slice lies inside the body: it shows no air around it."
            + " Noise for the tuning is simulated as if nothing surrounded the image." * simulates
            + " Give the whole field of view if you have it."
        )
    if tissue is None:
        return None
    found, low, high = tissue
    size = "smaller" if found < low else "larger"
    return (
        f"The largest cross-section of the body has {found:.0f} cm², {size} than the {low:g} to "
        f"{high:g} cm² of the scans that the network was trained on. It may be another part of the "
        "body, a child or an object. Compare the result with the original."
    )


def _border_share(part: np.ndarray) -> float:
    """Return the fraction of tissue on the border of a slice; 0 if all of it is padding."""
    border = np.zeros(part.shape, bool)
    border[[0, -1]] = border[:, [0, -1]] = True
    measured = part[border & ~constant_areas(part)]
    return float(np.mean(measured > TISSUE_HU)) if measured.size else 0.0
