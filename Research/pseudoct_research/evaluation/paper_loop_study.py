"""The paper's loop from the shipped denoiser: as printed, as the preset, and without tuning."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from functools import partial

import numpy as np
from PseudoCTDenoiseLib.ct.body_mask import body_mask
from PseudoCTDenoiseLib.ct.reference_metrics import psnr_4096
from PseudoCTDenoiseLib.denoising.job import DenoisingJob
from PseudoCTDenoiseLib.denoising.presets import paper_settings
from PseudoCTDenoiseLib.denoising.settings import DenoisingSettings
from PseudoCTDenoiseLib.markdown_table import Column
from torch import nn

from ..results.row_groups import grouped
from .comparison import LDCT, CtPair, Method, score, subtract_mean_noise, summary
from .printed_loop import printed_settings

UNTUNED = "not tuned"
PRINTED = "loop as printed"
PRESET = "preset *Paper*"
CONTROL = "X − mean Z"
ENSEMBLE = "mean of network and X − mean Z"
PRINTED_STEPS = 100
"""Number of steps of the printed loop, which the paper does not give."""
_PRESET = paper_settings(precision="float32")
_UNTUNED = replace(_PRESET, method="pretrained")

PAPER_LOOP_COLUMNS = (
    Column("split", "Split"),
    Column("kernel", "Kernel"),
    Column("method", "Method"),
    Column("scans", "Scans", decimals=0),
    Column("gain", "Gain (dB)", signed=True),
    Column("more", "Gain over the untuned network (dB)", decimals=3, signed=True),
    Column("worst", "Worst scan (dB)", decimals=3, signed=True),
    Column("ssim_4096", "SSIM", decimals=4),
    Column("noise_reduction", "Noise reduction (%)", decimals=0),
    Column("correction", "Best factor on the removed noise"),
    Column("own_noise", "Correlation of pseudo-LDCT and scan", decimals=3),
)
PRESET_COLUMNS = (
    Column("kernel", "Kernel"),
    Column("dose", "Dose"),
    Column("scans", "Scans", decimals=0),
    Column("gain", "Gain, not tuned (dB)", signed=True),
    Column("more", "More with the preset (dB)", decimals=3, signed=True),
    Column("worst", "Worst scan (dB)", decimals=3, signed=True),
    Column("losing", "Scans that lose", decimals=0),
)


def measure_paper_loop(
    pair: CtPair, denoiser: nn.Module, noise_models: Sequence[nn.Module]
) -> list[dict]:
    """Measure the scan and every variant on a pair, all in one orientation.

    Returns
    -------
    A row of :func:`.score` for each, and further keys. ``more`` is the gain in dB over the untuned
    network. ``correction`` is the factor on the removed noise, inside the body, with which the
    error would be smallest: above 1 if too little was removed. ``own_noise``, of the preset only,
    is the correlation inside the body between the noise of the first pseudo-LDCT (the untuned
    network's output plus the mean of the maps) and that of the scan, both relative to the NDCT.
    """
    images = _images(pair, denoiser, noise_models)
    added = pair.ldct.astype(np.float32) - pair.ndct
    body = body_mask(pair.ndct)
    rows = []
    for name, image in images.items():
        row = score(Method(name, lambda hu, pixel_mm, image=image: image), pair)
        removed = (pair.ldct - image)[body]
        energy = float((removed**2).sum())
        row["correction"] = float((removed * added[body]).sum()) / energy if energy else math.nan
        row["own_noise"] = math.nan
        rows.append(row)
    pseudo_ldct = images[UNTUNED] + (pair.ldct - images[CONTROL])
    by_name = {row["method"]: row for row in rows}
    by_name[PRESET]["own_noise"] = float(
        np.corrcoef((pseudo_ldct - pair.ndct)[body], added[body])[0, 1]
    )
    start = by_name[UNTUNED]["psnr_4096"]
    return [row | {"more": row["psnr_4096"] - start} for row in rows]


def measure_preset(
    pair: CtPair, denoiser: nn.Module, noise_models: Sequence[nn.Module]
) -> dict[str, float]:
    """Return the ``gain`` of the untuned network in dB, and how much ``more`` the preset gains."""
    denoised = partial(_denoised, pair, denoiser, noise_models)
    images = (pair.ldct, denoised(_UNTUNED), denoised(_PRESET))
    ldct, untuned, preset = (psnr_4096(image, pair.ndct) for image in images)
    return {"gain": untuned - ldct, "more": preset - untuned}


def _denoised(
    pair: CtPair,
    denoiser: nn.Module,
    noise_models: Sequence[nn.Module],
    settings: DenoisingSettings,
) -> np.ndarray:
    job = DenoisingJob(pair.ldct, denoiser, noise_models, settings, pixel_mm=pair.pixel_mm)
    return job.run_at_once().hu.astype(np.float32)


def _images(
    pair: CtPair, denoiser: nn.Module, noise_models: Sequence[nn.Module]
) -> dict[str, np.ndarray]:
    denoised = partial(_denoised, pair, denoiser, noise_models)
    untuned = denoised(_UNTUNED)
    control = subtract_mean_noise(pair.ldct, noise_models, _UNTUNED).astype(np.float32)
    return {
        LDCT: pair.ldct.astype(np.float32),
        UNTUNED: untuned,
        PRINTED: denoised(printed_settings(steps=PRINTED_STEPS, precision="float32")),
        PRESET: denoised(_PRESET),
        CONTROL: control,
        ENSEMBLE: (untuned + control) / 2,
    }


def preset_summary(rows: Sequence[dict]) -> list[dict]:
    """Return the lines of :data:`PRESET_COLUMNS` for rows with ``kernel`` and ``dose``."""
    lines = []
    for about, group in grouped(rows, ("kernel", "dose")):
        more = [float(row["more"]) for row in group]
        lines.append(
            {
                **about,
                "scans": len(group),
                "gain": float(np.mean([float(row["gain"]) for row in group])),
                "more": float(np.mean(more)),
                "worst": min(more),
                "losing": sum(value < 0 for value in more),
            }
        )
    return lines


def paper_loop_summary(rows: Sequence[dict]) -> list[dict]:
    """Return the lines of :data:`PAPER_LOOP_COLUMNS` for rows of one split and kernel.

    ``more`` is the difference of two mean gains, and ``worst`` that of the worst scan.
    """
    lines = summary(rows)
    (untuned,) = (line["gain_mean"] for line in lines if line["method"] == UNTUNED)
    for line in lines:
        group = [row for row in rows if row["method"] == line["method"]]
        line |= {
            "scans": len(group),
            "more": line["gain_mean"] - untuned,
            "worst": min(row["more"] for row in group),
        }
        for key in ("correction", "own_noise"):
            mean = float(np.mean([row[key] for row in group]))
            line[key] = None if math.isnan(mean) else mean
        if line["method"] in (LDCT, UNTUNED):
            line["more"] = line["worst"] = None
    return lines
