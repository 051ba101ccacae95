"""Ablation of the default method relative to its baseline: by setting, denoiser, dose and step.

The baseline is the pre-trained network averaged over eight orientations, its best result without
tuning.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from PseudoCTDenoiseLib.ct.body_mask import body_mask
from PseudoCTDenoiseLib.ct.hounsfield import MIN_CT_HU, to_hu
from PseudoCTDenoiseLib.ct.inner_body import inner_body
from PseudoCTDenoiseLib.ct.reference_metrics import image_metrics, psnr_4096
from PseudoCTDenoiseLib.ct.slice_selection import evenly_spaced_indices, evenly_spaced_slices
from PseudoCTDenoiseLib.denoising.fine_tuning import fine_tune
from PseudoCTDenoiseLib.denoising.inference import apply_network
from PseudoCTDenoiseLib.denoising.job import DenoisingJob
from PseudoCTDenoiseLib.denoising.plan import RISK_EVERY
from PseudoCTDenoiseLib.denoising.settings import DenoisingSettings
from PseudoCTDenoiseLib.denoising.stopping import (
    interpolate_weights,
    risk_stop_rule,
    tuned_weight_share,
)
from PseudoCTDenoiseLib.denoising.sure import removed_energy
from PseudoCTDenoiseLib.denoising.target_noise import target_noise_fraction
from PseudoCTDenoiseLib.markdown_table import Column
from PseudoCTDenoiseLib.simulation.reconstruction_kernels import KERNELS
from torch import nn

from ..datasets.ct_dataset import CtScan
from ..datasets.real_pairs import RealPairs
from .comparison import CtPair, simulated_pair

METHOD = DenoisingSettings(precision="float32")
"""Default method in float32 on every device, so the results do not depend on the device."""
START = replace(METHOD, method="pretrained", orientations=8)
NO_TUNING = "8 orientations, not tuned"
WITH_METHOD = "method"

_THREE = replace(METHOD, orientations=3)
INGREDIENTS = {
    WITH_METHOD: _THREE,
    "passes in bfloat16": replace(_THREE, precision="bfloat16"),
    "no density anchor": replace(_THREE, anchor=None),
    "no moving average": replace(_THREE, moving_average=None),
    "no stop rule": replace(_THREE, patience=None),
    "a quarter of the learning rate": replace(_THREE, learning_rate=_THREE.learning_rate / 4),
    "four times the learning rate": replace(_THREE, learning_rate=_THREE.learning_rate * 4),
    "noise always as drawn": replace(_THREE, noise_sign="as-is"),
    "one slice to tune on": replace(_THREE, tuning_slices=1),
    "own output as target": replace(_THREE, teacher="network"),
}
"""Variants of the method over three orientations, with one setting changed."""

RISK_COLUMNS = (
    Column("estimated_hu2", "Estimated change of the risk at the selected step (HU²)"),
    Column("true_hu2", "True change (HU²)"),
    Column("correlation", "Correlation over the steps"),
)
"""Columns of :func:`risk_accuracy`."""


@dataclass(frozen=True)
class Condition:
    """Simulated low dose: name of the kernel, and dose fraction."""

    kernel: str
    dose: float


def study_pairs(
    scans: Sequence[CtScan], conditions: Sequence[Condition], slices: int
) -> Iterator[tuple[Condition, int, CtPair]]:
    """Simulate every scan in every condition, with at most ``slices`` evenly spaced slices.

    Yields the condition, the scan's number and the pair.
    """
    for condition in conditions:
        for seed, scan in enumerate(scans):
            few = replace(scan, hu=scan.hu[evenly_spaced_indices(len(scan.hu), slices)])
            kernel = KERNELS[condition.kernel]
            yield condition, seed, simulated_pair(few, condition.dose, kernel, seed)


def measure(
    pair: CtPair,
    denoiser: nn.Module,
    noise_models: Sequence[nn.Module],
    variants: dict[str, DenoisingSettings],
    dose: float,
) -> list[dict]:
    """Measure the baseline and every variant on a pair.

    Returns
    -------
    A row per variant, the baseline first, with these keys: ``gain`` in dB over the LDCT; ``more``
    in dB and ``change_hu``, the mean absolute difference inside the body, both relative to the
    baseline; ``more_target``, the same as ``more`` with the training target as reference, which is
    the NDCT plus a fraction of the added noise, see :func:`.target_noise_fraction`; ``hu_bias``;
    the number of ``steps``, the ``best_step``, and the ``share`` of the tuned weights in the
    average with the pre-trained weights.
    """
    ldct = psnr_4096(pair.ldct, pair.ndct)
    target = pair.ndct + target_noise_fraction(dose) * (pair.ldct.astype(np.float32) - pair.ndct)
    body = body_mask(pair.ndct)
    rows = []
    for name, settings in {NO_TUNING: START, **variants}.items():
        job = DenoisingJob(pair.ldct, denoiser, noise_models, settings, pixel_mm=pair.pixel_mm)
        done = job.run_at_once()
        scores = image_metrics(done.hu, pair.ndct)
        image = done.hu.astype(np.float32)
        if name == NO_TUNING:
            start, start_psnr = image, scores["psnr_4096"]
            start_on_target = psnr_4096(image, target)
        record = done.tunings[0] if done.tunings else None
        rows.append(
            {
                "variant": name,
                "gain": scores["psnr_4096"] - ldct,
                "more": scores["psnr_4096"] - start_psnr,
                "more_target": psnr_4096(image, target) - start_on_target,
                "change_hu": float(np.abs(image - start)[body].mean()),
                "hu_bias": scores["hu_bias"],
                "steps": len(done.losses),
                "best_step": record.best_step if record else None,
                "share": record.share if record else None,
            }
        )
    return rows


def stopping_curve(
    pair: CtPair | RealPairs,
    denoiser: nn.Module,
    steps: int,
    settings: DenoisingSettings = METHOD,
) -> list[dict]:
    """Return estimated risk and true gain by step for a tuning without stop rule.

    There is a row for every :data:`.RISK_EVERY` steps and for the last step: ``step``,
    ``risk_hu2``, the true ``error_hu2`` inside the body, the ``share`` of the step's weights in the
    average with the pre-trained weights, and the ``gain`` of that average in dB over the LDCT, in
    one orientation. ``chosen`` marks the step that the stop rule selects from the risks.
    """
    unstopped = replace(settings, steps=steps, patience=steps + 1)
    job = DenoisingJob(pair.ldct, denoiser, [], unstopped)
    slices = job.normalised(evenly_spaced_slices(pair.ldct, settings.tuning_slices))
    networks = {0: copy.deepcopy(job.denoiser)}

    def keep(step: int, network: nn.Module) -> None:
        if step % RISK_EVERY == 0 or step == steps:
            networks[step] = copy.deepcopy(network).eval()

    record = fine_tune(
        job.denoiser,
        slices,
        slices.new_empty(0, *slices.shape),
        unstopped,
        pixel_mm=pair.pixel_mm,
        progress=keep,
    ).record
    energy = removed_energy(record.noise_hu)
    rule = risk_stop_rule(settings.patience, energy)
    for step, risk in record.risks.items():
        if step > settings.steps or rule(step, risk):
            break
    scan = job.normalised(range(len(pair.ldct)))
    body = inner_body(to_hu(scan)).cpu().numpy()

    unchanged = np.stack([job.unchanged(index) for index in range(len(pair.ldct))])

    def image_of(network: nn.Module) -> np.ndarray:
        output = to_hu(apply_network(network, scan)).clamp(min=MIN_CT_HU).cpu().numpy()
        return np.where(unchanged, pair.ldct, output)

    ldct = psnr_4096(pair.ldct, pair.ndct)
    rows = []
    for step, risk in record.risks.items():
        network, share = networks[step], tuned_weight_share(record.risks, step, energy)
        error = np.mean((image_of(network) - pair.ndct)[body] ** 2)
        interpolate_weights(network, job.denoiser, share)
        gain = psnr_4096(image_of(network), pair.ndct) - ldct
        row = {"step": step, "risk_hu2": risk, "error_hu2": float(error), "share": share}
        rows.append(row | {"gain": gain, "chosen": step == rule.best_step})
    return rows


def risk_accuracy(curve: Sequence[dict]) -> dict[str, float]:
    """Compare the estimated risk of a :func:`stopping_curve` with the true error.

    Returns
    -------
    Changes from the first to the selected step in HU², ``estimated_hu2`` and ``true_hu2``, and the
    ``correlation`` of both changes over all steps.
    """
    risks, errors = (
        np.array([float(row[key]) for row in curve]) for key in ("risk_hu2", "error_hu2")
    )
    (selected,) = (place for place, row in enumerate(curve) if str(row["chosen"]) == "True")
    return {
        "estimated_hu2": float(risks[selected] - risks[0]),
        "true_hu2": float(errors[selected] - errors[0]),
        "correlation": float(np.corrcoef(risks, errors)[0, 1]),
    }


def clean_scan(denoiser: nn.Module, hu: np.ndarray, pixel_mm: float) -> dict:
    """Measure how much the method changes a scan without noise.

    Returns
    -------
    The number of ``steps``, ``best_step``, ``noise_found_hu``, and the mean absolute change inside
    the body in HU: ``change_hu`` of the method and ``start_change_hu`` of the baseline.
    """
    body = body_mask(hu)

    def change(settings: DenoisingSettings) -> tuple[float, list]:
        job = DenoisingJob(hu, denoiser, [], settings, pixel_mm=pixel_mm)
        done = job.run_at_once()
        return float(np.abs(done.hu.astype(np.float32) - hu)[body].mean()), done.tunings

    start, _ = change(START)
    tuned, (record,) = change(METHOD)
    return {
        "steps": len(record.losses),
        "best_step": record.best_step,
        "noise_found_hu": record.noise_hu,
        "start_change_hu": start,
        "change_hu": tuned,
    }


def banding(image: np.ndarray, reference: np.ndarray) -> float:
    """Return the banding of an image: spurious differences between slices, seen in coronal views.

    Banding is the standard deviation in HU of the differences between consecutive slices of the
    mean of image − reference inside the body, divided by √2.
    """
    body = body_mask(reference)
    error = image.astype(np.float32) - reference
    means = [
        difference[inside].mean()
        for difference, inside in zip(error, body, strict=True)
        if inside.any()
    ]
    return float(np.std(np.diff(means)) / np.sqrt(2))
