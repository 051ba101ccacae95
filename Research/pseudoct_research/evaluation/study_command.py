"""Ablation of the default method by ingredient, denoiser, dose and step, on scans of an index."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PseudoCTDenoiseLib.cli.model_arguments import add_model_arguments
from PseudoCTDenoiseLib.cli.output_guard import Output, add_overwrite_argument, check_outputs
from PseudoCTDenoiseLib.cli.side_outputs import SideOutputs
from PseudoCTDenoiseLib.ct.comparison_figure import check_png_path
from PseudoCTDenoiseLib.ct.reference_metrics import psnr_4096
from PseudoCTDenoiseLib.denoising.job import DenoisingJob
from PseudoCTDenoiseLib.denoising.presets import preset_settings
from PseudoCTDenoiseLib.denoising.settings import DenoisingSettings
from PseudoCTDenoiseLib.errors import BadInputError
from PseudoCTDenoiseLib.markdown_table import Column, markdown
from PseudoCTDenoiseLib.models.store import LoadedModels, load_denoiser, load_models, model_files
from PseudoCTDenoiseLib.output_paths import check_writable
from PseudoCTDenoiseLib.simulation.reconstruction_kernels import KERNELS
from torch import nn

from ..datasets.ct_dataset import CtScan, index_files, index_splits, read_index
from ..phantom.phantom_scan import scan_phantom
from ..phantom.torso import torso_phantom
from ..results.pictures import coronal_picture, curve_picture
from ..results.results_table import check_block, has_block, read_csv, replace_block, write_csv
from ..results.row_groups import grouped
from ..training.training_pairs import LEAST_SLICES
from .comparison import CtPair
from .filters import FILTERS, best_setting
from .method_study import (
    INGREDIENTS,
    METHOD,
    NO_TUNING,
    RISK_COLUMNS,
    START,
    WITH_METHOD,
    Condition,
    banding,
    clean_scan,
    measure,
    risk_accuracy,
    stopping_curve,
    study_pairs,
)
from .neighbour_study import (
    DISC_COLUMNS,
    NEIGHBOUR_COLUMNS,
    SLICES,
    measure_disc,
    measure_neighbours,
)
from .noise_map_study import NOISE_MAP_COLUMNS, measure_noise_maps
from .paper_loop_study import (
    PAPER_LOOP_COLUMNS,
    PRESET_COLUMNS,
    measure_paper_loop,
    measure_preset,
    paper_loop_summary,
    preset_summary,
)
from .removed_noise_study import removed_noise_rows, whole_scan_row
from .removed_noise_tables import removed_noise_table, whole_scans_table
from .strength_study import STRENGTH_COLUMNS, measure_strengths

TUNED = {WITH_METHOD: METHOD}
QUARTER = (Condition("soft", 0.25), Condition("sharp", 0.25))
OTHER_DOSES = tuple(Condition(kernel, dose) for dose in (0.1, 0.5) for kernel in ("soft", "sharp"))
STOPPING_STEPS = 240
DISC = "disc in one slice"
_VARIANT = Column("variant", "Method")
LIGHT_DOSES = (0.25, 0.5, 1.0)
"""Doses at which the light is judged; the last one is that of the scan as it is."""
_GAINS = (
    Column("gain", "Gain (dB)", signed=True),
    Column("more", "Gain over baseline (dB)", decimals=3, signed=True),
    Column("worst", "Worst scan (dB)", decimals=3, signed=True),
    Column("more_target", "Same, training target as reference (dB)", decimals=3, signed=True),
    Column("worst_target", "Its worst scan (dB)", decimals=3, signed=True),
    Column("change_hu", "Mean change (HU)"),
    Column("hu_bias", "Absolute HU bias (HU)"),
    Column("steps", "Steps", decimals=0),
)
_KEYS = ("gain", "more", "more_target", "change_hu", "hu_bias", "steps")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--study", choices=STUDIES, action="append", help="default: those of --page, or all"
    )
    parser.add_argument(
        "--index", type=Path, help="CSV that lists the scans; without it, only print"
    )
    parser.add_argument(
        "--slices", type=int, default=4, help="maximum slices per scan (default: 4)"
    )
    add_model_arguments(parser)
    parser.add_argument(
        "--narrow",
        type=Path,
        default=Path("local/models"),
        help="folder of the model of the preset 'narrow' of pretrain (default: local/models)",
    )
    parser.add_argument("--csv", type=Path, default=Path("Docs/results"), help="folder of CSVs")
    parser.add_argument("--page", type=Path, help="Markdown page whose blocks are replaced")
    parser.add_argument("--plots", type=Path, help="folder for the figures")
    add_overwrite_argument(parser)


def run(arguments: argparse.Namespace) -> int:
    studies = arguments.study or _studies_of(arguments.page)
    if arguments.slices < 1:
        raise BadInputError(f"--slices must be at least 1, not {arguments.slices}.")
    for name in studies:
        check_writable(_csv(arguments, name))
        if arguments.page:
            check_block(arguments.page, _block(name))
    if arguments.plots:
        for name in ("stopping.png", "coronal.png"):
            check_png_path(arguments.plots / name)
    _check_outputs(arguments, studies)
    if arguments.index:  # fails before hours of computation
        _shipped(arguments)
        if {"narrow", "stopping"} & set(studies):
            _narrow(arguments)
        if {"neighbours", "strength"} & set(studies):
            _with_neighbour_model(arguments)
    side_outputs = SideOutputs()
    for name in studies:
        if arguments.index:
            STUDIES[name].make(arguments, name)
        rows = read_csv(_csv(arguments, name))
        text = STUDIES[name].table(rows)
        print(f"{name}\n\n{text}")
        if arguments.page:
            with side_outputs.writing(arguments.page):
                replace_block(arguments.page, _block(name), text)
        if arguments.plots and rows and STUDIES[name].plot:
            with side_outputs.writing(arguments.plots):
                STUDIES[name].plot(arguments.plots, rows)
    return side_outputs.exit_code


def _studies_of(page: Path | None) -> list[str]:
    """Return the studies of a page, or all without a page."""
    studies = [name for name in STUDIES if page is None or has_block(page, _block(name))]
    if not studies:
        raise BadInputError(f"{page} has no block of a study. Choose one with --study.")
    return studies


def _block(name: str) -> str:
    return f"STUDY {name}"


def _check_outputs(arguments: argparse.Namespace, studies: Sequence[str]) -> None:
    outputs = [Output(_csv(arguments, name), STUDIES[name].fields) for name in studies]
    if arguments.page:
        outputs.append(Output(arguments.page, is_own=True))
    if arguments.plots:
        outputs += [Output(arguments.plots / name) for name in ("stopping.png", "coronal.png")]
    inputs = [*model_files(arguments.models), *model_files(arguments.narrow)]
    inputs += index_files(arguments.index) if arguments.index else []
    check_outputs(outputs, inputs, overwrite=arguments.overwrite)


# --------------------------------------------------------------- computation


def _make_ingredients(arguments: argparse.Namespace, name: str) -> None:
    scans = _stacks(read_index(arguments.index, "val"))
    _make_cases(arguments, name, scans, QUARTER, _shipped(arguments), INGREDIENTS)


def _make_doses(arguments: argparse.Namespace, name: str) -> None:
    scans = read_index(arguments.index, "test")
    _make_cases(arguments, name, scans, OTHER_DOSES, _shipped(arguments))


def _make_unseen(arguments: argparse.Namespace, name: str) -> None:
    """Measure on scans of the training split that the denoiser did not learn from."""
    denoiser, manifest = load_models(arguments.model, arguments.models).denoiser
    known = {scan["patient"] for scan in manifest.training.get("scans", ())}
    scans = [scan for scan in read_index(arguments.index, "train") if scan.patient not in known]
    rows = []
    pairs = study_pairs(_stacks(scans), QUARTER, arguments.slices)
    for condition, _, pair in _with_bar(pairs, len(scans) * len(QUARTER), name):
        about = {"kernel": condition.kernel, "patient": pair.patient}
        row = _with_filter(pair)
        for measured in measure(pair, denoiser, [], TUNED, condition.dose):
            row |= {f"{key} {measured['variant']}": measured[key] for key in ("gain", "hu_bias")}
        rows.append(about | row)
        write_csv(_csv(arguments, name), rows)


def _with_filter(pair: CtPair) -> dict:
    """Return the gain of non-local means in dB, with the setting that is best on this pair."""
    non_local_means = FILTERS["non_local_means"]
    setting = best_setting(non_local_means, [pair.ldct], [pair.ndct])
    filtered = non_local_means.function(pair.ldct, **setting)
    return {"filter": psnr_4096(filtered, pair.ndct) - psnr_4096(pair.ldct, pair.ndct)}


def _make_narrow(arguments: argparse.Namespace, name: str) -> None:
    conditions = [QUARTER[1], Condition("soft", 0.1), Condition("sharp", 0.1)]
    scans = read_index(arguments.index, "test")
    _make_cases(arguments, name, scans, conditions, _narrow(arguments))


def _make_cases(
    arguments: argparse.Namespace,
    name: str,
    scans: Sequence[CtScan],
    conditions: Sequence[Condition],
    models: tuple[nn.Module, list[nn.Module]],
    variants: dict[str, DenoisingSettings] = TUNED,
) -> None:
    file = _csv(arguments, name)
    retired = _retired(file, variants)
    rows = []
    pairs = study_pairs(scans, conditions, arguments.slices)
    for condition, number, pair in _with_bar(pairs, len(scans) * len(conditions), name):
        about = {
            "kernel": condition.kernel,
            "dose": condition.dose,
            "patient": pair.patient,
            "scan": number,
            "slices": len(pair.ndct),
        }
        rows += [about | row for row in measure(pair, *models, variants, condition.dose)]
        write_csv(file, rows + retired)


def _retired(file: Path, variants: dict[str, DenoisingSettings]) -> list[dict]:
    """Return the rows of variants that an earlier version measured and this one lacks."""
    if not file.is_file():
        return []
    return [row for row in read_csv(file) if row["variant"] not in {NO_TUNING, *variants}]


def _make_stopping(arguments: argparse.Namespace, name: str) -> None:
    starts = {"fast": _shipped(arguments), "narrow": _narrow(arguments)}
    scans = _stacks(read_index(arguments.index, "val"))
    rows = []
    pairs = study_pairs(scans, QUARTER, arguments.slices)
    for condition, number, pair in _with_bar(pairs, len(scans) * len(QUARTER), name):
        for start, (denoiser, _) in starts.items():
            about = {"start": start, "kernel": condition.kernel, "scan": number}
            about["patient"] = pair.patient
            curve = stopping_curve(pair, denoiser, STOPPING_STEPS)
            rows += [about | row for row in curve]
            write_csv(_csv(arguments, name), rows)


def _make_clean(arguments: argparse.Namespace, name: str) -> None:
    denoiser, noise_models = _shipped(arguments)
    scans = _stacks(read_index(arguments.index, "val"))
    rows = []
    cleaned = _clean_scans(scans, denoiser, noise_models, arguments.slices)
    for scan, hu, pixel_mm in _with_bar(cleaned, 1 + 2 * len(scans), name):
        rows.append({"scan": scan} | clean_scan(denoiser, hu, pixel_mm))
        write_csv(_csv(arguments, name), rows)


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


def _make_banding(arguments: argparse.Namespace, name: str) -> None:
    denoiser, noise_models = _shipped(arguments)
    rows = []
    for scan in _stacks(read_index(arguments.index, "test")):
        ((_, _, pair),) = study_pairs([scan], QUARTER[:1], len(scan.hu))
        images = {"LDCT": pair.ldct}
        images |= _denoised(
            pair.ldct, pair.pixel_mm, denoiser, noise_models, {NO_TUNING: START, **TUNED}
        )
        rows += [
            {"patient": scan.patient, "variant": name, "banding_hu": banding(image, pair.ndct)}
            for name, image in images.items()
        ]
        write_csv(_csv(arguments, name), rows)
    if arguments.plots:
        phantom = torso_phantom()
        slice_mm, _, pixel_mm = phantom.spacing_mm
        scanned = scan_phantom(phantom.hu, pixel_mm)
        method = _denoised(scanned.ldct, pixel_mm, denoiser, noise_models, TUNED)[WITH_METHOD]
        coronal_picture(
            arguments.plots / "coronal.png",
            {"LDCT": scanned.ldct, "method": method, "NDCT": scanned.ndct},
            (pixel_mm, slice_mm),
        )


def _make_noise_maps(arguments: argparse.Namespace, name: str) -> None:
    models = load_models(arguments.model, arguments.models)
    denoiser, networks = models.denoiser[0], models.noise_networks
    names = [manifest.name for manifest in models.noise_manifests]
    rows = []
    for split in ("val", "test"):
        scans = _stacks(read_index(arguments.index, split))
        pairs = study_pairs(scans, QUARTER, arguments.slices)
        for condition, _, pair in _with_bar(pairs, len(scans) * len(QUARTER), name):
            about = {"split": split, "kernel": condition.kernel, "patient": pair.patient}
            rows += [about | row for row in measure_noise_maps(pair, denoiser, networks, names)]
            write_csv(_csv(arguments, name), rows)


def _make_paper_loop(arguments: argparse.Namespace, name: str) -> None:
    models, rows = _shipped(arguments), []
    for split in ("val", "test"):
        scans = read_index(arguments.index, split)
        if split == "test":
            scans = _stacks(scans)
        pairs = study_pairs(scans, QUARTER, arguments.slices)
        for condition, number, pair in _with_bar(pairs, len(scans) * len(QUARTER), name):
            about = {"split": split, "kernel": condition.kernel, "scan": number}
            rows += [about | row for row in measure_paper_loop(pair, *models)]
            write_csv(_csv(arguments, name), rows)


def _make_paper_doses(arguments: argparse.Namespace, name: str) -> None:
    models, rows = _shipped(arguments), []
    scans = read_index(arguments.index, "val")
    pairs = study_pairs(scans, OTHER_DOSES, arguments.slices)
    for condition, number, pair in _with_bar(pairs, len(scans) * len(OTHER_DOSES), name):
        about = {"kernel": condition.kernel, "dose": condition.dose, "scan": number}
        rows.append(about | {"patient": pair.patient} | measure_preset(pair, *models))
        write_csv(_csv(arguments, name), rows)


def _make_neighbours(arguments: argparse.Namespace, name: str) -> None:
    def measure_both(pair: CtPair, models: LoadedModels) -> list[dict]:
        discs = [{"variant": DISC} | row for row in measure_disc(pair, models)]
        return measure_neighbours(pair, models) + discs

    _make_with_neighbours(arguments, name, "test", measure_both)


def _make_strength(arguments: argparse.Namespace, name: str) -> None:
    _make_with_neighbours(arguments, name, "val", measure_strengths)


def _make_with_neighbours(
    arguments: argparse.Namespace,
    name: str,
    split: str,
    measured: Callable[[CtPair, LoadedModels], list[dict]],
) -> None:
    """Measure the consecutive slices in the middle of every scan of a split that has them."""
    models = _with_neighbour_model(arguments)
    scans = [_middle(scan) for scan in _stacks(read_index(arguments.index, split))]
    rows = []
    pairs = study_pairs(scans, QUARTER, SLICES)
    for condition, _, pair in _with_bar(pairs, len(scans) * len(QUARTER), name):
        about = {"kernel": condition.kernel, "patient": pair.patient}
        rows += [about | row for row in measured(pair, models)]
        write_csv(_csv(arguments, name), rows)


def _middle(scan: CtScan) -> CtScan:
    """Return the consecutive slices in the middle of a scan."""
    first = max(0, (len(scan.hu) - SLICES) // 2)
    return replace(scan, hu=scan.hu[first : first + SLICES])


def _make_removed_noise(arguments: argparse.Namespace, name: str) -> None:
    denoiser, _ = _shipped(arguments)
    scans = read_index(arguments.index, "val")
    conditions = [Condition(kernel, dose) for dose in LIGHT_DOSES for kernel in ("soft", "sharp")]
    rows = []
    pairs = study_pairs(scans, conditions, arguments.slices)
    for condition, number, pair in _with_bar(pairs, len(scans) * len(conditions), name):
        about = {"kernel": condition.kernel, "dose": condition.dose}
        about |= {"patient": pair.patient, "scan": number}
        # The method is tuned on stacks only, which takes long.
        tuned = TUNED if len(scans[number].hu) >= LEAST_SLICES else {}
        settings = {"one orientation, not tuned": replace(START, orientations=1)} | tuned
        rows += [about | row for row in removed_noise_rows(pair, denoiser, settings, number)]
        write_csv(_csv(arguments, name), rows)


def _make_whole_scans(arguments: argparse.Namespace, name: str) -> None:
    models = load_models(arguments.model, arguments.models)
    cases = [
        (split, preset, scan)
        for split in index_splits(arguments.index)
        for scan in read_index(arguments.index, split)
        for preset in ("quick", "standard")
        # Tuning takes long. The limits are chosen on `val`.
        if preset == "quick" or (split == "val" and len(scan.hu) >= LEAST_SLICES)
    ]
    rows = []
    for split, preset, scan in _with_bar(cases, len(cases), name):
        about = {"split": split, "preset": preset, "patient": scan.patient}
        rows.append(about | whole_scan_row(scan, models, preset_settings(preset)))
        write_csv(_csv(arguments, name), rows)


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


def _stacks(scans: Sequence[CtScan]) -> list[CtScan]:
    stacks = [scan for scan in scans if len(scan.hu) >= LEAST_SLICES]
    if not stacks:
        raise BadInputError(f"The index lists no scan of {LEAST_SLICES} slices or more. Add one.")
    return stacks


def _shipped(arguments: argparse.Namespace) -> tuple[nn.Module, list[nn.Module]]:
    models = load_models(arguments.model, arguments.models)
    return models.denoiser[0], models.noise_networks


def _with_neighbour_model(arguments: argparse.Namespace) -> LoadedModels:
    models = load_models(arguments.model, arguments.models)
    if models.neighbour_model is None:
        raise BadInputError(
            f"'{arguments.model}' has no neighbour model. Choose a denoiser that has one."
        )
    return models


def _narrow(arguments: argparse.Namespace) -> tuple[nn.Module, list[nn.Module]]:
    return load_denoiser("narrow", arguments.narrow)[0], []


def _with_bar(pairs, total: int, name: str):
    from tqdm import tqdm

    return tqdm(pairs, total=total, desc=name, unit="case", file=sys.stderr)


# --------------------------------------------------------------- printing


def _ingredients_table(rows: list[dict]) -> str:
    rows = sorted(rows, key=lambda row: list(KERNELS).index(row["kernel"]))
    return _by(rows, ("kernel", "variant"), ("Kernel", "Method"))


def _conditions_table(rows: list[dict]) -> str:
    tuned = [row for row in rows if row["variant"] == WITH_METHOD]
    return _by(tuned, ("kernel", "dose"), ("Kernel", "Dose"))


def _by(rows: list[dict], keys: tuple[str, ...], headings: tuple[str, ...]) -> str:
    """Tabulate the means over patients, and the worst scan, for each value of ``keys``."""
    lines = []
    for line, group in grouped(rows, keys):
        line["scans"] = len(group)
        of_patient = [
            [row for row in group if row["patient"] == patient] for patient in _patients(group)
        ]
        line |= {key: _mean(key, of_patient) for key in _KEYS}
        line["worst"] = min(float(row["more"]) for row in group)
        line["worst_target"] = min(float(row["more_target"]) for row in group)
        lines.append(line)
    columns = [
        *(Column(key, heading) for key, heading in zip(keys, headings, strict=True)),
        Column("scans", "Scans", decimals=0),
        *_GAINS,
    ]
    return markdown(lines, columns)


def _patients(rows: list[dict]) -> list[str]:
    return list(dict.fromkeys(row["patient"] for row in rows))


def _mean(key: str, of_patient: list[list[dict]]) -> float:
    """Return the mean over patients of the mean over scans; biases enter as absolute values."""
    sized = abs if key == "hu_bias" else float
    means = [np.mean([sized(float(row[key])) for row in rows]) for rows in of_patient]
    return float(np.mean(means))


def _stopping_table(rows: list[dict]) -> str:
    lines = []
    for key in dict.fromkeys(_curve_key(row) for row in rows):
        curve = [row for row in rows if _curve_key(row) == key]
        start, kernel, patient, _ = key
        gains = {int(row["step"]): float(row["gain"]) for row in curve}
        best = max((step for step in gains if step <= METHOD.steps), key=gains.get)
        (chosen,) = (int(row["step"]) for row in curve if row["chosen"] == "True")
        lines.append(
            {
                "start": start,
                "kernel": kernel,
                "patient": patient,
                "first": gains[0],
                "best": best,
                "best_gain": gains[best],
                "chosen": chosen,
                "lost": gains[best] - gains[chosen],
                "last_gain": gains[max(gains)],
            }
            | risk_accuracy([row for row in curve if int(row["step"]) <= METHOD.steps])
        )
    columns = (
        Column("start", "Denoiser"),
        Column("kernel", "Kernel"),
        Column("patient", "Patient"),
        Column("first", "Gain, step 0 (dB)", signed=True),
        Column("best", f"Best of {METHOD.steps} steps", decimals=0),
        Column("best_gain", "Its gain (dB)", signed=True),
        Column("chosen", "Selected step", decimals=0),
        Column("lost", "Loss by the stop rule (dB)", decimals=3),
        Column("last_gain", "Gain, last step (dB)", signed=True),
        *RISK_COLUMNS,
    )
    return markdown(lines, columns)


def _clean_table(rows: list[dict]) -> str:
    columns = (
        Column("scan", "Scan"),
        Column("steps", "Steps", decimals=0),
        Column("best_step", "Selected step", decimals=0),
        Column("noise_found_hu", "Estimated noise (HU)"),
        Column("start_change_hu", f"Mean change, {NO_TUNING} (HU)"),
        Column("change_hu", "Mean change, method (HU)"),
    )
    numbers = [column.key for column in columns[1:]]
    return markdown([row | {key: float(row[key]) for key in numbers} for row in rows], columns)


def _banding_table(rows: list[dict]) -> str:
    columns = (
        Column("patient", "Patient"),
        Column("variant", "Image"),
        Column("banding_hu", "Banding (HU)", decimals=3),
    )
    return markdown([row | {"banding_hu": float(row["banding_hu"])} for row in rows], columns)


def _noise_maps_table(rows: list[dict]) -> str:
    about = (Column("split", "Split"), Column("kernel", "Kernel"), Column("map", "Map"))
    lines = []
    for line, group in grouped(rows, [column.key for column in about]):
        for column in NOISE_MAP_COLUMNS:
            values = [float(row[column.key]) for row in group if row[column.key] != ""]
            line[column.key] = float(np.mean(values)) if values else None
        lines.append(line)
    return markdown(lines, (*about, *NOISE_MAP_COLUMNS))


def _unseen_table(rows: list[dict]) -> str:
    columns = (
        Column("filter", "Gain, non-local means (dB)", signed=True),
        Column(f"gain {NO_TUNING}", f"Gain, {NO_TUNING} (dB)", signed=True),
        Column(f"gain {WITH_METHOD}", "Gain, method (dB)", signed=True),
        Column(f"hu_bias {WITH_METHOD}", "HU bias, method (HU)", signed=True),
    )
    return _scans_table(rows, columns)


def _strength_table(rows: list[dict]) -> str:
    return _scans_table(rows, STRENGTH_COLUMNS)


def _scans_table(
    rows: list[dict], columns: Sequence[Column], further: Sequence[Column] = ()
) -> str:
    """Tabulate columns of numbers by kernel and patient, and by ``further`` columns of texts."""
    about = (Column("kernel", "Kernel"), Column("patient", "Patient"), *further)
    return markdown(_numbers(rows, columns), (*about, *columns))


def _paper_loop_table(rows: list[dict]) -> str:
    lines = []
    for about, few in grouped(rows, ("split", "kernel")):
        few = [{key: row[key] for key in row if key not in about} for row in few]
        texts = ("method", "patient")
        few = [{k: v if k in texts else float(v) for k, v in row.items()} for row in few]
        lines += [about | line for line in paper_loop_summary(few)]
    return markdown(lines, PAPER_LOOP_COLUMNS)


def _paper_doses_table(rows: list[dict]) -> str:
    return markdown(preset_summary(rows), PRESET_COLUMNS)


def _neighbours_table(rows: list[dict]) -> str:
    gains = [row for row in rows if row["variant"] != DISC]
    discs = [row for row in rows if row["variant"] == DISC]
    return "\n".join(
        [
            _scans_table(gains, NEIGHBOUR_COLUMNS, [_VARIANT]),
            _scans_table(discs, DISC_COLUMNS),
        ]
    )


def _numbers(rows: list[dict], columns: Sequence[Column]) -> list[dict]:
    return [row | {column.key: float(row[column.key]) for column in columns} for row in rows]


def _curve_key(row: dict) -> tuple[str, str, str, str]:
    return row["start"], row["kernel"], row["patient"], row["scan"]


def _plot_stopping(folder: Path, rows: list[dict]) -> None:
    points, series = [], {}
    for row in rows:
        name = ", ".join(_curve_key(row)[:3])
        series[name] = name
        points.append({"step": row["step"], name: row["gain"]})
    label = "PSNR-4096 gain over LDCT (dB)"
    curve_picture(folder / "stopping.png", points, series, y_label=label)


def _csv(arguments: argparse.Namespace, name: str) -> Path:
    return arguments.csv / f"study-{name}.csv"


class Study(NamedTuple):
    """Functions of a study: compute its CSV file, tabulate its rows, and plot them.

    ``fields`` are columns by which the CSV file is recognised.
    """

    make: Callable[[argparse.Namespace, str], None]
    table: Callable[[list[dict]], str]
    fields: tuple[str, ...]
    plot: Callable[[Path, list[dict]], None] | None = None


STUDIES = {
    "ingredients": Study(_make_ingredients, _ingredients_table, ("variant", "gain")),
    "doses": Study(_make_doses, _conditions_table, ("variant", "gain")),
    "unseen": Study(_make_unseen, _unseen_table, ("patient", "filter")),
    "narrow": Study(_make_narrow, _conditions_table, ("variant", "gain")),
    "stopping": Study(_make_stopping, _stopping_table, ("start", "risk_hu2"), _plot_stopping),
    "clean": Study(_make_clean, _clean_table, ("scan", "noise_found_hu")),
    "banding": Study(_make_banding, _banding_table, ("variant", "banding_hu")),
    "noise-maps": Study(_make_noise_maps, _noise_maps_table, ("map", "level_percent")),
    "paper-loop": Study(_make_paper_loop, _paper_loop_table, ("method", "own_noise")),
    "paper-doses": Study(_make_paper_doses, _paper_doses_table, ("dose", "more")),
    "neighbours": Study(_make_neighbours, _neighbours_table, ("variant", "alone")),
    "strength": Study(_make_strength, _strength_table, ("strength", "reduction_percent")),
    "removed-noise": Study(_make_removed_noise, removed_noise_table, ("result", "light")),
    "removed-noise-scans": Study(_make_whole_scans, whole_scans_table, ("preset", "light")),
}
