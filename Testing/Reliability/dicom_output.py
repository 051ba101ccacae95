"""DICOM series as the output of ``pseudoct denoise``: where it is written, and where it is not.

Each situation starts in a folder with ``scan.nrrd`` and a DICOM folder ``scan``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from dicom_factory import HEIGHTS, bodies, write_slices
from Reliability.case import Refused
from Reliability.command import Situation, Written
from Reliability.dicom_geometry import UNEVEN

Prepare = Callable[[Path], object]


def scan(heights: Sequence[float] = HEIGHTS, then: Prepare = lambda folder: None, **values):
    """Return a function that writes the scan, and then prepares the rest of the folder."""

    def prepare(folder: Path) -> None:
        write_slices(folder / "scan", heights, **values)
        then(folder)

    return prepare


def series(
    output: str,
    *options: str,
    heights: Sequence[float] = HEIGHTS,
    prepare: Prepare | None = None,
    words: Sequence[str] = (),
) -> Situation:
    """Return a situation in which the scan becomes a series of slices at the same heights."""
    files = [f"{output}/{number:04}.dcm" for number in range(1, len(heights) + 1)]
    expected = Written((*files, f"{output}.json"), tuple(words), tuple(heights))
    arguments = ("scan", output, *options)
    return Situation(arguments, expected, prepare or scan(heights), bodies(heights))


def refused(words: str, output: str, *options: str, prepare: Prepare | None = None) -> Situation:
    return Situation(("scan", output, *options), Refused((words,)), prepare or scan())


SITUATIONS = {
    "DICOM series in a new folder": series("denoised"),
    "DICOM series in an empty folder": series(
        "denoised", prepare=scan(then=lambda folder: (folder / "denoised").mkdir())
    ),
    "DICOM series in a folder whose name has a suffix": series("2026.11", "--format", "dicom"),
    "DICOM series of uneven slices": series(
        "denoised",
        heights=UNEVEN,
        words=["Warning: ", "5 mm after slice 3", "Each slice keeps its position"],
    ),
    "DICOM series in a folder that holds files": refused(
        "holds files",
        "denoised",
        prepare=scan(then=lambda folder: write_slices(folder / "denoised", [0.0])),
    ),
    "DICOM series in the folder of the scan": refused("holds files", "scan"),
    "DICOM series within the folder of the scan": refused("several series", "scan/denoised"),
    "DICOM series in the place of a file": refused("is a file", "scan.nrrd", "--format", "dicom"),
    "DICOM series in a folder that is missing": refused("does not exist", "missing/denoised"),
    "DICOM series of slices without the UID of their study": refused(
        "has no Study Instance UID", "denoised", prepare=scan(StudyInstanceUID="")
    ),
}
