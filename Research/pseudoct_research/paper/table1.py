"""Table 1 of the paper: its rows with the published values, and how this project computes each.

The paper does not have these rows: 320 steps, no rescale, the preset *Paper*, two dose draws,
Gaussian noise matched to the scan, the parent method, X − mean Z, and averages without tuning.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import torch
from PseudoCTDenoiseLib.ct.hounsfield import RANGE_HU, TISSUE_HU, normalise
from PseudoCTDenoiseLib.denoising.inference import apply_network
from PseudoCTDenoiseLib.denoising.job import DenoisingJob
from PseudoCTDenoiseLib.denoising.presets import paper_settings
from PseudoCTDenoiseLib.denoising.settings import DenoisingSettings
from PseudoCTDenoiseLib.models.store import load_models
from torch import nn

from ..evaluation.comparison import subtract_mean_noise
from ..evaluation.printed_loop import printed_settings
from ..training.supervision import N2C, N2N_GAUSSIAN, N2V
from .noise_sources import DRAWS, GaussianNoise
from .pretrained import ALL_SUBJECTS, N2N_DRAWS, noise_model_name, start_name
from .trained_networks import Networks, fast_noise_models

MODELS, ONE_MODEL, TWO_MODELS, FAST_MODELS, HIST, GAUSSIAN, MATCHED, MODEL_AND_HIST = (
    "one noise model a subject",
    "one noise model, of the first subject",
    "two noise models, of the first two subjects",
    "noise models of fast",
    "histogram of the body",
    "Gaussian, 82 HU",
    "Gaussian, matched to the body",
    "one noise model of all subjects, and histogram of the body",
)
_COUNTS = {MODELS: None, TWO_MODELS: 2, ONE_MODEL: 1}
PRINTED_SIGMA = 0.02
"""Standard deviation of the paper's Gaussian noise, normalised: 82 HU."""

METHOD = printed_settings(steps=160, update_period=20)
"""Settings of the paper's loop. The paper does not give the number of steps and the update period;
they are chosen on the validation split `val`."""
LONGER = replace(METHOD, steps=320)
"""Settings with more steps, after which the gain from N2V and N2N hardly rises on `val`."""
WITHOUT_UPDATE = replace(METHOD, update_period=None)
START = printed_settings(method="pretrained", steps=0)
PRESET = paper_settings()
"""The loop as this extension runs it."""


class Printed(NamedTuple):
    """Values that the paper reports."""

    psnr: float
    ssim: float


@dataclass(frozen=True)
class TableRow:
    """Row of the table: pre-trained denoiser, tuning settings, and noise source of the tuning.

    ``start`` specifies how the denoiser was trained. It is None for the two rows without a
    denoiser: the LDCT, whose ``noise`` is None too, and the control X − mean Z, which uses noise
    models. ``mean_with_control`` returns the mean of the denoiser and that control.
    """

    name: str
    start: str | None
    settings: DenoisingSettings = START
    noise: str | None = None
    printed: Printed | None = None
    mean_with_control: bool = False

    @property
    def needs_noise_models(self) -> bool:
        """True if noise models of the experiment predict at least a part of the noise."""
        return self.noise in (*_COUNTS, MODEL_AND_HIST)


def _with_method(label: str, start: str, printed: Sequence[Printed]) -> list[TableRow]:
    return [
        TableRow(label, start, START, None, printed[0]),
        TableRow(f"{label} + method without update", start, WITHOUT_UPDATE, MODELS, printed[1]),
        TableRow(f"{label} + method", start, METHOD, MODELS, printed[2]),
        TableRow(f"{label} + preset *Paper*", start, PRESET, MODELS),
    ]


PRINTED_LDCT = Printed(46.21, 0.9773)
ROWS = (
    TableRow("LDCT", None, printed=PRINTED_LDCT),
    *_with_method(
        "N2V", N2V, (Printed(46.46, 0.9790), Printed(49.22, 0.9893), Printed(49.57, 0.9905))
    ),
    TableRow("N2V + method, 320 steps", N2V, LONGER, MODELS),
    *_with_method(
        "N2N",
        N2N_GAUSSIAN,
        (Printed(46.16, 0.9769), Printed(46.69, 0.9794), Printed(49.85, 0.9910)),
    ),
    TableRow("N2N + method, 320 steps", N2N_GAUSSIAN, LONGER, MODELS),
    *_with_method(
        "N2C", N2C, (Printed(50.30, 0.9920), Printed(50.47, 0.9922), Printed(50.50, 0.9922))
    ),
    TableRow("N2C + method, no rescale", N2C, replace(METHOD, rescale=None), MODELS),
    TableRow("N2C + Hist", N2C, METHOD, HIST, Printed(48.65, 0.9872)),
    TableRow("N2C + Gaussian", N2C, METHOD, GAUSSIAN, Printed(49.94, 0.9911)),
    TableRow("N2C + Model+Hist", N2C, METHOD, MODEL_AND_HIST, Printed(50.36, 0.9920)),
    TableRow("N2C + Gaussian matched to the scan", N2C, METHOD, MATCHED),
    TableRow("N2C + parent method", N2C, WITHOUT_UPDATE, MATCHED),
    TableRow("X − mean Z (control)", None, START, MODELS),
    TableRow("Mean of N2C and X − mean Z", N2C, START, MODELS, mean_with_control=True),
    TableRow("N2C, 8 orientations", N2C, replace(START, orientations=8)),
    TableRow("N2N of two dose draws", N2N_DRAWS),
    TableRow("N2N of two dose draws + method", N2N_DRAWS, METHOD, MODELS),
    TableRow("N2N of two dose draws + preset *Paper*", N2N_DRAWS, PRESET, MODELS),
)
N2C_ROWS = tuple(row for row in ROWS if row.start in (None, N2C))


def needed_models(row: TableRow, network: str, subjects: Sequence[str]) -> list[str]:
    """Return the names of the models that a row needs.

    ``subjects`` are the subjects of the noise models.
    """
    names = [start_name(network, row.start)] if row.start else []
    if row.noise == FAST_MODELS:
        names += [manifest.name for manifest in fast_noise_models()]
    if row.needs_noise_models:
        names += [noise_model_name(subject) for subject in (*subjects, ALL_SUBJECTS)]
    return names


def denoise_row(row: TableRow, ldct: np.ndarray, networks: Networks) -> np.ndarray:
    """Compute the row's image of a patient, (slices, rows, columns) in HU."""
    if row.start is None and row.noise is None:
        return ldct
    if row.start is None:
        return subtract_mean_noise(ldct, networks.noise_models, row.settings)
    start = networks.starts[row.start]
    noise = noise_of(row, ldct, networks)
    job = DenoisingJob(ldct, start, noise, row.settings)
    torch.manual_seed(row.settings.seed)  # of the noise that replaces the noise models
    denoised = job.run_at_once().hu
    if row.mean_with_control:
        control = subtract_mean_noise(ldct, noise, row.settings)
        return (denoised.astype(np.float32) + control) / 2
    return denoised


def noise_of(row: TableRow, ldct: np.ndarray, networks: Networks) -> list[nn.Module]:
    """Return the noise models of a row, or the modules that replace them."""
    if row.noise is None:
        return []
    if row.noise in _COUNTS:
        return list(networks.noise_models[: _COUNTS[row.noise]])
    if row.noise == FAST_MODELS:
        return load_models("fast").noise_networks
    if row.noise == HIST:
        return [networks.histogram] * DRAWS
    if row.noise == MODEL_AND_HIST:
        return [networks.noise_model_of_all] * DRAWS + [networks.histogram] * DRAWS
    sigma = PRINTED_SIGMA * RANGE_HU
    if row.noise == MATCHED:
        sigma = matched_sigma(ldct, networks.starts[row.start], row.settings)
    return [GaussianNoise(sigma)] * DRAWS


def matched_sigma(ldct: np.ndarray, denoiser: nn.Module, settings: DenoisingSettings) -> float:
    """Return the standard deviation in HU of the noise that the denoiser removes from the body."""
    job = DenoisingJob(ldct, denoiser, [], replace(settings, method="pretrained"))
    slices = job.normalised(range(len(ldct)))
    residual = slices - apply_network(job.denoiser, slices, precision=job.precision)
    return float(residual[slices > normalise(TISSUE_HU)].std()) * RANGE_HU
