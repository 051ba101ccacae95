"""Comparison of methods on LDCT with a known NDCT: the rows of the results table."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from PseudoCTDenoiseLib.ct.hounsfield import MIN_CT_HU, to_int16
from PseudoCTDenoiseLib.ct.noise_level import noise_reduction
from PseudoCTDenoiseLib.ct.reference_metrics import image_metrics
from PseudoCTDenoiseLib.denoising.clipping import with_padding
from PseudoCTDenoiseLib.denoising.job import DenoisingJob
from PseudoCTDenoiseLib.denoising.presets import paper_settings
from PseudoCTDenoiseLib.denoising.settings import DenoisingSettings
from PseudoCTDenoiseLib.errors import BadInputError
from PseudoCTDenoiseLib.markdown_table import Column
from PseudoCTDenoiseLib.number_text import with_minus_sign
from PseudoCTDenoiseLib.simulation.kernel_change import change_kernel
from PseudoCTDenoiseLib.simulation.low_dose import LowDoseSimulator, simulate_low_dose
from PseudoCTDenoiseLib.simulation.reconstruction_kernels import SOFT, ReconstructionKernel
from torch import nn

from ..datasets.ct_dataset import CtScan
from .filters import FILTERS, best_setting

COLUMNS = (
    Column("method", "Method"),
    Column("psnr_4096", "PSNR-4096 (dB)"),
    Column("gain", "Gain (dB)", signed=True),
    Column("psnr_400", "PSNR-400 (dB)"),
    Column("ssim_4096", "SSIM", decimals=4),
    Column("hu_bias", "HU bias (HU)", signed=True),
    Column("noise_reduction", "Noise reduction (%)", decimals=0),
    Column("seconds", "Time (s/slice)"),
)
"""Columns of the table: ``gain`` is mean ± sample standard deviation over the patients, the others
are means."""
LDCT = "LDCT"
"""Name of the low-dose scan beside the methods."""
ORIENTATIONS, TUNED = ", 8 orientations", " + method"
"""Ends of the names of a network's methods: averaged over orientations, and tuned."""
METRICS = ("psnr_4096", "psnr_400", "ssim_4096", "hu_bias", "noise_reduction", "seconds")
"""Scores of a scan that :func:`summary` averages."""


@dataclass(frozen=True)
class CtPair:
    """LDCT and NDCT of one scan, (slices, rows, columns) int16 HU."""

    patient: str
    ldct: np.ndarray
    ndct: np.ndarray
    pixel_mm: float | None = None


@dataclass(frozen=True)
class Method:
    """Denoising method; ``denoise`` maps LDCT to HU of the same shape.

    Its second argument is the side of a pixel in mm, None if it is unknown.
    """

    name: str
    denoise: Callable[[np.ndarray, float | None], np.ndarray]


def simulated_pair(scan: CtScan, dose: float, kernel: ReconstructionKernel, seed: int) -> CtPair:
    """Simulate the low-dose scan of a normal-dose scan, both with the given kernel.

    The scan is assumed to have the soft kernel. For another kernel, anatomy and noise are filtered
    together: a reference without the noise of its kernel would reward smoothing. Padding of the
    scan stays as it is.
    """
    simulator = LowDoseSimulator(scan.pixel_mm).fitted(scan.hu)
    ndct = scan.hu
    if kernel != SOFT:
        converted = np.stack([_with_kernel(image, scan.pixel_mm, kernel) for image in scan.hu])
        ndct = with_padding(converted, scan.hu)
    ldct = simulate_low_dose(ndct, simulator, dose, kernel, seed=seed)
    return CtPair(scan.patient, with_padding(ldct, scan.hu), ndct, scan.pixel_mm)


def _with_kernel(hu: np.ndarray, pixel_mm: float, kernel: ReconstructionKernel) -> np.ndarray:
    """Convert a slice of the soft kernel, (rows, columns) int16 HU, to another kernel."""
    scanned = np.maximum(hu, MIN_CT_HU).astype(np.float32)
    converted = change_kernel(torch.from_numpy(scanned), pixel_mm, SOFT, kernel).numpy()
    return to_int16(np.maximum(converted, MIN_CT_HU))


def filter_methods(pairs: Sequence[CtPair]) -> list[Method]:
    """Return the untrained filters, each with the setting that is best on these pairs.

    This favours the filters: the search uses the centre of every scan's middle slice and its
    reference. A filter that must measure the noise is omitted if a scan has no soft tissue to
    measure it in.
    """
    ldct = [_middle(pair.ldct) for pair in pairs]
    ndct = [_middle(pair.ndct) for pair in pairs]
    methods = []
    for image_filter in FILTERS.values():
        try:
            setting = best_setting(image_filter, ldct, ndct)
        except BadInputError:
            continue

        def denoise(hu, pixel_mm, image_filter=image_filter, setting=setting):
            return image_filter.function(hu, **setting)

        words = ", ".join(f"{key} {value:g}" for key, value in setting.items())
        methods.append(Method(f"{image_filter.name} ({words})", denoise))
    return methods


def _middle(hu: np.ndarray) -> np.ndarray:
    """Return the middle slice without its outer quarters, which are mostly air."""
    _, rows, columns = hu.shape
    return hu[len(hu) // 2, rows // 4 : rows - rows // 4, columns // 4 : columns - columns // 4]


def network_methods(denoiser, name: str, settings: DenoisingSettings) -> list[Method]:
    """Return three methods: a denoiser untuned, averaged over orientations, and tuned."""

    def variant(chosen: DenoisingSettings):
        def denoise(hu, pixel_mm):
            job = DenoisingJob(hu, denoiser, [], chosen, pixel_mm=pixel_mm)
            return job.run_at_once().hu  # timed: no trial runs before

        return denoise

    as_it_is = replace(settings, method="pretrained", orientations=1)
    return [
        Method(name, variant(as_it_is)),
        Method(f"{name}{ORIENTATIONS}", variant(replace(as_it_is, orientations=8))),
        Method(f"{name}{TUNED}", variant(replace(settings, method="pseudo-ct"))),
    ]


def subtract_mean_noise(
    hu: np.ndarray, noise_models: Sequence[nn.Module], settings: DenoisingSettings
) -> np.ndarray:
    """Return X − mean Z of (slices, rows, columns) HU: the noise models used as denoisers.

    Only device and precision of the settings are used.
    """
    untuned = paper_settings(
        method="pretrained", device=settings.device, precision=settings.precision
    )
    return DenoisingJob(hu, _SubtractMeanNoise(noise_models), [], untuned).run_at_once().hu


class _SubtractMeanNoise(nn.Module):
    """X − mean Z as a denoiser."""

    def __init__(self, noise_models: Sequence[nn.Module]):
        super().__init__()
        self.noise_models = nn.ModuleList(noise_models)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x - torch.stack([model(x) for model in self.noise_models]).mean(dim=0)


def score(method: Method, pair: CtPair) -> dict:
    """Run a method on a pair; return metrics, noise reduction in % and seconds per slice."""
    started = time.perf_counter()
    image = method.denoise(pair.ldct, pair.pixel_mm)
    seconds = (time.perf_counter() - started) / len(pair.ldct)
    try:
        reduction = 100 * noise_reduction(pair.ldct, image)
    except BadInputError:  # a chest slice may lack a large enough area of soft tissue
        reduction = float("nan")
    return {
        "method": method.name,
        "patient": pair.patient,
        "slices": len(pair.ndct),
        **image_metrics(image, pair.ndct),
        "noise_reduction": reduction,
        "seconds": seconds,
    }


def compare(methods: Sequence[Method], pairs: Sequence[CtPair]) -> Iterator[dict]:
    """Yield the scores of every method on every pair, the LDCT first."""
    for method in [Method(LDCT, lambda hu, pixel_mm: hu), *methods]:
        for pair in pairs:
            yield score(method, pair)


def summary(scores: Sequence[dict]) -> list[dict]:
    """Return a row per method: means over patients, each the mean over the patient's slices.

    Gains are relative to the LDCT of the same patient.
    """
    rows = []
    ldct = _by_patient([s for s in scores if s["method"] == LDCT])
    for name in dict.fromkeys(s["method"] for s in scores):
        patients = _by_patient([s for s in scores if s["method"] == name])
        row = {"method": name, "patients": len(patients)}
        for key in METRICS:
            row[key] = _mean([means[key] for means in patients.values()])
        gains = [
            means["psnr_4096"] - ldct[patient]["psnr_4096"] for patient, means in patients.items()
        ]
        row["gain_mean"] = float(np.mean(gains))
        row["gain"] = mean_and_deviation(gains, 2, sign="+")
        if name == LDCT:
            row["gain"] = row["noise_reduction"] = row["seconds"] = None
        rows.append(row)
    return rows


def mean_and_deviation(values: Sequence[float], decimals: int, sign: str = "") -> str:
    """Return mean ± sample standard deviation as text; only the mean of a single value."""
    text = f"{np.mean(values):{sign}.{decimals}f}"
    if len(values) > 1:
        text += f" ± {np.std(values, ddof=1):.{decimals}f}"
    return with_minus_sign(text)


def tuning_gains(scores: Sequence[dict]) -> list[tuple[dict, float]]:
    """Return the score of each tuned scan, and its gain in dB over the averaged orientations."""
    averaged, tuned = (
        [score for score in scores if score["method"].endswith(end)]
        for end in (ORIENTATIONS, TUNED)
    )
    return [
        (after, after["psnr_4096"] - before["psnr_4096"])
        for before, after in zip(averaged, tuned, strict=True)
    ]


def _by_patient(scores: Sequence[dict]) -> dict[str, dict]:
    """Return the mean scores of each patient over its scans, weighted by slices, without NaN."""
    patients = {}
    for patient in dict.fromkeys(s["patient"] for s in scores):
        of_patient = [s for s in scores if s["patient"] == patient]
        weights = [s["slices"] for s in of_patient]
        patients[patient] = {key: _mean([s[key] for s in of_patient], weights) for key in METRICS}
    return patients


def _mean(values: Sequence[float], weights: Sequence[float] | None = None) -> float:
    """Return the weighted mean of the values that are not NaN; NaN if all are."""
    values = np.asarray(values, dtype=float)
    known = ~np.isnan(values)
    if not known.any():
        return float("nan")
    weights = None if weights is None else np.asarray(weights)[known]
    return float(np.average(values[known], weights=weights))
