"""Denoise a low-dose CT scan without a normal-dose reference.

Reads NRRD, NIfTI, MetaImage or a DICOM folder and writes NRRD, NIfTI or MetaImage with the same
geometry, and a JSON report beside it. Research use only; not for primary diagnosis.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import sys
import time
from collections.abc import Sequence
from dataclasses import fields, replace
from pathlib import Path

import numpy as np

from ..ct.io.slice_file import SliceFile
from ..ct.io.volume_files import (
    CtVolume,
    check_output_path,
    check_place,
    check_same_grid,
    read_volume,
    write_volume,
)
from ..ct.pictures import check_picture_path, side_by_side
from ..denoising.device import DEVICES
from ..denoising.job import DenoisedScan, DenoisingJob
from ..denoising.plan import SHORT_SCAN
from ..denoising.progress import Progress
from ..denoising.report import NOTICE, job_report
from ..denoising.settings import DenoisingSettings
from ..duration import duration
from ..errors import BadInputError
from ..models.store import Manifest
from ..temporary_files import in_temporary_folder
from .model_arguments import add_model_arguments, load_models
from .progress_bar import ProgressBar
from .staged_files import StagedFiles, write_together

FLAGS = ("method", "steps", "strength", "device", "seed", "tuning", "orientations")
"""Settings with a flag of their own; the others are set by ``--settings``."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("input", type=Path, help="scan: .nrrd, .nii.gz, .mha or a DICOM folder")
    parser.add_argument("output", type=Path, help="denoised scan: .nrrd, .nii.gz or .mha")
    add_model_arguments(parser)
    default = DenoisingSettings()
    parser.add_argument(
        "--method",
        choices=("pseudo-ct", "pretrained"),
        help=f"tune the network on the scan, or do not (default: {default.method})",
    )
    parser.add_argument("--steps", type=int, help=f"tuning steps (default: {default.steps})")
    parser.add_argument(
        "--strength",
        type=float,
        help=f"0 (the input) to 100 %% (default: {default.strength:g})",
    )
    parser.add_argument("--device", choices=DEVICES, help=f"default: {default.device}")
    parser.add_argument("--seed", type=int, help=f"of all random choices (default: {default.seed})")
    parser.add_argument(
        "--tuning",
        choices=("scan", "slice"),
        help=f"tune once for the scan or anew on each slice (default: {default.tuning})",
    )
    parser.add_argument(
        "--orientations",
        type=int,
        choices=(1, 3, 8),
        help="average over so many flips and quarter turns "
        f"(default: 8, from {SHORT_SCAN + 1} slices of 512×512 on 3)",
    )
    parser.add_argument(
        "--settings",
        type=Path,
        help="JSON file with any setting, or the report of an earlier run to repeat it",
    )
    parser.add_argument("--series", help="number or UID, where a folder holds several series")
    parser.add_argument(
        "--slice-axis", choices=("auto", "i", "j", "k"), default="auto", help="default: auto"
    )
    parser.add_argument("--noise-dir", type=Path, help="folder for noise maps and the pseudo-LDCT")
    parser.add_argument("--reference", type=Path, help="NDCT of the same scan, for metrics")
    parser.add_argument("--report", type=Path, help="JSON report (default: beside the output)")
    parser.add_argument("--picture", type=Path, help="PNG: original, denoised, difference")


def run(arguments: argparse.Namespace) -> None:
    settings = read_settings(arguments)
    output, noise_dir = arguments.output, arguments.noise_dir
    _check_packages(arguments)
    check_output_path(output)
    report_path = arguments.report or output.with_name(_stem(output) + ".json")
    check_place(report_path)
    if arguments.picture:
        check_picture_path(arguments.picture)
    if noise_dir is not None:
        if noise_dir.is_file():
            raise BadInputError(f"{noise_dir} is a file: name a folder for the noise maps.")
        check_place(noise_dir / "noise" if noise_dir.is_dir() else noise_dir)
    volume = read_volume(arguments.input, series=arguments.series, slice_axis=arguments.slice_axis)
    check_output_path(output, volume)
    reference = _read_reference(arguments.reference, volume, arguments.slice_axis)
    (denoiser, manifest), noise_models = load_models(arguments)
    manifests = [manifest for _, manifest in noise_models]
    noise_paths = _noise_paths(noise_dir, manifests)
    _check_apart(
        [p for p in (output, report_path, arguments.picture, *noise_paths) if p],
        [p for p in (arguments.input, arguments.reference) if p],
    )
    if arguments.settings:
        _compare_models(arguments.settings, [manifest, *manifests])

    job = DenoisingJob(
        volume.hu,
        denoiser,
        [network for network, _ in noise_models],
        settings,
        pixel_mm=volume.pixel_mm,
        want_noise=noise_dir is not None,
    )
    plan = job.estimate()
    print(
        f"{volume.name}: {len(volume.hu)} slices of {volume.hu.shape[1]}×{volume.hu.shape[2]}, "
        f"about {duration(sum(plan.values()))} on {job.device.description} "
        f"({job.device.reason}).",
        file=sys.stderr,
    )
    started = time.monotonic()
    # Results of a long scan do not fit into memory together: they wait here to be written.
    place = noise_dir or output
    room = place if place.is_dir() else place.parent

    def denoise_in(folder: Path) -> dict:
        job.new_array = lambda name, shape: SliceFile(folder / f"{name}.npy", shape)
        with ProgressBar() as bar:
            job.progress = _JobProgress(bar)
            result = job.run(plan)
        return write_together(lambda staged: write_results(staged, result))

    def write_results(staged: StagedFiles, result: DenoisedScan) -> dict:
        if noise_dir is not None:
            staged.folder(noise_dir)
            _write_noise(staged, noise_paths, result, volume)
        result = replace(result, hu=result.hu.read())
        write_volume(staged.path(output), result.hu, volume, note=NOTICE)
        report = {"input": arguments.input.resolve().name, "output": output.name}
        report |= job_report(volume.hu, result, manifest, manifests, reference)
        if arguments.picture:
            _draw(staged.path(arguments.picture), volume, result, reference)
        text = json.dumps(report, indent=2, ensure_ascii=False) + "\n"
        # Names of files may hold bytes that are no UTF-8; JSON can escape them.
        staged.path(report_path).write_text(text, encoding="utf-8", errors="backslashreplace")
        return report

    report = in_temporary_folder(room, ".denoising-", denoise_in)
    noise = report["noise"]
    if noise:
        change = f"{-noise['reduction_percent']:+.0f}".replace("-", "−")
        print(
            f"Noise in soft tissue {noise['soft_tissue_before_hu']:.1f} HU → "
            f"{noise['soft_tissue_after_hu']:.1f} HU ({change} %)."
        )
    print(f"Written in {duration(time.monotonic() - started)}: {output} (research use only).")


def _check_packages(arguments: argparse.Namespace) -> None:
    """Refuse an option whose package is missing before anything is computed."""
    needed = {"--picture": ("matplotlib", arguments.picture)}
    needed["--reference"] = ("skimage", arguments.reference)
    for option, (package, wanted) in needed.items():
        if wanted and not _is_installed(package):
            raise BadInputError(
                f"{option} needs the package {package}. Install it: "
                "pip install 'pseudoctdenoise[tools]'."
            )


def _is_installed(package: str) -> bool:
    try:
        return importlib.util.find_spec(package) is not None
    except ValueError:  # its import is blocked
        return False


def read_settings(arguments: argparse.Namespace) -> DenoisingSettings:
    """The defaults, changed by ``--settings``, changed by the flags.

    Raises
    ------
    BadInputError
        If the file is no JSON, or a setting is unknown or out of range.
    """
    values = {}
    if arguments.settings:
        values = _read_json(arguments.settings)
        values = values.get("settings", values)
        known = [field.name for field in fields(DenoisingSettings)]
        if not isinstance(values, dict):
            raise BadInputError(f"{arguments.settings} holds no settings by name.")
        if unknown := values.keys() - set(known):
            raise BadInputError(
                f"{arguments.settings} holds the unknown setting '{min(unknown)}': "
                f"known are {', '.join(known)}."
            )
    flags = {name: getattr(arguments, name) for name in FLAGS}
    values = values | {name: value for name, value in flags.items() if value is not None}
    return replace(DenoisingSettings(), **values)


def _read_json(path: Path) -> dict:
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise BadInputError(f"Cannot read the settings {path}: {error.strerror}.") from error
    except (ValueError, RecursionError) as error:
        raise BadInputError(f"{path} is no JSON in UTF-8: give settings or a report.") from error
    if not isinstance(values, dict):
        raise BadInputError(f"{path} holds no settings by name.")
    return values


def _compare_models(path: Path, manifests: Sequence[Manifest]) -> None:
    """Say so if a report that is to be repeated was made with other weights."""
    report = _read_json(path)
    try:
        weights = [one["sha256"] for one in (report["model"], *report["noise_models"])]
    except (KeyError, TypeError):  # settings alone
        return
    if weights != [manifest.sha256 for manifest in manifests]:
        print(
            f"Note: {path} was made with other models, '{report['model'].get('name')}' and "
            f"{len(weights) - 1} noise models; the result will differ.",
            file=sys.stderr,
        )


class _JobProgress:
    """Shows a job's reports as a :class:`.ProgressBar`."""

    def __init__(self, bar: ProgressBar):
        self._bar = bar
        self._started = time.monotonic()

    def __call__(self, report: Progress) -> None:
        spent = time.monotonic() - self._started
        share = spent / (spent + report.seconds_left) if spent else 0.0
        stage = f"{report.stage} {report.step}/{report.total}"
        self._bar.show(share, stage, f"{duration(report.seconds_left)} left")


def _noise_paths(folder: Path | None, noise_models: Sequence[Manifest]) -> list[Path]:
    """Files of the ensemble, the pseudo-LDCT and each noise model's map."""
    if folder is None:
        return []
    names = ["noise_ensemble", "pseudo_ldct", *(f"noise_{model.name}" for model in noise_models)]
    return [folder / f"{name}.nrrd" for name in names]


def _write_noise(
    staged: StagedFiles, paths: Sequence[Path], result: DenoisedScan, like: CtVolume
) -> None:
    """Write what describes the noise, one image at a time; what is written waits no longer."""
    images = [result.noise, result.pseudo_ldct, *result.noise_maps]
    for path, slices in zip(paths, images, strict=True):
        write_volume(staged.path(path), slices.read(), like, note=NOTICE)
        slices.path.unlink()


def _draw(path: Path, volume: CtVolume, result: DenoisedScan, reference) -> None:
    side_by_side(
        path,
        volume.hu,
        result.hu,
        reference=reference,
        pixel_mm=volume.pixel_size[0],
        title=volume.name,
    )


def _read_reference(path: Path | None, volume: CtVolume, slice_axis: str) -> np.ndarray | None:
    if path is None:
        return None
    reference = read_volume(path, slice_axis=slice_axis)
    check_same_grid(volume, reference)
    return reference.hu


def _check_apart(outputs: Sequence[Path], inputs: Sequence[Path]) -> None:
    """Refuse to write over an input, or two outputs into one file."""
    for number, path in enumerate(outputs):
        if any(_same_file(path, other) for other in inputs):
            raise BadInputError(f"{path} is an input: choose another name for the output.")
        if any(_same_file(path, other) for other in outputs[:number]):
            raise BadInputError(f"Two results would be written to {path}: choose another name.")


def _same_file(one: Path, other: Path) -> bool:
    if one.exists() and other.exists():
        return one.samefile(other)
    return one.resolve() == other.resolve()


def _stem(path: Path) -> str:
    return path.name.removesuffix(".gz").rpartition(".")[0]
