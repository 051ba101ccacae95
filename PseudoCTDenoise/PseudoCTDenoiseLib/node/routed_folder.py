"""Folder of a router with the series of a study, and the derived series in its output folder.

The names are those of mercure (https://mercure-imaging.org/docs/modules.html): the router writes
``SERIES#IMAGE.dcm`` files and settings in ``task.json``, and takes what the program writes.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

from pydicom import Dataset
from pydicom.uid import UID

from ..ct.io.dicom_content import CT_CLASSES
from ..ct.io.dicom_files import read_start, sop_class
from ..errors import BadInputError, printable
from ..exit_codes import BAD_INPUT, DONE
from ..input_file import read_json
from .denoise_options import denoise_options, with_paths_from
from .denoising_child import DenoisingChild, Outcome
from .loop_guard import GUARD_KEYWORDS, is_own_image
from .series_record import image_files

TASK = "task.json"
SEPARATOR = "#"


class DenoisingFailedError(Exception):
    """A series whose denoising failed for a reason other than the scan."""


def task_options(folder: Path) -> list[str]:
    """Return the arguments of `denoise` in the task of a router; none without a task.

    Relative paths count from the folder.

    Raises
    ------
    BadInputError
        If the task is not JSON, has several steps, or has settings that `denoise` does not know.
    """
    path = folder / TASK
    if not path.is_file():
        return []
    settings = _step(path).get("settings")
    if settings is None:
        return []
    try:
        denoise_options(settings)
        return denoise_options(with_paths_from(folder, settings))
    except BadInputError as error:
        raise BadInputError(f"{path}, settings of the process: {error}") from error


def _step(path: Path) -> dict:
    """Return the processing step of a task; the router lists the steps if there may be several."""
    process = read_json(path).get("process")
    steps = process if isinstance(process, list) else [{} if process is None else process]
    if len(steps) != 1 or not isinstance(steps[0], dict):
        raise BadInputError(
            f"{path} does not hold one processing step under 'process', so the settings for "
            "pseudoct are unknown: make pseudoct the only step of its rule in the router."
        )
    return steps[0]


def series_in(folder: Path) -> dict[str, list[Path]]:
    """Return the files of each series, named ``SERIES#IMAGE.dcm``.

    Raises
    ------
    BadInputError
        If there is none.
    """
    found = defaultdict(list)
    for path in sorted(folder.glob(f"*{SEPARATOR}*.dcm")):
        found[path.name.partition(SEPARATOR)[0]].append(path)
    if not found:
        raise BadInputError(
            f"{folder} holds no files named SERIES{SEPARATOR}IMAGE.dcm: give the input folder of "
            "the router."
        )
    return dict(found)


def denoise_routed(
    program: Sequence[str], source: Path, output: Path, work: Path, seconds: float
) -> int:
    """Denoise every CT series of a folder and return the number of derived series.

    The files get their names in ``output`` when all series are denoised. Scouts and other images
    that are not CT in HU, other modalities, and results of this project are left out with a note on
    the standard error, which also has the warnings about the results.

    Parameters
    ----------
    program : start of the command line of `pseudoct`.
    output : existing folder.
    work : empty folder on the same file system as ``output``.
    seconds : time limit for each series.

    Raises
    ------
    BadInputError
        If no series can be denoised.
    DenoisingFailedError
        If the denoising of a series fails.
    """
    options = task_options(source)
    results, refused = [], []
    for number, (uid, paths) in enumerate(series_in(source).items()):
        if reason := _left_out(paths):
            refused.append(f"{uid} {reason}")
            continue
        folder = work / str(number)  # a file name may bring .. as UID
        outcome = _denoise(program, paths, folder, options, seconds)
        if outcome.code == BAD_INPUT:
            refused.append(f"{uid} is not denoised: {outcome.words}")
        elif outcome.code != DONE:
            raise DenoisingFailedError(f"{uid}: {outcome.words}")
        else:
            results += image_files(folder / "derived")
            if outcome.words:
                print(printable(f"{uid}: {outcome.words}"), file=sys.stderr)
    if not results:
        raise BadInputError(f"No series was denoised. {' '.join(refused)}")
    for text in refused:
        print(f"Note: {printable(text)}", file=sys.stderr)
    return _hand_over(results, output)


def _denoise(
    program: Sequence[str],
    paths: Sequence[Path],
    work: Path,
    options: Sequence[str],
    seconds: float,
) -> Outcome:
    """Denoise the files of one series, apart from the other series in their folder."""
    series = work / "series"
    series.mkdir(parents=True)
    for path in paths:
        (series / path.name).symlink_to(path.resolve())
    child = DenoisingChild(program, series, work / "derived", work, options, seconds)
    try:
        return child.wait()
    finally:
        child.kill()


def _left_out(paths: Sequence[Path]) -> str:
    """Return why a series is not for this program as the end of a sentence, or an empty text.

    One damaged file, or one image of another kind such as a screenshot, must not hide a CT, whose
    denoising then says what is wrong with it.
    """
    others = {}
    for path in paths:
        # pydicom raises many kinds of errors for damaged files.
        with contextlib.suppress(Exception):
            header = _header(path)
            kind = sop_class(header)
            if kind in CT_CLASSES:
                own = is_own_image(header)
                return "is left out: it is a result of this project." if own else ""
            if kind:
                others[UID(kind).name] = True
    if not others:
        return "is left out: its files are damaged."
    return f"is left out: it holds no CT images but {', '.join(others)}."


def _header(path: Path) -> Dataset:
    keywords = [*GUARD_KEYWORDS, "SOPClassUID", "SeriesInstanceUID", "SOPInstanceUID"]
    return read_start(path, keywords)


def _hand_over(results: Sequence[Path], output: Path) -> int:
    """Move the files to the output folder under the router's names; return the number of series."""
    names = []
    for path in results:
        header = _header(path)
        names.append(f"{header.SeriesInstanceUID}{SEPARATOR}{header.SOPInstanceUID}.dcm")
    for path, name in zip(results, names, strict=True):
        os.replace(path, output / name)
    return len({name.partition(SEPARATOR)[0] for name in names})
