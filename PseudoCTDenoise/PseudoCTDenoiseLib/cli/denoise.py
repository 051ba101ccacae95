"""Denoise a low-dose CT scan without a normal-dose reference.

Reads NRRD, NIfTI, MetaImage or a DICOM folder and writes NRRD, NIfTI or MetaImage with the same
geometry, or a derived DICOM series of a DICOM scan, and a JSON report beside it. Research use only;
not for primary diagnosis.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from .. import __version__
from ..ct.comparison_figure import check_png_path, side_by_side
from ..ct.io.derived_kinds import DENOISED, DerivedKind
from ..ct.io.derived_note import RESEARCH_USE, derivation_note
from ..ct.io.dicom_derivation import DerivedSeries
from ..ct.io.dicom_writer import check_source
from ..ct.io.slice_file import SliceFile
from ..ct.io.volume_files import (
    CtVolume,
    check_output_path,
    in_viewer_order,
    write_volume,
)
from ..ct.pixel_spacing import pixel_shape_warning
from ..ct.pseudo_ldct import pseudo_ldct
from ..denoising.denoised_scan import DenoisedScan
from ..denoising.job import DenoisingJob
from ..denoising.map_choice import ALL_MAPS, NO_MAPS, need_noise_models
from ..denoising.plan import JobPlan
from ..denoising.progress import Progress
from ..denoising.removed_noise import removed_noise_sentence
from ..denoising.repetition import model_differences
from ..denoising.report import job_report, model_identities
from ..denoising.settings import (
    DenoisingSettings,
)
from ..duration import duration
from ..errors import BadInputError, printable
from ..input_file import read_json
from ..json_text import json_text
from ..models.store import LoadedModels, Manifest, load_models, model_files
from ..number_text import with_minus_sign
from ..output_paths import check_writable
from ..printed_words import CHECK, print_warnings
from ..temporary_files import in_temporary_folder, replace_file
from .dicom_output import check_dicom_folder, is_dicom_output, noise_kinds, write_dicom
from .optional_packages import INSTALL_COMMANDS
from .output_guard import CheckedFiles, Output, add_overwrite_argument, check_outputs
from .progress_bar import ProgressBar
from .reference_scan import read_reference
from .result_report import (
    check_report_is_free,
    described_files,
    older_reports,
    report_beside,
)
from .scan_arguments import add_scan_arguments, add_series_argument, read_scan
from .setting_arguments import add_setting_arguments, read_settings
from .side_outputs import SideOutputs
from .staged_files import StagedFiles, write_together


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "input", type=Path, help="scan to denoise: .nrrd, .nii.gz, .mha or a DICOM folder"
    )
    parser.add_argument(
        "output",
        type=Path,
        help="denoised scan: .nrrd, .nii.gz or .mha, or a new or empty folder for a DICOM series",
    )
    parser.add_argument(
        "--format",
        choices=("dicom",),
        help="write a DICOM series, also to a new folder whose name has a suffix",
    )
    add_setting_arguments(parser)
    add_scan_arguments(parser)
    parser.add_argument(
        "--noise-dir",
        type=Path,
        help="folder to write the noise maps and the pseudo-LDCT to, as files or as DICOM series",
    )
    parser.add_argument(
        "--reference", type=Path, help="normal-dose CT of the same scan, for image metrics"
    )
    add_series_argument(parser, "--reference-series", "the reference")
    parser.add_argument(
        "--report", type=Path, help="JSON report to write (default: beside the output)"
    )
    parser.add_argument(
        "--picture", type=Path, help="PNG to write: original, denoised and difference side by side"
    )
    add_overwrite_argument(parser)


@dataclass(frozen=True)
class DenoisedFile:
    """A scan that was denoised and written.

    Attributes
    ----------
    exit_code : DONE, or INCOMPLETE if a file beside the result is missing.
    before, after : the scan and its result, (slices, rows, columns) int16 HU, see
        :func:`.in_viewer_order`.
    report : values of the JSON report; empty if it could not be made.
    """

    exit_code: int
    before: np.ndarray
    after: np.ndarray
    report: dict


def run(arguments: argparse.Namespace) -> int:
    """Denoise a scan and return the exit code."""
    return denoise(arguments, read_settings(arguments)).exit_code


def denoise(
    arguments: argparse.Namespace,
    settings: DenoisingSettings,
    check_scan: Callable[[CtVolume], None] = lambda volume: None,
    final_path: Path | None = None,
) -> DenoisedFile:
    """Denoise a scan: check the arguments, read, plan, denoise and write.

    ``check_scan`` may refuse the scan with BadInputError. ``final_path`` is the path to which the
    caller moves the result, which the report states.

    Raises
    ------
    BadInputError
        If an argument or the scan is refused, or the result cannot be written.
    """
    _check_packages(arguments)
    outputs = _writable_outputs(arguments)
    maps = NO_MAPS if outputs.noise_folder is None else ALL_MAPS
    models = load_models(arguments.model, arguments.models, need_noise_models(maps, settings))
    checked = _check_outputs(arguments, outputs, models.noise_manifests)
    inputs = _read_inputs(arguments, outputs, models, keep_values=settings.strength == 0)
    if arguments.settings:
        _note_other_models(arguments.settings, models, settings)
    check_scan(inputs.volume)
    job = DenoisingJob(
        inputs.volume.hu,
        models.denoiser[0],
        models.noise_networks,
        settings,
        pixel_mm=inputs.volume.pixel_mm,
        maps=maps,
        domain=models.denoiser[1].domain,
    )
    plan = job.estimate()
    _print_plan(inputs, job, plan)
    started = time.monotonic()

    def denoise_and_write(folder: Path) -> DenoisedScan:
        with ProgressBar() as bar:
            result = job.run(
                plan,
                progress=_JobProgress(bar),
                new_array=lambda name, shape: SliceFile(folder / f"{name}.npy", shape),
            )
        return write_together(
            lambda staged: _write_volumes(staged, result, inputs, outputs), checked
        )

    # The results of a long scan do not fit into memory together. They are kept in files until
    # they are written.
    result = in_temporary_folder(outputs.temporary_parent, denoise_and_write)
    side_outputs = SideOutputs()
    report = _write_report(side_outputs, result, inputs, outputs, final_path or outputs.volume)
    _write_picture(side_outputs, result, inputs, outputs)
    known = {*inputs.volume.warnings, *job.warnings}
    print_warnings(warning for warning in result.warnings if warning not in known)
    _print_summary(report, outputs.volume, time.monotonic() - started)
    before, after = (in_viewer_order(hu, inputs.volume) for hu in (inputs.volume.hu, result.hu))
    return DenoisedFile(side_outputs.exit_code, before, after, report)


@dataclass(frozen=True)
class _Outputs:
    """Paths of the files that a run writes. A path is None if the file was not requested.

    If ``dicom`` is True, the volume and each image of the noise are folders of DICOM slices.
    """

    volume: Path
    dicom: bool
    report: Path
    picture: Path | None
    noise_folder: Path | None

    def noise_files(self, noise_models: Sequence[Manifest]) -> list[Path]:
        """Return the files of the ensemble, the pseudo-LDCT and the map of each noise model."""
        if self.noise_folder is None:
            return []
        maps = (f"noise_{model.name}" for model in noise_models)
        names = ["noise_ensemble", "pseudo_ldct", *maps]
        suffix = "" if self.dicom else ".nrrd"
        return [self.noise_folder / f"{name}{suffix}" for name in names]

    @property
    def temporary_parent(self) -> Path:
        """Existing folder in which the temporary folder of the run is created."""
        path = self.noise_folder or self.volume
        return path if path.is_dir() else path.parent


@dataclass(frozen=True)
class _Inputs:
    """Scan, reference and networks of a run, read and checked."""

    arguments: argparse.Namespace
    volume: CtVolume
    reference: CtVolume | None
    models: LoadedModels


def _writable_outputs(arguments: argparse.Namespace) -> _Outputs:
    """Return the output paths, after a check that each of them can be written."""
    output, noise_folder = arguments.output, arguments.noise_dir
    dicom = arguments.format == "dicom" or is_dicom_output(output)
    if dicom:
        output = Path(os.path.abspath(output))  # "." has no name for the report
        check_dicom_folder(output, arguments.input)
        check_writable(output / "0001.dcm" if os.path.isdir(output) else output)
    else:
        check_output_path(output)
    report = arguments.report or report_beside(output, dicom)
    check_writable(report)
    if arguments.picture:
        check_png_path(arguments.picture)
    if noise_folder is not None:
        if noise_folder.is_file():
            raise BadInputError(f"{noise_folder} is a file: choose a folder for the noise maps.")
        check_writable(noise_folder / "noise" if noise_folder.is_dir() else noise_folder)
    return _Outputs(output, dicom, report, arguments.picture, noise_folder)


def _check_outputs(
    arguments: argparse.Namespace, outputs: _Outputs, noise_models: Sequence[Manifest]
) -> CheckedFiles:
    """Check that no output replaces an input or a file of another program."""
    # Converters from DICOM write a JSON file of their own beside the scan.
    advice = "" if arguments.report else "give another name for the report with --report"
    noise_files = outputs.noise_files(noise_models)
    if outputs.dicom:
        for folder in noise_files:
            check_dicom_folder(folder, arguments.input, outputs.volume)
    checked = check_outputs(
        [
            *filter(None, [outputs.volume, outputs.picture, *noise_files]),
            Output(outputs.report, advice=advice),
        ],
        [
            *(arguments.input, arguments.reference, arguments.settings),
            *model_files(arguments.models),
        ],
        overwrite=arguments.overwrite,
    )
    if not arguments.overwrite:
        check_report_is_free(outputs.report, outputs.volume)
    return checked


def _read_inputs(
    arguments: argparse.Namespace,
    outputs: _Outputs,
    models: LoadedModels,
    keep_values: bool,
) -> _Inputs:
    """Read scan and reference, and check them against the outputs."""
    volume = read_scan(
        arguments.input,
        arguments,
        series=arguments.series,
        positions_kept=outputs.dicom,
        keep_values=keep_values and not outputs.dicom,
    )
    shape = pixel_shape_warning(volume.pixel_size)
    volume = replace(volume, warnings=(*volume.warnings, *filter(None, [shape])))
    if outputs.dicom:
        check_source(volume.dicom_slices, arguments.input.name)
    else:
        check_output_path(outputs.volume, volume)
    return _Inputs(arguments, volume, read_reference(arguments, volume), models)


def _input_warnings(inputs: _Inputs) -> tuple[str, ...]:
    """Return the warnings about the scan and about the reference."""
    return (*inputs.volume.warnings, *(inputs.reference.warnings if inputs.reference else ()))


def _print_plan(inputs: _Inputs, job: DenoisingJob, plan: JobPlan) -> None:
    volume = inputs.volume
    slices, rows, columns = volume.hu.shape
    print(
        f"{printable(volume.name)}: {slices} slices of {rows}×{columns}, "
        f"about {duration(plan.total_seconds)} on {job.device.description} "
        f"({job.device.reason}).",
        file=sys.stderr,
    )
    print_warnings([*_input_warnings(inputs), *job.warnings])


def _write_volumes(
    staged: StagedFiles, result: DenoisedScan, inputs: _Inputs, outputs: _Outputs
) -> DenoisedScan:
    """Write all volumes of a run; return the result with the denoised scan in memory."""
    volume = inputs.volume

    def write_image(path: Path, hu: np.ndarray, kind: DerivedKind) -> None:
        if outputs.dicom:
            model = kind.noise_model or inputs.models.denoiser[1].name
            # The noise does not depend on the strength.
            strength = result.settings.strength if kind == DENOISED else None
            note = derivation_note(kind.note, __version__, model, strength)
            write_dicom(staged, path, hu, volume, DerivedSeries(kind, note))
        else:
            write_volume(staged.path(path), hu, volume, note=f"{kind.note}. {RESEARCH_USE}")

    if outputs.noise_folder is not None:
        staged.folder(outputs.noise_folder)
        paths = outputs.noise_files(inputs.models.noise_manifests)
        kinds = noise_kinds([manifest.name for manifest in inputs.models.noise_manifests])
        write_image(paths.pop(1), pseudo_ldct(volume.hu, result.noise), kinds.pop(1))
        images = [result.noise, *result.noise_maps]
        for path, kind, slices in zip(paths, kinds, images, strict=True):
            write_image(path, slices.read(), kind)
            slices.path.unlink()  # the results of a long scan do not fit on the disk twice
    result = replace(result, hu=result.hu.read())
    # At strength 0 the values of the input are written, which may have fractions.
    values = result.hu if volume.values is None else volume.values
    write_image(outputs.volume, values, DENOISED)
    others = older_reports(outputs.volume, outputs.report, inputs.arguments.settings)
    for path in filter(None, (outputs.report, outputs.picture, *others)):
        staged.retire(path)
    return result


def _write_report(
    side_outputs: SideOutputs,
    result: DenoisedScan,
    inputs: _Inputs,
    outputs: _Outputs,
    final_path: Path,
) -> dict:
    """Write the report of a run and return it; return an empty one if it cannot be made."""
    volume, models, report = inputs.volume, inputs.models, {}
    with side_outputs.writing(outputs.report):
        values = job_report(
            volume.hu,
            result,
            models.denoiser[1],
            models.noise_manifests,
            inputs.reference and inputs.reference.hu,
            volume.slice_labels,
        )
        values["warnings"] = [*_input_warnings(inputs), *values["warnings"]]
        report = described_files(inputs.arguments, volume, inputs.reference, final_path, result.hu)
        report |= {"dicom": volume.uids or None}
        report |= {"uneven_slice_offsets_mm": list(volume.slice_offsets) or None}
        report |= values
        text = json_text(report, indent=2, ensure_ascii=False) + "\n"
        # File names may contain bytes that are not UTF-8; JSON can escape them.
        path = side_outputs.place(outputs.report)
        replace_file(path, text.encode(errors="backslashreplace"))
    return report


def _write_picture(
    side_outputs: SideOutputs, result: DenoisedScan, inputs: _Inputs, outputs: _Outputs
) -> None:
    if outputs.picture is None:
        return
    volume, reference = inputs.volume, inputs.reference
    with side_outputs.writing(outputs.picture):
        side_by_side(
            side_outputs.place(outputs.picture),
            in_viewer_order(volume.hu, volume),
            in_viewer_order(result.hu, volume),
            reference=reference and in_viewer_order(reference.hu, volume),
            pixel_mm=volume.pixel_mm if volume.has_square_pixels else None,
            title=volume.name,
        )


def _print_summary(report: dict, output: Path, seconds: float) -> None:
    if noise := report.get("noise"):
        change = with_minus_sign(f"{-noise['reduction_percent']:+.0f}")
        print(
            "Noise in soft tissue (do not compare it with that of a region): "
            f"{noise['soft_tissue_before_hu']:.1f} HU → {noise['soft_tissue_after_hu']:.1f} HU "
            f"({change} %)."
        )
    if check := report.get("removed_noise"):
        print(f"{CHECK}{check['light']}. {printable(removed_noise_sentence(check))}")
    print(f"Done in {duration(seconds)}: {printable(str(output))} (research use only).")


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


def parse_arguments(words: Sequence[str]) -> argparse.Namespace:
    """Return the arguments of the command, with its defaults."""
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    return parser.parse_args(words)


def _note_other_models(path: Path, models: LoadedModels, settings: DenoisingSettings) -> None:
    """Print a note if ``path`` is a report of a run with other models."""
    current = model_identities(models.denoiser[1], models.noise_manifests)
    changes = model_differences(read_json(path), {**current, "settings": settings.as_dict()})
    if changes:
        print(
            printable(
                f"Note: the run of {path} had other models, so the result will differ: "
                f"{'; '.join(changes)}. To repeat it, give the folder of its models with --models."
            ),
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
