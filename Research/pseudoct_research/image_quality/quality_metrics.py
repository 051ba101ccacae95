"""Metrics of image quality from scans of the quality phantom, for each strength of the denoiser."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from ..phantom.quality_phantom import (
    CONTRASTS_HU,
    DISC_KINDS,
    DISCS_MM,
    PIXEL_MM,
    ROD_MM,
    TISSUES_HU,
    rods,
)
from .model_observer import area_under_curve, change_interval, observer_scores, win_shares
from .quality_scan import QualityScan, square
from .task_metrics import (
    detectability,
    half_frequency,
    nps_tg233,
    rod_margin,
    task_transfer,
    tg233_mean_frequency,
)

Curve = tuple[np.ndarray, np.ndarray]

_TISSUE_RADIUS_MM = 6.0
"""Radius of the region for a rod's mean HU; the edge at 10 mm does not affect it."""


class Disc(NamedTuple):
    """Detectability of discs of one diameter and contrast.

    ``auc`` is the AUC of the channelised Hotelling observer, ``change`` its difference to the AUC
    of the LDCT with a 95 % interval from ``lowest`` to ``highest``; ``d_prime`` is d' of the NPWE
    observer.
    """

    diameter_mm: float
    contrast_hu: float
    auc: float
    change: float
    lowest: float
    highest: float
    d_prime: float


@dataclass(frozen=True)
class QualityMetrics:
    """Metrics at one strength; frequencies in 1/cm.

    Attributes
    ----------
    noise_hu : standard deviation in the uniform region.
    noise_reduction : 1 - noise over the LDCT's noise, in %.
    nps : frequency and noise power in HU² mm²; f_av_per_cm is its mean frequency.
    ttf : frequency and transfer, by contrast.
    ttf50_ratio : TTF50 over the TTF50 of the noise-free phantom, measured in the same way.
    hu_bias : mean difference to the noise-free phantom in HU, by tissue. At strength 0 it is 0
        except in air, where noise is clipped at -1024 HU.
    discs : detectability of discs, one entry per diameter and contrast.
    """

    strength: float
    noise_hu: float
    noise_reduction: float
    nps: Curve
    f_av_per_cm: float
    ttf: dict[str, Curve]
    ttf50_per_cm: dict[str, float]
    ttf50_ratio: dict[str, float]
    hu_bias: dict[str, float]
    discs: list[Disc]


def quality_metrics(scan: QualityScan) -> list[QualityMetrics]:
    """Compute the metrics of a scan at each of its strengths."""
    clean = _rod_transfer(scan.clean_inserts)
    truth = {name: half_frequency(curve) for name, curve in clean.items()}
    return [_figures(scan, part, truth) for part in range(len(scan.strengths))]


def _figures(scan: QualityScan, part: int, truth: dict[str, float]) -> QualityMetrics:
    """Compute the metrics of the strength with number ``part``."""
    noise_before, noise = (
        np.sqrt(windows.var(axis=(-1, -2)).mean()) for windows in scan.windows[[0, part]]
    )
    spectrum = nps_tg233(scan.windows[part], PIXEL_MM)
    ttf = _rod_transfer(scan.inserts[part])
    ttf50 = {name: half_frequency(curve) for name, curve in ttf.items()}
    return QualityMetrics(
        float(scan.strengths[part]),
        float(noise),
        float(100 * (1 - noise / noise_before)),
        spectrum,
        tg233_mean_frequency(spectrum),
        ttf,
        ttf50,
        {name: value / truth[name] for name, value in ttf50.items()},
        _tissue_means(scan.inserts[part] - scan.clean_inserts),
        _discs(scan, part, ttf["low"], spectrum),
    )


def _rod_transfer(image: np.ndarray) -> dict[str, Curve]:
    """Compute the TTF by contrast, from the mean of all rods of that contrast."""
    margin = rod_margin(ROD_MM, PIXEL_MM)
    circles = rods()
    means = {
        name: np.mean([square(image, rod, margin) for rod in circles[name]], axis=0)
        for name in CONTRASTS_HU
    }
    return task_transfer(means, PIXEL_MM)


def _tissue_means(image: np.ndarray) -> dict[str, float]:
    margin = round(_TISSUE_RADIUS_MM / PIXEL_MM)
    across = np.arange(-margin, margin + 1)
    inside = np.hypot(across[:, None], across) <= margin
    circles = rods()
    return {
        tissue: float(np.mean([square(image, rod, margin, 1)[inside] for rod in circles[tissue]]))
        for tissue in TISSUES_HU
    }


def _discs(scan: QualityScan, part: int, transfer: Curve, spectrum: Curve) -> list[Disc]:
    found = []
    for diameter, contrast in DISC_KINDS:
        before, after = (
            win_shares(observer_scores(responses))
            for responses in scan.responses[diameter, contrast][[0, part]]
        )
        auc = area_under_curve(after)
        d_prime = detectability(transfer, spectrum, DISCS_MM, contrast)
        found.append(
            Disc(
                diameter,
                contrast,
                auc,
                auc - area_under_curve(before),
                *change_interval(before, after),
                float(d_prime[DISCS_MM.index(diameter)]),
            )
        )
    return found
