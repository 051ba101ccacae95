"""Computation of the studies of `pseudoct study`: each yields the rows of its CSV file by case."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from PseudoCTDenoiseLib.ct.reference_metrics import psnr_4096
from PseudoCTDenoiseLib.denoising.job import DenoisingJob
from PseudoCTDenoiseLib.denoising.presets import preset_settings
from PseudoCTDenoiseLib.denoising.settings import DenoisingSettings
from PseudoCTDenoiseLib.errors import BadInputError
from PseudoCTDenoiseLib.models.store import load_denoiser, load_models
from torch import nn

from ..datasets.ct_dataset import CtScan, index_splits, read_index
from ..phantom.phantom_scan import scan_phantom
from ..phantom.torso import torso_phantom
from ..results.pictures import coronal_picture
from ..results.results_table import read_csv
from ..training.training_pairs import LEAST_SLICES
from .comparison import LDCT, CtPair
from .filters import FILTERS, best_setting
from .method_study import (
    INGREDIENTS,
    METHOD,
    NO_TUNING,
    START,
    WITH_METHOD,
    Condition,
    banding,
    clean_scan,
    measure,
    stopping_curve,
    study_pairs,
)
from .noise_map_study import measure_noise_maps
from .paper_loop_study import measure_paper_loop, measure_preset
from .removed_noise_study import removed_noise_rows, whole_scan_row
from .strength_study import measure_strengths
from .tissue_study import measure_tissues

Rows = Iterator[list[dict]]

TUNED = {WITH_METHOD: METHOD}
QUARTER = (Condition("soft", 0.25), Condition("sharp", 0.25))
OTHER_DOSES = tuple(Condition(kernel, dose) for dose in (0.1, 0.5) for kernel in ("soft", "sharp"))
STOPPING_STEPS = 240
LIGHT_DOSES = (0.25, 0.5, 1.0)
"""Doses at which the light is judged; the last one is that of the scan as it is."""


def csv_of_study(arguments: argparse.Namespace, name: str) -> Path:
    """Return the path of the CSV file of a study."""
    return arguments.csv / f"study-{name}.csv"


def compute_ingredients(arguments: argparse.Namespace, name: str) -> Rows:
    scans = stacks(read_index(arguments.index, "val"))
    models = denoiser_and_noise_models(arguments)
    return _compute_cases(arguments, name, scans, QUARTER, models, INGREDIENTS)


def compute_doses(arguments: argparse.Namespace, name: str) -> Rows:
    scans = read_index(arguments.index, "test")
    return _compute_cases(arguments, name, scans, OTHER_DOSES, denoiser_and_noise_models(arguments))


def compute_unseen(arguments: argparse.Namespace, name: str) -> Rows:
    denoiser, scans = unseen_scans(arguments)
    pairs = study_pairs(scans, QUARTER, arguments.slices)
    for condition, _, pair in _with_bar(pairs, len(scans) * len(QUARTER), name):
        about = {"kernel": condition.kernel, "patient": pair.patient}
        row = _with_filter(pair)
        for measured in measure(pair, denoiser, [], TUNED, condition.dose):
            row |= {f"{key} {measured['variant']}": measured[key] for key in ("gain", "hu_bias")}
        yield [about | row]


def unseen_scans(arguments: argparse.Namespace) -> tuple[nn.Module, list[CtScan]]:
    """Return the denoiser, and the stacks of the split ``train`` that it did not learn from."""
    denoiser, manifest = load_models(arguments.model, arguments.models).denoiser
    known = {scan["patient"] for scan in manifest.training.get("scans", ())}
    scans = [scan for scan in read_index(arguments.index, "train") if scan.patient not in known]
    return denoiser, stacks(scans)


def _with_filter(pair: CtPair) -> dict:
    """Return the gain of non-local means in dB, with the setting that is best on this pair."""
    non_local_means = FILTERS["non_local_means"]
    setting = best_setting(non_local_means, [pair.ldct], [pair.ndct])
    filtered = non_local_means.function(pair.ldct, **setting)
    return {"filter": psnr_4096(filtered, pair.ndct) - psnr_4096(pair.ldct, pair.ndct)}


def compute_narrow(arguments: argparse.Namespace, name: str) -> Rows:
    conditions = [QUARTER[1], Condition("soft", 0.1), Condition("sharp", 0.1)]
    scans = read_index(arguments.index, "test")
    return _compute_cases(arguments, name, scans, conditions, narrow_denoiser(arguments))


def _compute_cases(
    arguments: argparse.Namespace,
    name: str,
    scans: Sequence[CtScan],
    conditions: Sequence[Condition],
    models: tuple[nn.Module, list[nn.Module]],
    variants: dict[str, DenoisingSettings] = TUNED,
) -> Rows:
    retired = _retired(csv_of_study(arguments, name), variants)
    pairs = study_pairs(scans, conditions, arguments.slices)
    for condition, number, pair in _with_bar(pairs, len(scans) * len(conditions), name):
        about = {
            "kernel": condition.kernel,
            "dose": condition.dose,
            "patient": pair.patient,
            "scan": number,
            "slices": len(pair.ndct),
        }
        yield [about | row for row in measure(pair, *models, variants, condition.dose)]
    yield retired


def _retired(file: Path, variants: dict[str, DenoisingSettings]) -> list[dict]:
    """Return the rows of variants that an earlier version measured and this one lacks."""
    if not file.is_file():
        return []
    return [row for row in read_csv(file) if row["variant"] not in {NO_TUNING, *variants}]


def compute_stopping(arguments: argparse.Namespace, name: str) -> Rows:
    starts = {"fast": denoiser_and_noise_models(arguments), "narrow": narrow_denoiser(arguments)}
    scans = stacks(read_index(arguments.index, "val"))
    pairs = study_pairs(scans, QUARTER, arguments.slices)
    for condition, number, pair in _with_bar(pairs, len(scans) * len(QUARTER), name):
        for start, (denoiser, _) in starts.items():
            about = {"start": start, "kernel": condition.kernel, "scan": number}
            about["patient"] = pair.patient
            curve = stopping_curve(pair, denoiser, STOPPING_STEPS)
            yield [about | row for row in curve]


def compute_clean(arguments: argparse.Namespace, name: str) -> Rows:
    denoiser, noise_models = denoiser_and_noise_models(arguments)
    scans = stacks(read_index(arguments.index, "val"))
    cleaned = _clean_scans(scans, denoiser, noise_models, arguments.slices)
    for scan, hu, pixel_mm in _with_bar(cleaned, 1 + 2 * len(scans), name):
        yield [{"scan": scan} | clean_scan(denoiser, hu, pixel_mm)]


def _clean_scans(
    scans: Sequence[CtScan], denoiser: nn.Module, noise_models: list[nn.Module], slices: int
) -> Iterator[tuple[str, np.ndarray, float]]:
    """Yield name, HU and pixel size of scans that are noise-free or already denoised."""
    phantom = torso_phantom(slices=8)
    yield "phantom without noise", phantom.hu, phantom.spacing_mm[-1]
    non_local_means = FILTERS["non_local_means"]
    for _, _, pair in study_pairs(scans, QUARTER[:1], slices):
        method = _denoised(pair.ldct, pair.pixel_mm, denoiser, noise_models, TUNED)[WITH_METHOD]
        yield f"{pair.patient}, result of the method", method, pair.pixel_mm
        filtered = non_local_means.function(pair.ndct, **non_local_means.default)
        yield f"{pair.patient}, filtered normal dose", filtered, pair.pixel_mm


def compute_banding(arguments: argparse.Namespace, name: str) -> Rows:
    denoiser, noise_models = denoiser_and_noise_models(arguments)
    for scan in stacks(read_index(arguments.index, "test")):
        ((_, _, pair),) = study_pairs([scan], QUARTER[:1], len(scan.hu))
        images = _before_and_after(pair, denoiser, noise_models)
        yield [
            {"patient": scan.patient, "variant": name, "banding_hu": banding(image, pair.ndct)}
            for name, image in images.items()
        ]
    if arguments.plots:
        phantom = torso_phantom()
        slice_mm, _, pixel_mm = phantom.spacing_mm
        scanned = scan_phantom(phantom.hu, pixel_mm)
        method = _denoised(scanned.ldct, pixel_mm, denoiser, noise_models, TUNED)[WITH_METHOD]
        coronal_picture(
            arguments.plots / "coronal.png",
            {LDCT: scanned.ldct, "method": method, "NDCT": scanned.ndct},
            (pixel_mm, slice_mm),
        )


def compute_noise_maps(arguments: argparse.Namespace, name: str) -> Rows:
    models = load_models(arguments.model, arguments.models)
    denoiser, networks = models.denoiser[0], models.noise_networks
    names = [manifest.name for manifest in models.noise_manifests]
    for split in ("val", "test"):
        scans = stacks(read_index(arguments.index, split))
        pairs = study_pairs(scans, QUARTER, arguments.slices)
        for condition, _, pair in _with_bar(pairs, len(scans) * len(QUARTER), name):
            about = {"split": split, "kernel": condition.kernel, "patient": pair.patient}
            yield [about | row for row in measure_noise_maps(pair, denoiser, networks, names)]


def compute_paper_loop(arguments: argparse.Namespace, name: str) -> Rows:
    models = denoiser_and_noise_models(arguments)
    for split in ("val", "test"):
        scans = read_index(arguments.index, split)
        if split == "test":
            scans = stacks(scans)
        pairs = study_pairs(scans, QUARTER, arguments.slices)
        for condition, number, pair in _with_bar(pairs, len(scans) * len(QUARTER), name):
            about = {"split": split, "kernel": condition.kernel, "scan": number}
            yield [about | row for row in measure_paper_loop(pair, *models)]


def compute_paper_doses(arguments: argparse.Namespace, name: str) -> Rows:
    models = denoiser_and_noise_models(arguments)
    scans = read_index(arguments.index, "val")
    pairs = study_pairs(scans, OTHER_DOSES, arguments.slices)
    for condition, number, pair in _with_bar(pairs, len(scans) * len(OTHER_DOSES), name):
        about = {"kernel": condition.kernel, "dose": condition.dose, "scan": number}
        yield [about | {"patient": pair.patient} | measure_preset(pair, *models)]


def compute_strength(arguments: argparse.Namespace, name: str) -> Rows:
    denoiser, _ = denoiser_and_noise_models(arguments)
    scans = stacks(read_index(arguments.index, "val"))
    pairs = study_pairs(scans, QUARTER, arguments.slices)
    for condition, _, pair in _with_bar(pairs, len(scans) * len(QUARTER), name):
        about = {"kernel": condition.kernel, "patient": pair.patient}
        yield [about | row for row in measure_strengths(pair, denoiser)]


def compute_tissues(arguments: argparse.Namespace, name: str) -> Rows:
    models = denoiser_and_noise_models(arguments)
    scans = read_index(arguments.index, "test")
    pairs = study_pairs(scans, QUARTER, arguments.slices)
    for condition, number, pair in _with_bar(pairs, len(scans) * len(QUARTER), name):
        about = {"kernel": condition.kernel, "patient": pair.patient, "scan": number}
        images = _before_and_after(pair, *models)
        yield [about | row for row in measure_tissues(pair, images)]


def compute_removed_noise(arguments: argparse.Namespace, name: str) -> Rows:
    denoiser, _ = denoiser_and_noise_models(arguments)
    scans = read_index(arguments.index, "val")
    conditions = [Condition(kernel, dose) for dose in LIGHT_DOSES for kernel in ("soft", "sharp")]
    pairs = study_pairs(scans, conditions, arguments.slices)
    for condition, number, pair in _with_bar(pairs, len(scans) * len(conditions), name):
        about = {"kernel": condition.kernel, "dose": condition.dose}
        about |= {"patient": pair.patient, "scan": number}
        # The method is tuned on stacks only, which takes long.
        tuned = TUNED if len(scans[number].hu) >= LEAST_SLICES else {}
        settings = {"one orientation, not tuned": replace(START, orientations=1)} | tuned
        yield [about | row for row in removed_noise_rows(pair, denoiser, settings, number)]


def compute_whole_scans(arguments: argparse.Namespace, name: str) -> Rows:
    denoiser, _ = denoiser_and_noise_models(arguments)
    cases = [
        (split, preset, scan)
        for split in index_splits(arguments.index)
        for scan in read_index(arguments.index, split)
        for preset in ("quick", "standard")
        # Tuning takes long. The limits are chosen on `val`.
        if preset == "quick" or (split == "val" and len(scan.hu) >= LEAST_SLICES)
    ]
    for split, preset, scan in _with_bar(cases, len(cases), name):
        about = {"split": split, "preset": preset, "patient": scan.patient}
        yield [about | whole_scan_row(scan, denoiser, preset_settings(preset))]


def _before_and_after(
    pair: CtPair, denoiser: nn.Module, noise_models: list[nn.Module]
) -> dict[str, np.ndarray]:
    """Return the LDCT, and the results without and with the tuning."""
    variants = {NO_TUNING: START, **TUNED}
    return {LDCT: pair.ldct} | _denoised(pair.ldct, pair.pixel_mm, denoiser, noise_models, variants)


def _denoised(
    hu: np.ndarray,
    pixel_mm: float,
    denoiser: nn.Module,
    noise_models: list[nn.Module],
    variants: dict[str, DenoisingSettings],
) -> dict[str, np.ndarray]:
    return {
        name: DenoisingJob(hu, denoiser, noise_models, settings, pixel_mm=pixel_mm).run_at_once().hu
        for name, settings in variants.items()
    }


def stacks(scans: Sequence[CtScan]) -> list[CtScan]:
    """Return the scans that are whole stacks of slices; raise BadInputError if none is."""
    whole = [scan for scan in scans if len(scan.hu) >= LEAST_SLICES]
    if not whole:
        raise BadInputError(f"The index lists no scan of {LEAST_SLICES} slices or more. Add one.")
    return whole


def denoiser_and_noise_models(arguments: argparse.Namespace) -> tuple[nn.Module, list[nn.Module]]:
    """Load the chosen denoiser and its noise models."""
    models = load_models(arguments.model, arguments.models)
    return models.denoiser[0], models.noise_networks


def narrow_denoiser(arguments: argparse.Namespace) -> tuple[nn.Module, list[nn.Module]]:
    """Load the denoiser of the preset 'narrow', which has no noise models."""
    return load_denoiser("narrow", arguments.narrow)[0], []


def _with_bar(pairs, total: int, name: str):
    from tqdm import tqdm

    return tqdm(pairs, total=total, desc=name, unit="case", file=sys.stderr)
