"""NPS, TTF and detectability d' of AAPM TG-233, computed by micro-ct-image-quality-toolbox.

This module corrects three scales of the toolbox, measured with version 0.2.1:

- The frequencies of the NPS are stretched, depending on the number of rings (1.5 % too high for 64
  pixels, 0.8 % for 128; 1.9 % too low for 62). They are replaced by the radii of the rings.
- The TTF includes the transfer of its own sampling: square pixels, rings of a quarter of a pixel,
  and a difference over two rings. TTF50 is 8 % too low for a soft kernel and 24 % for a sharp one.
  The curve is divided by the transfer function of that sampling.
- d' lacks the factor sqrt(2 pi) of an integral over the plane in polar coordinates.

The TTF of the toolbox also fails on a single rod, so rods are measured side by side. Its coarse
frequencies (every 0.7 /cm) are interpolated by a cubic spline instead of straight lines.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

_RING_PIXELS = 0.25
_STEP_PER_CM = 0.05
_EDGE_SHARE = 0.575
"""Position of a rod's edge as a fraction of the radius: the toolbox evaluates radii from 0.15 to 1,
and this is the middle."""


def nps_tg233(windows: np.ndarray, pixel_mm: float) -> tuple[np.ndarray, np.ndarray]:
    """Return the radial noise power spectrum of square windows, (count, side, side) in HU.

    This is the spectrum of the toolbox, which follows AAPM TG-233: it subtracts a cubic trend from
    each window, and its rings are as wide as the frequency spacing of the window.
    :func:`.ct.noise_texture.noise_power_spectrum` subtracts only the mean and has rings of fixed
    width, so that spectra of different pixel sizes are comparable.

    Returns
    -------
    frequency in 1/cm, and power in HU² mm².
    """
    import microct_iq_toolbox as toolbox

    side = windows.shape[-1]
    # Side by side in one image: the toolbox takes the windows of one image.
    image = np.concatenate(list(windows), axis=1)
    places = [[0, side, start, start + side] for start in range(0, image.shape[1], side)]
    found = toolbox.nps(image, places, pixel_mm)
    frequency = (np.arange(len(found.y)) + 0.5) / (side * pixel_mm)
    return 10 * frequency, found.y


def tg233_mean_frequency(spectrum: tuple[np.ndarray, np.ndarray]) -> float:
    """Return the mean frequency f_av in 1/cm of a spectrum of :func:`nps_tg233`."""
    import microct_iq_toolbox as toolbox

    return toolbox.nps_summary(*spectrum)["nps_f_mean"]


def rod_margin(diameter_mm: float, pixel_mm: float) -> int:
    """Return the margin in pixels around a rod's centre that :func:`task_transfer` needs."""
    return round(diameter_mm / 2 / _EDGE_SHARE / pixel_mm)


def task_transfer(
    rods: Mapping[str, np.ndarray], pixel_mm: float
) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Return the task transfer function of each rod, from its edge averaged around the centre.

    Parameters
    ----------
    rods : HU by name, at least two squares of 2 :func:`rod_margin` pixels with the centre on
        the pixel after the middle. Average noisy images beforehand: the toolbox uses the absolute
        slope of the edge, which residual noise increases.

    Returns
    -------
    for each name, frequency in 1/cm up to the Nyquist frequency, and the curve, 1 at zero.
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
    """Return TTF50 in 1/cm, the frequency where a curve falls to one half; NaN if it does not."""
    import microct_iq_toolbox as toolbox

    return toolbox.crossing(*curve, 0.5)


def detectability(
    transfer: tuple[np.ndarray, np.ndarray],
    spectrum: tuple[np.ndarray, np.ndarray],
    diameters_mm: Sequence[float],
    contrast_hu: float,
) -> np.ndarray:
    """Return d' of a non-prewhitening observer with eye filter (NPWE) for discs of one contrast.

    The eye filter is Burgess's, f^1.3 exp(-(f / 5 cycles per degree)²), at 50 cm from an image in
    the size of the object; these are the defaults of the toolbox.

    Parameters
    ----------
    transfer, spectrum : results of :func:`task_transfer` and :func:`nps_tg233`.
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
    """Return the transfer function of the TTF's sampling: pixel, ring and difference."""
    direction = np.linspace(0, math.pi / 4, 46)[:, None]
    pixel = np.sinc(cycles_per_pixel * np.cos(direction)) * np.sinc(
        cycles_per_pixel * np.sin(direction)
    )
    ring = np.sinc(cycles_per_pixel * _RING_PIXELS)
    return pixel.mean(axis=0) * ring * np.sinc(2 * cycles_per_pixel * _RING_PIXELS)
