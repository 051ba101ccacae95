"""Noise, its texture and the error at each strength."""

from __future__ import annotations

import numpy as np
from PseudoCTDenoiseLib.ct.flat_windows import flat_windows, mean_frequency, without_trend
from PseudoCTDenoiseLib.ct.reference_metrics import psnr_4096
from PseudoCTDenoiseLib.ct.strength import apply_strength
from PseudoCTDenoiseLib.denoising.job import DenoisingJob
from PseudoCTDenoiseLib.markdown_table import Column
from torch import nn

from .comparison import CtPair
from .method_study import METHOD

STRENGTHS = (50.0, 60.0, 70.0, 80.0, 90.0, 100.0)

STRENGTH_COLUMNS = (
    Column("strength", "Strength (%)", decimals=0),
    Column("reduction_percent", "Noise removed (%)", decimals=0),
    Column("frequency_percent", "Mean frequency (% of the scan's)", decimals=0),
    Column("gain", "Gain (dB)", signed=True),
)
"""Columns of :func:`measure_strengths`."""


def measure_strengths(pair: CtPair, denoiser: nn.Module) -> list[dict]:
    """Denoise a simulated scan with the default method and show it at every strength.

    Returns
    -------
    A row for each strength. ``reduction_percent`` and ``frequency_percent`` describe the noise in
    flat soft tissue: what is removed of its standard deviation, and its mean frequency over that
    of the scan's noise. ``gain`` is that in PSNR-4096 over the LDCT, in dB.
    """
    full = DenoisingJob(pair.ldct, denoiser, [], METHOD, pixel_mm=pair.pixel_mm).run_at_once().hu
    images = [apply_strength(pair.ldct, full, strength) for strength in STRENGTHS]
    scan, _, *windows = flat_windows(
        *(image.astype(np.float32) for image in (pair.ldct, full, *images))
    )
    before = psnr_4096(pair.ldct, pair.ndct)
    return [
        {
            "strength": strength,
            "reduction_percent": 100 * (1 - _deviation(few) / _deviation(scan)),
            "frequency_percent": 100 * mean_frequency(few) / mean_frequency(scan),
            "gain": psnr_4096(image, pair.ndct) - before,
        }
        for strength, image, few in zip(STRENGTHS, images, windows, strict=True)
    ]


def _deviation(windows: np.ndarray) -> float:
    """Return the standard deviation in HU of windows without their trend."""
    return float(without_trend(windows.astype(np.float64)).std())
