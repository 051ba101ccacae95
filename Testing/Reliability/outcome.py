"""Comparison of what the product makes of an input with what is expected.

:func:`problem_of_reading` calls the reader. :func:`problem_of_command` runs ``pseudoct denoise``
with a strength of 0 %, which must return the voxels of the scan at their places. Both return an
empty text if the outcome is the expected one.
"""

from __future__ import annotations

import contextlib
import io
import os
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import SimpleITK as sitk
from PseudoCTDenoiseLib.cli.main import main
from PseudoCTDenoiseLib.ct.io.volume_files import read_volume
from PseudoCTDenoiseLib.errors import BadInputError, one_line
from pydicom import dcmread
from Reliability.case import Case, Offered, Read, Refused
from Reliability.command import SCAN, Situation
from Reliability.nrrd import nrrd

MAX_DISTANCE_MM = 1e-4
"""Maximum distance of a voxel from its place, for headers that store single precision."""
NEXT_STEP = re.compile(
    r"(?:[.:;,] (?:and |or |then )?|, or )(?:add|check|choose|convert|copy|create|export|give|omit|"
    r"put|remove|rename|replace|resample|save|set|use|write)\b|"
    r"must (?:lie|be) |\b(?:Available|Valid)\b",
    re.IGNORECASE,
)
"""Verbs of the next step in a refusal."""
FOLDER = "scän 1"
"""Name of the folder that holds the input."""
QUICK = ("--method", "pretrained", "--orientations", "1", "--device", "cpu")
"""Arguments for a short run."""


def problem_of_reading(case: Case, folder: Path) -> str:
    """Return how the reader departs from what is expected of a case, written into a folder."""
    path = _written(case, folder / FOLDER)

    def read(**options: str):
        return read_volume(path, **case.options | options)

    if isinstance(case.expected, Read):
        return _problem_of_read(case.expected, read)
    problem = _problem_of_refusal(case.expected.words, read)
    if isinstance(case.expected, Offered):
        for choice, expected in case.expected.stacks.items():
            found = _problem_of_read(expected, lambda choice=choice: read(series=choice))
            problem = problem or found and f"--series {choice}: {found}"
    return problem


def _written(case: Case, folder: Path) -> Path:
    case.write(folder)
    return folder / case.path if case.path else folder


def _problem_of_read(expected: Read, read: Callable[[], object]) -> str:
    try:
        volume = read()
    except Exception as error:
        return f"{type(error).__name__}: {one_line(error)}"
    dimension = len(volume.spacing)
    values = volume.hu[0] if dimension == 2 else np.moveaxis(volume.hu, 0, 2 - volume.slice_axis)
    steps = np.reshape(volume.direction, (dimension, dimension)) * volume.spacing
    if dimension == 3 and volume.slice_axis != expected.slice_axis:
        return f"slices along axis {volume.slice_axis}"
    return _difference(expected, values, volume.origin, steps) or _unexpected_words(
        expected.warnings, volume.warnings
    )


def _difference(expected: Read, values, origin, steps) -> str:
    if values.shape != expected.values.shape:
        return f"{values.shape} voxels, not {expected.values.shape}"
    values = np.rint(values)  # with a strength of 0 % the command keeps fractions of HU
    if not np.array_equal(values, expected.values):
        wrong = np.count_nonzero(values != expected.values)
        return f"{wrong} of {values.size} voxels have other values"
    corners = np.indices([2] * len(origin)).reshape(len(origin), -1)
    corners = corners * (np.array(values.shape[::-1]) - 1)[:, None]
    moved = np.column_stack([steps - expected.steps, np.subtract(origin, expected.origin)])
    distance = np.linalg.norm(moved @ np.vstack([corners, np.ones(corners.shape[1])]), axis=0)
    spacing = np.linalg.norm(steps, axis=0) - np.linalg.norm(expected.steps, axis=0)
    if not max(distance.max(), np.abs(spacing).max()) <= MAX_DISTANCE_MM:
        return f"voxels lie {distance.max():.3g} mm off"
    return ""


def _unexpected_words(wanted: tuple[str, ...], said: tuple[str, ...]) -> str:
    agree = len(wanted) == len(said) and all(map(str.__contains__, said, wanted))
    return "" if agree else f"warnings: {said}"


def _problem_of_refusal(words: tuple[str, ...], read: Callable[[], object]) -> str:
    try:
        volume = read()
    except BadInputError as error:
        return _missing_words(words, str(error))
    except Exception as error:
        return f"{type(error).__name__}: {one_line(error)}"
    return f"read, with {len(volume.hu)} slices"


def _missing_words(words: tuple[str, ...], said: str) -> str:
    if missing := [word for word in words if word not in said]:
        return f"says {said!r} without {missing}"
    if "\n" in said or not said.endswith(".") and "--series" not in said:
        return f"says {said!r}, not one line of sentences"
    return "" if NEXT_STEP.search(said) else f"says {said!r} without a next step"


def problem_of_command(case: Case, folder: Path, models: Path) -> str:
    """Return how ``pseudoct denoise`` departs from what is expected of a case.

    Parameters
    ----------
    folder : empty folder for input and output.
    models : folder of models.
    """
    case = replace(case, path=case.path or ".")
    _written(case, folder / FOLDER)
    if isinstance(case.expected, Read):
        return _problem_of_run(case, folder, models, case.expected)
    problem = _problem_of_run(case, folder, models, Refused(case.expected.words))
    if isinstance(case.expected, Offered):
        for choice, expected in case.expected.stacks.items():
            chosen = replace(case, options={**case.options, "series": choice})
            found = _problem_of_run(chosen, folder, models, expected)
            problem = problem or found and f"--series {choice}: {found}"
    return problem


def _problem_of_run(case: Case, folder: Path, models: Path, expected: Read | Refused) -> str:
    arguments = ["denoise", os.path.join(FOLDER, case.path), "out.nrrd", "--models", str(models)]
    arguments += ["--strength", "0", *QUICK]
    for name, value in case.options.items():
        arguments += [f"--{name.replace('_', '-')}", *([] if value is True else [value])]
    before = _listing(folder)
    code, said = run_in(folder, arguments)
    if isinstance(expected, Refused):
        if code != 2:
            return f"exit code {code}: {said}"
        if _listing(folder) != before:
            return "files were written or changed although the input was refused"
        return _missing_words(expected.words, said.removesuffix("\n"))
    if code != 0:
        return f"exit code {code}: {said}"
    image = sitk.ReadImage(str(folder / "out.nrrd"))
    for name in ("out.nrrd", "out.json"):
        (folder / name).unlink()
    if _listing(folder) != before:
        return "other files than the output and its report were written or changed"
    dimension = image.GetDimension()
    steps = np.reshape(image.GetDirection(), (dimension, dimension)) * image.GetSpacing()
    if missing := [words for words in expected.all_warnings if words not in said]:
        return f"says {said!r} without {missing}"
    return _difference(expected, sitk.GetArrayFromImage(image), image.GetOrigin(), steps)


def run_in(folder: Path, arguments: list[str]) -> tuple[int, str]:
    """Run a command in a folder; return its exit code and what it printed on standard error."""
    here, printed = os.getcwd(), io.StringIO()
    os.chdir(folder)
    try:
        with contextlib.redirect_stderr(printed), contextlib.redirect_stdout(io.StringIO()):
            code = main(arguments)
    finally:
        os.chdir(here)
    return code, printed.getvalue()


def _listing(folder: Path) -> dict[str, bytes | None]:
    """Return all files of a folder with their content; None for folders and special files."""
    found = (path for path in folder.rglob("*") if path.name != "mem")
    return {
        str(path.relative_to(folder)): path.read_bytes()
        if path.is_file() and not path.is_symlink()
        else None
        for path in found
    }


def problem_of_situation(situation: Situation, folder: Path, models: Path) -> str:
    """Return how ``pseudoct denoise`` departs from what is expected in a situation."""
    (folder / "scan.nrrd").write_bytes(nrrd(SCAN))
    situation.prepare(folder)
    before = _listing(folder)
    options = ["--models", str(models), "--strength", "0", *QUICK]
    source, output, *given = situation.arguments
    code, said = run_in(folder, ["denoise", source, output, *options, *given])
    expected = situation.expected
    after = _listing(folder)
    if isinstance(expected, Refused):
        if code != 2:
            return f"exit code {code}: {said}"
        if after != before:
            return "files were written or changed although the command was refused"
        return _missing_words(expected.words, said.removesuffix("\n"))
    if code != 0:
        return f"exit code {code}: {said}"
    changed = {name for name in after if after[name] != before.get(name, b"")}
    changed -= {str(parent) for name in expected.files for parent in Path(name).parents}
    if changed != set(expected.files):
        return f"wrote {sorted(changed)}"
    if missing := [words for words in expected.words if words not in said]:
        return f"says {said!r} without {missing}"
    if expected.heights:
        slices = [dcmread(folder / name) for name in expected.files[:-1]]
        heights = tuple(float(image.ImagePositionPatient[2]) for image in slices)
        if heights != expected.heights:
            return f"slices at {heights} mm"
        values = np.stack(
            [image.pixel_array * image.RescaleSlope + image.RescaleIntercept for image in slices]
        )
    else:
        values = sitk.GetArrayFromImage(sitk.ReadImage(str(folder / expected.files[0])))
    wanted = SCAN if situation.values is None else situation.values
    return "" if np.array_equal(values, wanted) else "other voxels than in the scan"
