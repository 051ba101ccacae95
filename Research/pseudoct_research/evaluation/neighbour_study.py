"""Gain of the correction of slices by their neighbours, and its effect on lone structures."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from PseudoCTDenoiseLib.ct.body_mask import body_mask
from PseudoCTDenoiseLib.ct.reference_metrics import image_metrics
from PseudoCTDenoiseLib.denoising.denoised_scan import DenoisedScan
from PseudoCTDenoiseLib.denoising.job import DenoisingJob
from PseudoCTDenoiseLib.denoising.neighbours import similar_neighbours
from PseudoCTDenoiseLib.denoising.settings import DenoisingSettings
from PseudoCTDenoiseLib.markdown_table import Column
from PseudoCTDenoiseLib.models.store import LoadedModels
from PseudoCTDenoiseLib.simulation.slice_correlation import slice_correlation
from scipy.ndimage import uniform_filter

from .comparison import CtPair
from .method_study import METHOD, START, WITH_METHOD, banding

SLICES = 16
"""Number of neighbouring slices from the middle of each scan."""
UNTUNED = "not tuned"
DISC = "disc in one slice"
"""Variant of the rows of :func:`measure_disc`, which do not name it."""
DISC_MM, DISC_HU = 8.0, (40.0, 120.0)
"""Diameter and contrasts of the disc that only one slice shows."""

NEIGHBOUR_COLUMNS = (
    Column("correlation", "Correlation of the noise of neighbouring slices"),
    Column("alone", "Gain, slices alone (dB)", signed=True),
    Column("gain", "Gain, with neighbours (dB)", signed=True),
    Column("more", "Difference (dB)", signed=True),
    Column("worst", "Worst slice (dB)", signed=True),
    Column("bias_alone", "HU bias, alone (HU)", signed=True),
    Column("bias", "HU bias, with neighbours (HU)", signed=True),
    Column("banding", "Banding, with neighbours (HU)", decimals=3),
)
"""Columns of :func:`measure_neighbours`."""
DISC_COLUMNS = (
    Column("contrast", "Contrast (HU)", decimals=0),
    Column("kept_alone", "Kept, slices alone (%)", decimals=0),
    Column("kept", "Kept, with neighbours (%)", decimals=0),
    Column("ghost", "In the next slices (%)", decimals=1),
)
"""Columns of :func:`measure_disc`."""


def measure_neighbours(pair: CtPair, models: LoadedModels) -> list[dict]:
    """Denoise consecutive slices alone and with neighbours, and compare both with the NDCT.

    Returns
    -------
    A row for the pre-trained network and one for the default method, see
    :data:`NEIGHBOUR_COLUMNS`. Gains are those in PSNR over the LDCT; ``worst`` is the smallest
    difference of a slice.
    """
    before = image_metrics(pair.ldct, pair.ndct)["psnr_4096"]
    correlation = slice_correlation(pair.ndct)[0]
    rows = []
    for variant, settings in {UNTUNED: START, WITH_METHOD: METHOD}.items():
        alone, result = (
            denoised(pair, models, replace(settings, neighbours=neighbours))
            for neighbours in (False, True)
        )
        old, new = (image_metrics(hu, pair.ndct) for hu in (alone, result))
        squared = [
            ((hu - pair.ndct.astype(np.float32)) ** 2).mean(axis=(1, 2)) for hu in (alone, result)
        ]
        rows.append(
            {
                "variant": variant,
                "correlation": correlation,
                "alone": old["psnr_4096"] - before,
                "gain": new["psnr_4096"] - before,
                "more": new["psnr_4096"] - old["psnr_4096"],
                "worst": 10 * np.log10(squared[0] / squared[1]).min(),
                "bias_alone": old["hu_bias"],
                "bias": new["hu_bias"],
                "banding": banding(result, pair.ndct),
            }
        )
    return rows


def measure_disc(pair: CtPair, models: LoadedModels) -> list[dict]:
    """Measure how much of a disc that only one slice shows the untuned networks keep.

    It is the slice with the most similar neighbours, and of these the nearest to the middle.

    Returns
    -------
    A row for each of :data:`DISC_HU`, see :data:`DISC_COLUMNS`. Percentages are those of the
    contrast, as the mean inside the disc of the difference of the results with and without it.
    """
    similar, middle = similar_neighbours(pair.ldct), len(pair.ldct) // 2
    place = max(range(2, len(similar) - 2), key=lambda n: (len(similar[n]), -abs(n - middle)))
    disc = _disc(pair.ndct[place], DISC_MM / 2 / pair.pixel_mm)
    near = slice(place - 2, place + 3)  # all that see the slice
    plain = replace(pair, ldct=pair.ldct[near], ndct=pair.ndct[near])
    rows = []
    for contrast in DISC_HU:
        marked = plain.ldct.copy()
        marked[2][disc] += np.int16(contrast)
        row: dict[str, float] = {"contrast": contrast}
        for neighbours, suffix in ((False, "_alone"), (True, "")):
            settings = replace(START, neighbours=neighbours)
            with_disc, without = (
                denoised(replace(plain, ldct=hu), models, settings).astype(np.float32)
                for hu in (marked, plain.ldct)
            )
            shares = 100 * (with_disc - without)[:, disc].mean(axis=1) / contrast
            row[f"kept{suffix}"] = shares[2]
            row[f"ghost{suffix}"] = max(np.delete(shares, 2), key=abs)
        rows.append(row)
    return rows


def denoised(pair: CtPair, models: LoadedModels, settings: DenoisingSettings) -> np.ndarray:
    """Return the denoised slices of a pair, (slices, rows, columns) int16 HU."""
    return denoise(pair.ldct, pair.pixel_mm, models, settings).hu


def denoise(
    hu: np.ndarray, pixel_mm: float | None, models: LoadedModels, settings: DenoisingSettings
) -> DenoisedScan:
    """Denoise a scan and correct its slices by their neighbours if the settings ask for it."""
    return DenoisingJob(
        hu,
        models.denoiser[0],
        [],
        settings,
        pixel_mm=pixel_mm,
        neighbour_model=models.neighbour_network,
    ).run_at_once()


def _disc(hu: np.ndarray, radius: float) -> np.ndarray:
    """Return a mask of a disc in the part of the body with the least contrast."""
    values = hu.astype(np.float32)
    size = int(3 * radius)
    mean = uniform_filter(values, size)
    variance = uniform_filter(values**2, size) - mean**2
    inside = uniform_filter(body_mask(hu[None])[0].astype(np.float32), size) > 0.999
    row, column = np.unravel_index(np.where(inside, variance, np.inf).argmin(), hu.shape)
    rows, columns = np.ogrid[: hu.shape[0], : hu.shape[1]]
    return np.hypot(rows - row, columns - column) <= radius
