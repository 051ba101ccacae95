"""How well noise maps describe a scan: gain as denoisers, level, texture and anatomy."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PseudoCTDenoiseLib.ct.body_mask import body_mask
from PseudoCTDenoiseLib.ct.flat_windows import flat_windows, without_trend
from PseudoCTDenoiseLib.ct.noise_texture import noise_power_spectrum
from PseudoCTDenoiseLib.ct.pseudo_ldct import pseudo_ldct
from PseudoCTDenoiseLib.ct.reference_metrics import psnr_4096
from PseudoCTDenoiseLib.denoising.job import DenoisingJob
from PseudoCTDenoiseLib.denoising.map_choice import ALL_MAPS
from PseudoCTDenoiseLib.denoising.noise_maps import REMOVED_NOISE
from PseudoCTDenoiseLib.markdown_table import Column
from scipy.ndimage import gaussian_gradient_magnitude
from torch import nn

from .comparison import CtPair
from .method_study import METHOD
from .noise_texture import radial_mean_frequency

ADDED = "noise that the low dose added"
ENSEMBLE = "noise map"
PSEUDO_LDCT = "pseudo-LDCT"
EDGE_PIXELS = 1.5
"""Standard deviation in pixels of the Gaussian with which edges of the normal dose are found."""

NOISE_MAP_COLUMNS = (
    Column("level_percent", "Level in flat tissue (% of the scan's)", decimals=0),
    Column("frequency_percent", "Mean frequency (% of the scan's)", decimals=0),
    Column("edges", "Correlation with edges"),
    Column("gain", "Gain as a denoiser (dB)", signed=True),
)
"""Columns of :func:`measure_noise_maps`."""


def measure_noise_maps(
    pair: CtPair, denoiser: nn.Module, noise_models: Sequence[nn.Module], names: Sequence[str]
) -> list[dict]:
    """Measure the noise maps that the default method makes of a simulated scan.

    Returns
    -------
    A row for the noise that was added, for each model, for the noise map and for the pseudo-LDCT.
    ``level_percent`` and ``frequency_percent`` are the standard deviation and the mean frequency of
    the noise power spectrum in flat soft tissue, in percent of the scan's. ``edges`` is the
    correlation, inside the body, between the map's absolute values and the edges of the normal
    dose. ``gain`` is that in dB of the LDCT less the part of the noise that a model, or the mean
    of all models, finds.
    """
    job = DenoisingJob(
        pair.ldct,
        denoiser,
        noise_models,
        METHOD,
        pixel_mm=pair.pixel_mm,
        maps=ALL_MAPS,
    )
    done = job.run_at_once()
    ldct, ndct = pair.ldct.astype(np.float32), pair.ndct.astype(np.float32)
    maps = dict(zip(names, done.noise_maps, strict=True))
    images = {ADDED: ldct - ndct, **maps, ENSEMBLE: done.noise}
    images[PSEUDO_LDCT] = pseudo_ldct(pair.ldct, done.noise)
    scan, _, *windows = flat_windows(ldct, done.hu.astype(np.float32), *images.values())
    level, frequency = _level_and_frequency(scan, pair.pixel_mm)
    body = body_mask(pair.ndct)
    edges = np.stack([gaussian_gradient_magnitude(image, EDGE_PIXELS) for image in ndct])[body]
    found = {name: REMOVED_NOISE * image.astype(np.float32) for name, image in maps.items()}
    found[ENSEMBLE] = np.mean(list(found.values()), axis=0)
    rows = []
    for (name, image), few in zip(images.items(), windows, strict=True):
        own_level, own_frequency = _level_and_frequency(few, pair.pixel_mm)
        row = {
            "map": name,
            "level_percent": 100 * own_level / level,
            "frequency_percent": 100 * own_frequency / frequency,
            "edges": "",
            "gain": "",
        }
        if name != PSEUDO_LDCT:
            row["edges"] = float(np.corrcoef(np.abs(image[body]), edges)[0, 1])
        if name in found:
            cleaned = pair.ldct - found[name]
            row["gain"] = psnr_4096(cleaned, pair.ndct) - psnr_4096(pair.ldct, pair.ndct)
        rows.append(row)
    return rows


def _level_and_frequency(windows: np.ndarray, pixel_mm: float) -> tuple[float, float]:
    """Return standard deviation in HU and mean frequency of the power spectrum in 1/cm."""
    windows = without_trend(windows.astype(np.float64))
    frequency, power = noise_power_spectrum(windows, pixel_mm)
    rings = frequency * power  # a ring's circumference is proportional to its frequency
    return float(windows.std()), radial_mean_frequency(frequency, rings)
