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
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from torch import nn

from ..ct.comparison_figure import check_png_path, side_by_side
from ..ct.io.derived_note import DERIVED
from ..ct.io.slice_file import SliceFile
from ..ct.io.volume_files import (
    CtVolume,
    check_output_path,
    check_same_grid,
    check_writable,
    read_volume,
    write_volume,
)
from ..denoising.denoised_scan import DenoisedScan
from ..denoising.job import DenoisingJob
from ..denoising.plan import SHORT_SCAN, JobPlan
from ..denoising.progress import Progress
from ..denoising.removed_noise import removed_noise_sentence
from ..denoising.report import NOTICE, job_report
from ..denoising.settings import DenoisingSettings, settings_from_values
from ..duration import duration
from ..errors import BadInputError
from ..models.store import Manifest, load_models
from ..temporary_files import in_temporary_folder
from .device_argument import add_device_argument
from .input_warnings import print_warnings
from .model_arguments import add_model_arguments
from .optional_packages import INSTALL_COMMANDS
from .progress_bar import ProgressBar
from .staged_files import StagedFiles, write_together

FLAGS = ("method", "steps", "strength", "device", "seed", "tuning", "orientations")
"""Settings that have a flag; ``--settings`` sets the others."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "input", type=Path, help="scan to denoise: .nrrd, .nii.gz, .mha or a DICOM folder"
    )
    parser.add_argument("output", type=Path, help="denoised scan: .nrrd, .nii.gz or .mha")
    add_model_arguments(parser)
    default = DenoisingSettings()
    parser.add_argument(
        "--method",
        choices=("pseudo-ct", "pretrained"),
        help="pseudo-ct fine-tunes the network on the scan; pretrained applies it unchanged "
        f"(default: {default.method})",
    )
    parser.add_argument(
        "--steps", type=int, help=f"maximum number of fine-tuning steps (default: {default.steps})"
    )
    parser.add_argument(
        "--strength",
        type=float,
        help="strength of the denoising in percent, from 0 (the input, rounded to whole HU) to 100 "
        f"(the network's output; default: {default.strength:g})",
    )
    add_device_argument(parser, default=None)
    parser.add_argument(
        "--seed", type=int, help=f"seed of the random numbers (default: {default.seed})"
    )
    parser.add_argument(
        "--tuning",
        choices=("scan", "slice"),
        help="fine-tune once, on slices spread over the scan, or separately on each slice "
        f"(default: {default.tuning})",
    )
    parser.add_argument(
        "--orientations",
        type=int,
        choices=(1, 3, 8),
        help="number of flips and rotations by 90 degrees to average "
        f"(default: 8; 3 for {SHORT_SCAN + 1} or more slices of 512×512)",
    )
    parser.add_argument(
        "--settings",
        type=Path,
        help="JSON file of settings, or the report of an earlier run to repeat that run",
    )
    parser.add_argument(
        "--series",
        help="number or UID of the DICOM series, or NUMBER.1, NUMBER.2 … if it holds several "
        "stacks; needed if the folder contains several",
    )
    parser.add_argument(
        "--slice-axis",
        choices=("auto", "i", "j", "k"),
        default="auto",
        help="array axis along which axial slices are stacked (default: auto)",
    )
    parser.add_argument(
        "--noise-dir", type=Path, help="folder to write the noise maps and the pseudo-LDCT to"
    )
    parser.add_argument(
        "--reference", type=Path, help="normal-dose CT of the same scan, for image metrics"
    )
    parser.add_argument(
        "--report",
        type=Path,
        help="JSON report to write; replaces only an earlier report (default: beside the output)",
    )
    parser.add_argument(
        "--picture", type=Path, help="PNG to write: original, denoised and difference side by side"
    )


def run(arguments: argparse.Namespace) -> None:
    """Denoise a scan: check the arguments, read, plan, denoise and write."""
    settings = read_settings(arguments)
    _check_packages(arguments)
    outputs = _check_outputs(arguments)
    inputs = _read_inputs(arguments, outputs)
    job = DenoisingJob(
        inputs.volume.hu,
        inputs.denoiser,
        [network for network, _ in inputs.noise_models],
        settings,
        pixel_mm=inputs.volume.pixel_mm,
        want_noise=outputs.noise_folder is not None,
        domain=inputs.manifest.domain,
    )
    plan = job.estimate()
    _print_plan(inputs.volume, job, plan)
    started = time.monotonic()

    def denoise_and_write(folder: Path) -> dict:
        with ProgressBar() as bar:
            result = job.run(
                plan,
                progress=_JobProgress(bar),
                new_array=lambda name, shape: SliceFile(folder / f"{name}.npy", shape),
            )
        return write_together(lambda staged: _write_results(staged, result, inputs, outputs))

    # The results of a long scan do not fit into memory together. They are kept in files until
    # they are written.
    report = in_temporary_folder(outputs.temporary_parent, ".denoising-", denoise_and_write)
    known = {*inputs.volume.warnings, *job.warnings}
    print_warnings(warning for warning in report["warnings"] if warning not in known)
    _print_summary(report, outputs.volume, time.monotonic() - started)


@dataclass(frozen=True)
class _Outputs:
    """Paths of the files that a run writes. A path is None if the file was not requested."""

    volume: Path
    report: Path
    picture: Path | None
    noise_folder: Path | None

    def noise_files(self, noise_models: Sequence[Manifest]) -> list[Path]:
        """Return the files of the ensemble, the pseudo-LDCT and the map of each noise model."""
        if self.noise_folder is None:
            return []
        maps = (f"noise_{model.name}" for model in noise_models)
        names = ["noise_ensemble", "pseudo_ldct", *maps]
        return [self.noise_folder / f"{name}.nrrd" for name in names]

    @property
    def temporary_parent(self) -> Path:
        """Existing folder in which the temporary folder of the run is created."""
        path = self.noise_folder or self.volume
        return path if path.is_dir() else path.parent


@dataclass(frozen=True)
class _Inputs:
    """Scan, reference and networks of a run, read and checked."""

    name: str
    volume: CtVolume
    reference: np.ndarray | None
    denoiser: nn.Module
    manifest: Manifest
    noise_models: list[tuple[nn.Module, Manifest]]

    @property
    def noise_manifests(self) -> list[Manifest]:
        return [manifest for _, manifest in self.noise_models]


def _check_outputs(arguments: argparse.Namespace) -> _Outputs:
    """Return the output paths, after a check that each of them can be written."""
    output, noise_folder = arguments.output, arguments.noise_dir
    check_output_path(output)
    report = arguments.report or output.with_name(_stem(output) + ".json")
    check_writable(report)
    _check_replaces_only_a_report(report)
    if arguments.picture:
        check_png_path(arguments.picture)
    if noise_folder is not None:
        if noise_folder.is_file():
            raise BadInputError(f"{noise_folder} is a file: choose a folder for the noise maps.")
        check_writable(noise_folder / "noise" if noise_folder.is_dir() else noise_folder)
    return _Outputs(output, report, arguments.picture, noise_folder)


def _read_inputs(arguments: argparse.Namespace, outputs: _Outputs) -> _Inputs:
    """Read scan, reference and models, and check them against the outputs."""
    volume = read_volume(arguments.input, series=arguments.series, slice_axis=arguments.slice_axis)
    print_warnings(volume.warnings)
    check_output_path(outputs.volume, volume)
    reference = _read_reference(arguments.reference, volume, arguments.slice_axis)
    (denoiser, manifest), noise_models = load_models(arguments.model, arguments.models)
    name = arguments.input.resolve().name
    inputs = _Inputs(name, volume, reference, denoiser, manifest, noise_models)
    noise_files = outputs.noise_files(inputs.noise_manifests)
    _check_no_overwriting(
        [p for p in (outputs.volume, outputs.report, outputs.picture, *noise_files) if p],
        [p for p in (arguments.input, arguments.reference) if p],
    )
    if arguments.settings:
        _compare_models(arguments.settings, [manifest, *inputs.noise_manifests])
    return inputs


def _print_plan(volume: CtVolume, job: DenoisingJob, plan: JobPlan) -> None:
    slices, rows, columns = volume.hu.shape
    print(
        f"{volume.name}: {slices} slices of {rows}×{columns}, "
        f"about {duration(plan.total_seconds)} on {job.device.description} "
        f"({job.device.reason}).",
        file=sys.stderr,
    )
    print_warnings(job.warnings)


def _write_results(
    staged: StagedFiles, result: DenoisedScan, inputs: _Inputs, outputs: _Outputs
) -> dict:
    """Write all files of a run; return the report."""
    volume, noise_manifests = inputs.volume, inputs.noise_manifests
    if outputs.noise_folder is not None:
        staged.folder(outputs.noise_folder)
        _write_noise(staged, outputs.noise_files(noise_manifests), result, volume)
    result = replace(result, hu=result.hu.read())
    write_volume(staged.path(outputs.volume), result.hu, volume, note=NOTICE)
    report = {"input": inputs.name, "output": outputs.volume.name}
    report |= {"dicom": volume.uids or None}
    report |= job_report(volume.hu, result, inputs.manifest, noise_manifests, inputs.reference)
    report["warnings"] = [*volume.warnings, *report["warnings"]]
    if outputs.picture:
        side_by_side(
            staged.path(outputs.picture),
            volume.hu,
            result.hu,
            reference=inputs.reference,
            pixel_mm=volume.pixel_size[0],
            title=volume.name,
        )
    text = json.dumps(report, indent=2, ensure_ascii=False) + "\n"
    # File names may contain bytes that are not UTF-8; JSON can escape them.
    staged.path(outputs.report).write_text(text, encoding="utf-8", errors="backslashreplace")
    return report


def _print_summary(report: dict, output: Path, seconds: float) -> None:
    noise = report["noise"]
    if noise:
        change = f"{-noise['reduction_percent']:+.0f}".replace("-", "−")
        print(
            "Noise in soft tissue (comparable between scans only): "
            f"{noise['soft_tissue_before_hu']:.1f} HU → {noise['soft_tissue_after_hu']:.1f} HU "
            f"({change} %)."
        )
    check = report["removed_noise"]
    print(f"Check: {check['light']}. {removed_noise_sentence(check)}")
    print(f"Done in {duration(seconds)}: {output} (research use only).")


def _check_packages(arguments: argparse.Namespace) -> None:
    """Raise BadInputError for an option whose package is missing, before the computation."""
    needed = {"--picture": ("matplotlib", arguments.picture)}
    needed["--reference"] = ("skimage", arguments.reference)
    for option, (package, wanted) in needed.items():
        if wanted and not _is_installed(package):
            raise BadInputError(
                f"{option} needs the package {package}. Install it: {INSTALL_COMMANDS[package]}."
            )


def _is_installed(package: str) -> bool:
    try:
        return importlib.util.find_spec(package) is not None
    except ValueError:  # its import is blocked
        return False


def read_settings(arguments: argparse.Namespace) -> DenoisingSettings:
    """Return the settings: the defaults, then ``--settings``, then the flags; the last one wins.

    Raises
    ------
    BadInputError
        If the file is not JSON, or a setting is unknown or out of range.
    """
    settings = DenoisingSettings()
    if arguments.settings:
        values = _read_json(arguments.settings)
        values = values.get("settings", values)
        if not isinstance(values, dict):
            raise BadInputError(
                f"{arguments.settings} does not contain settings by name: give a JSON object."
            )
        try:
            settings = settings_from_values(values)
        except BadInputError as error:
            raise BadInputError(f"{arguments.settings}: {error}") from error
    flags = {name: getattr(arguments, name) for name in FLAGS}
    return replace(settings, **{name: flags[name] for name in FLAGS if flags[name] is not None})


def _read_json(path: Path) -> dict:
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise BadInputError(f"Cannot read the settings {path}: {error.strerror}.") from error
    except (ValueError, RecursionError) as error:
        raise BadInputError(f"{path} is not JSON in UTF-8: give settings or a report.") from error
    if not isinstance(values, dict):
        raise BadInputError(f"{path} does not contain settings by name: give a JSON object.")
    return values


def _compare_models(path: Path, manifests: Sequence[Manifest]) -> None:
    """Print a note if the report to be repeated was made with other weights."""
    report = _read_json(path)
    try:
        models = (report["model"], *report["noise_models"])
        weights = [model["sha256"] for model in models]
    except (KeyError, TypeError):  # the file holds only settings
        return
    if weights != [manifest.sha256 for manifest in manifests]:
        print(
            f"Note: {path} was made with other models, '{report['model'].get('name')}' and "
            f"{len(weights) - 1} noise models, so the result will differ. To reproduce it, pass "
            "the original models with --models.",
            file=sys.stderr,
        )


class _JobProgress:
    """Progress callback that shows a job's reports on a :class:`.ProgressBar`."""

    def __init__(self, bar: ProgressBar):
        self._bar = bar
        self._started = time.monotonic()

    def __call__(self, report: Progress) -> None:
        spent = time.monotonic() - self._started
        share = spent / (spent + report.seconds_left) if spent else 0.0
        stage = f"{report.stage} {report.step}/{report.total}"
        self._bar.show(share, stage, f"{duration(report.seconds_left)} left")


def _write_noise(
    staged: StagedFiles, paths: Sequence[Path], result: DenoisedScan, like: CtVolume
) -> None:
    """Write the images of the noise one by one and delete each temporary file afterwards."""
    images = [result.noise, result.pseudo_ldct, *result.noise_maps]
    for path, slices in zip(paths, images, strict=True):
        write_volume(staged.path(path), slices.read(), like, note=NOTICE)
        slices.path.unlink()


def _read_reference(path: Path | None, volume: CtVolume, slice_axis: str) -> np.ndarray | None:
    if path is None:
        return None
    reference = read_volume(path, slice_axis=slice_axis)
    check_same_grid(volume, reference)
    return reference.hu


def _check_no_overwriting(outputs: Sequence[Path], inputs: Sequence[Path]) -> None:
    """Check that no output would replace an input or another output.

    Raises
    ------
    BadInputError
        If an output is also an input, or two outputs are the same file.
    """
    for number, path in enumerate(outputs):
        if any(_same_file(path, other) for other in inputs):
            raise BadInputError(f"{path} is an input: choose another name for the output.")
        if any(_same_file(path, other) for other in outputs[:number]):
            raise BadInputError(f"Two results would be written to {path}: choose another name.")


def _check_replaces_only_a_report(path: Path) -> None:
    """Check that a file in the place of the report is empty or an earlier report.

    Converters from DICOM write a JSON file of their own beside the scan.

    Raises
    ------
    BadInputError
        If it is another file.
    """
    if not path.exists() or path.stat().st_size == 0:
        return
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
        ours = str(values["notice"]).startswith(DERIVED)
    except (OSError, ValueError, RecursionError, KeyError, TypeError):
        ours = False
    if not ours:
        raise BadInputError(
            f"{path} exists and is not a report of pseudoct, so it is kept: give another name for "
            "the report with --report."
        )


def _same_file(path: Path, other: Path) -> bool:
    if path.exists() and other.exists():
        return path.samefile(other)
    return path.resolve() == other.resolve()


def _stem(path: Path) -> str:
    return path.name.removesuffix(".gz").rpartition(".")[0]
