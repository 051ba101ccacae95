"""What the default method is worth, against its own start: by setting, start, dose and step.

The start is the pre-trained network averaged over eight orientations, the best that it gives
without being tuned.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from PseudoCTDenoiseLib.ct.body_mask import body_mask
from PseudoCTDenoiseLib.ct.hounsfield import MIN_CT_HU, to_hu
from PseudoCTDenoiseLib.ct.reference_metrics import image_metrics, psnr_4096
from PseudoCTDenoiseLib.ct.slice_selection import evenly_spread, spread_slices
from PseudoCTDenoiseLib.denoising.fine_tuning import (
    believed_share,
    fine_tune,
    go_part_of_the_way,
    risk_rule,
)
from PseudoCTDenoiseLib.denoising.inference import apply_network
from PseudoCTDenoiseLib.denoising.job import DenoisingJob
from PseudoCTDenoiseLib.denoising.plan import RISK_EVERY
from PseudoCTDenoiseLib.denoising.settings import DenoisingSettings
from PseudoCTDenoiseLib.denoising.sure import removed_energy
from PseudoCTDenoiseLib.denoising.target_noise import target_share
from PseudoCTDenoiseLib.simulation.reconstruction_kernels import KERNELS
from torch import nn

from ..training.ct_dataset import CtScan
from .comparison import CtPair, simulated_pair

METHOD = DenoisingSettings(precision="float32")
"""Not as fast as the device can, so that the figures do not depend on what it can."""
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
    "late layers alone": replace(_THREE, tuned_layers="late"),
    "one slice to tune on": replace(_THREE, tuning_slices=1),
    "own output as target": replace(_THREE, teacher="network"),
    "own output over 8 orientations as target": replace(_THREE, teacher="orientations"),
    "the same, renewed every 40 steps": replace(_THREE, teacher="orientations", update_period=40),
    "the same, with noise from the models": replace(
        _THREE, teacher="orientations", noise_source="models"
    ),
    "the same, with the scan's residual": replace(
        _THREE, teacher="orientations", noise_source="residual"
    ),
    "mean with X − mean Z as target, noise from both": replace(
        _THREE, teacher="average", noise_source="both"
    ),
}
"""The method over three orientations, with one thing changed."""


@dataclass(frozen=True)
class Condition:
    """A simulated low dose: name of the kernel, and fraction of the dose."""

    kernel: str
    dose: float


def study_pairs(
    scans: Sequence[CtScan], conditions: Sequence[Condition], slices: int
) -> Iterator[tuple[Condition, int, CtPair]]:
    """Every scan in every condition, at most so many slices of it, evenly spread.

    Yields the condition, the scan's number and the pair.
    """
    for condition in conditions:
        for seed, scan in enumerate(scans):
            few = replace(scan, hu=scan.hu[evenly_spread(len(scan.hu), slices)])
            kernel = KERNELS[condition.kernel]
            yield condition, seed, simulated_pair(few, condition.dose, kernel, seed)


def measure(
    pair: CtPair,
    denoiser: nn.Module,
    noise_models: Sequence[nn.Module],
    variants: dict[str, DenoisingSettings],
    dose: float,
) -> list[dict]:
    """A row a variant, the start first.

    Returns
    -------
    ``gain`` in dB over the LDCT; ``more`` in dB and ``change_hu``, the mean absolute difference
    inside of the body, against the start; ``more_target`` as ``more``, but held against the NDCT
    with the share of the added noise by which the best guess leaves as much noise at every dose,
    see :func:`.target_share`; ``hu_bias``; ``steps`` that ran, and the ``best_step`` and ``share``
    of the way to it that were taken.
    """
    ldct = psnr_4096(pair.ldct, pair.ndct)
    target = pair.ndct + target_share(dose) * (pair.ldct.astype(np.float32) - pair.ndct)
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
    pair: CtPair, denoiser: nn.Module, steps: int, settings: DenoisingSettings = METHOD
) -> list[dict]:
    """Estimated risk and true gain by step, of a tuning that no rule ends.

    A row every :data:`.RISK_EVERY` steps and at the last: ``step``, ``risk_hu2``, the ``share`` of
    the way to the step's weights that the method would go, and the ``gain`` of that in dB over the
    LDCT, in one orientation; ``chosen`` marks the step that the stop rule takes by the risks alone.
    """
    unstopped = replace(settings, steps=steps, patience=steps + 1)
    job = DenoisingJob(pair.ldct, denoiser, [], unstopped)
    slices = job.normalised(spread_slices(pair.ldct, settings.tuning_slices))
    networks = {0: copy.deepcopy(job.denoiser)}

    def keep(step: int, loss: float, network: nn.Module) -> None:
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
    rule = risk_rule(settings.patience, energy)
    for step, risk in record.risks.items():
        if step > settings.steps or rule(step, risk):
            break
    ldct = psnr_4096(pair.ldct, pair.ndct)
    rows = []
    for step, risk in record.risks.items():
        network, share = networks[step], believed_share(record.risks, step, energy)
        go_part_of_the_way(network, job.denoiser, share)
        output = apply_network(network, job.normalised(range(len(pair.ldct))))
        image = to_hu(output).clamp(min=MIN_CT_HU).cpu().numpy()
        gain = psnr_4096(image, pair.ndct) - ldct
        row = {"step": step, "risk_hu2": risk, "share": share, "gain": gain}
        rows.append(row | {"chosen": step == rule.best_step})
    return rows


def clean_scan(denoiser: nn.Module, hu: np.ndarray, pixel_mm: float) -> dict:
    """What the method does to a scan that is clean already.

    Returns
    -------
    ``steps`` that ran, ``best_step``, ``noise_found_hu``, and the mean absolute change inside of
    the body in HU: ``change_hu``, and ``start_change_hu`` of the start.
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
    """How much slices differ from each other that should not: stripes in coronal views.

    The mean of image − reference inside of the body is taken slice by slice; the result is the
    standard deviation, in HU, of its differences from one slice to the next, over √2.
    """
    body = body_mask(reference)
    error = image.astype(np.float32) - reference
    means = [one[inside].mean() for one, inside in zip(error, body, strict=True) if inside.any()]
    return float(np.std(np.diff(means)) / np.sqrt(2))
