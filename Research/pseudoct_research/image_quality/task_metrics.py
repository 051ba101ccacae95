"""NPS, TTF and the detectability d' of AAPM TG-233, by micro-ct-image-quality-toolbox.

Three of the toolbox's scales are set right here; its version 0.2.1 was measured to need it:

- The NPS comes with frequencies stretched by its count of rings (1.5 % too high for 64 pixels,
  0.8 % for 128; 1.9 % too low for 62). The rings' own radii are known and are used instead.
- The TTF holds the calculator's own sampling: square pixels, rings of a quarter of a pixel, and
  a difference over two of them. TTF50 reads 8 % low on a soft kernel and 24 % low on a sharp one.
  The curve is divided by what that sampling lets through.
- d' lacks the factor sqrt(2 pi) of an integral over the plane in polar coordinates.

The TTF's calculator also fails on a single rod, so that rods are measured side by side, and its
few frequencies (every 0.7 /cm) are joined by a cubic spline instead of straight lines.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

_RING_PIXELS = 0.25
_STEP_PER_CM = 0.05
_EDGE_SHARE = 0.575
"""The calculator looks from 0.15 to 1 of its radius: there the edge is in the middle."""


def noise_power_spectrum(windows: np.ndarray, pixel_mm: float) -> tuple[np.ndarray, np.ndarray]:
    """Radial noise power spectrum of square windows, (count, side, side) in HU.

    Returns
    -------
    frequency in 1/cm, and power in HU² mm². Cubic trends are taken out of each window.
    """
    import microct_iq_toolbox as toolbox

    side = windows.shape[-1]
    # Side by side in one image, or each would be averaged over rings of its own.
    image = np.concatenate(list(windows), axis=1)
    places = [[0, side, start, start + side] for start in range(0, image.shape[1], side)]
    found = toolbox.nps(image, places, pixel_mm)
    frequency = (np.arange(len(found.y)) + 0.5) / (side * pixel_mm)
    return 10 * frequency, found.y


def mean_frequency(spectrum: tuple[np.ndarray, np.ndarray]) -> float:
    """f_av of a spectrum of :func:`noise_power_spectrum`, in 1/cm."""
    import microct_iq_toolbox as toolbox

    return toolbox.nps_summary(*spectrum)["nps_f_mean"]


def rod_margin(diameter_mm: float, pixel_mm: float) -> int:
    """Pixels to each side of a rod's centre that :func:`task_transfer` wants to see."""
    return round(diameter_mm / 2 / _EDGE_SHARE / pixel_mm)


def task_transfer(
    rods: Mapping[str, np.ndarray], pixel_mm: float
) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Task transfer function of each rod, from its edge averaged around the centre.

    Parameters
    ----------
    rods : HU by name, at least two squares of 2 :func:`rod_margin` pixels with the centre on
        the pixel after the middle. Average noisy images beforehand: the calculator takes the
        edge's slope without its sign, and noise that is left lifts it.

    Returns
    -------
    for each name, frequency in 1/cm up to the pixels' limit, and the curve, 1 at zero.
    """
    import microct_iq_toolbox as toolbox
    from scipy.interpolate import CubicSpline

    radius = next(iter(rods.values())).shape[0] // 2
    image = np.concatenate(list(rods.values()), axis=1)
    centres = [[radius, radius + 2 * radius * place] for place in range(len(rods))]
    found = toolbox.ttf(image, centres, radius, pixel_mm, cnr_threshold=0)
    seen = found.x <= 0.5 / pixel_mm
    curves = found.y[:, seen] / _sampling_transfer(found.x[seen] * pixel_mm)
    coarse = 10 * found.x[seen]
    frequency = np.arange(0, coarse[-1], _STEP_PER_CM)
    return {
        name: (frequency, CubicSpline(coarse, curve / curve[0])(frequency))
        for name, curve in zip(rods, curves, strict=True)
    }


def half_frequency(curve: tuple[np.ndarray, np.ndarray]) -> float:
    """TTF50 in 1/cm: where a curve falls through one half; NaN if it does not."""
    import microct_iq_toolbox as toolbox

    return toolbox.crossing(*curve, 0.5)


def detectability(
    transfer: tuple[np.ndarray, np.ndarray],
    spectrum: tuple[np.ndarray, np.ndarray],
    diameters_mm: Sequence[float],
    contrast_hu: float,
) -> np.ndarray:
    """d' of a non-prewhitening observer with an eye filter (NPWE) for discs of one contrast.

    The eye filter is Burgess's, f^1.3 exp(-(f / 5 cycles a degree)²), at 50 cm from an image of
    the object's own size: the toolbox's defaults.

    Parameters
    ----------
    transfer, spectrum : of :func:`task_transfer` and :func:`noise_power_spectrum`.
    """
    import microct_iq_toolbox as toolbox

    found = toolbox.get_d_prime_npwe(
        transfer[0] / 10,
        transfer[1],
        spectrum[0] / 10,
        spectrum[1],
        disc_diameters_mm=list(diameters_mm),
        contrast_hu=contrast_hu,
        normalize_mtf=False,
        curve_diameters_mm=list(diameters_mm),
    )
    return math.sqrt(2 * math.pi) * found["d_prime"]


def _sampling_transfer(cycles_per_pixel: np.ndarray) -> np.ndarray:
    """What the TTF's calculator leaves of each frequency: pixel, ring and difference."""
    direction = np.linspace(0, math.pi / 4, 46)[:, None]
    pixel = np.sinc(cycles_per_pixel * np.cos(direction)) * np.sinc(
        cycles_per_pixel * np.sin(direction)
    )
    ring = np.sinc(cycles_per_pixel * _RING_PIXELS)
    return pixel.mean(axis=0) * ring * np.sinc(2 * cycles_per_pixel * _RING_PIXELS)
