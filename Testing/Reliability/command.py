"""Command lines and places for the output: what ``pseudoct denoise`` writes, and what it refuses.

Each situation starts in a folder with ``scan.nrrd``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from Reliability.case import Refused
from Reliability.nrrd import TILTED, nrrd
from Reliability.values import body
from Reliability.volume_inputs import VALUES

SCAN = body()
FULL = Path("/dev/full")


@dataclass(frozen=True)
class Written:
    """The command succeeds and writes these files; the first one holds the scan, voxel for voxel.

    Attributes
    ----------
    words : words on standard error.
    heights : of the slices in mm, if all files but the last one, the report, are DICOM slices.
    """

    files: tuple[str, ...]
    words: tuple[str, ...] = ()
    heights: tuple[float, ...] = ()

    def __str__(self) -> str:
        said = f"; warning: {' … '.join(self.words)}" if self.words else ""
        files = self.files
        if self.heights:
            heights = ", ".join(f"{height:g}" for height in self.heights)
            files = (f"{files[0]} to {files[-2]} at {heights} mm", files[-1])
        return f"written: {', '.join(files)}{said}"


@dataclass(frozen=True)
class Situation:
    """Arguments of ``pseudoct denoise`` in a prepared folder, and what is expected.

    Attributes
    ----------
    arguments : input, output and options.
    prepare : called with the folder, which holds the scan.
    values : voxels of the scan; None for those of ``scan.nrrd`` as it was.
    """

    arguments: tuple[str, ...]
    expected: Written | Refused
    prepare: Callable[[Path], object] = lambda folder: None
    values: np.ndarray | None = None


def refused(words: str, *arguments: str, prepare=lambda folder: None) -> Situation:
    return Situation(arguments, Refused((words,)), prepare)


def refused_output(words: str, output: str, prepare=lambda folder: None) -> Situation:
    return refused(words, "scan.nrrd", output, prepare=prepare)


def refused_option(words: str, *options: str, prepare=lambda folder: None) -> Situation:
    return refused(words, "scan.nrrd", "out.nrrd", *options, prepare=prepare)


def written(output: str, report: str, *options: str, prepare=lambda folder: None) -> Situation:
    return Situation(("scan.nrrd", output, *options), Written((output, report)), prepare)


def folder_at(name: str) -> Callable[[Path], None]:
    return lambda folder: (folder / name).mkdir()


def copy_as(name: str) -> Callable[[Path], object]:
    return lambda folder: (folder / name).write_bytes((folder / "scan.nrrd").read_bytes())


def text_as(name: str, content: str) -> Callable[[Path], object]:
    return lambda folder: (folder / name).write_text(content, encoding="utf-8")


def link(name: str, to: str) -> Callable[[Path], object]:
    return lambda folder: (folder / name).symlink_to(to)


def scan_of(content: bytes) -> Callable[[Path], object]:
    return lambda folder: (folder / "scan.nrrd").write_bytes(content)


TILTED_SCAN = scan_of(nrrd(VALUES, space_directions=TILTED))
SIDECAR = '{"Modality": "CT", "ConvolutionKernel": "B30f"}'

SITUATIONS = (
    {
        "NRRD": written("out.nrrd", "out.json"),
        "NIfTI": written("out.nii", "out.json"),
        "compressed NIfTI": written("out.nii.gz", "out.json"),
        "MetaImage": written("out.mha", "out.json"),
        "suffix in capitals": written("OUT.NRRD", "OUT.json"),
        "spaces, accents and a dot in the name": written("Zürich 1.v2.nrrd", "Zürich 1.v2.json"),
        "another folder with an accent": written(
            "Ergebnis ä/out.nrrd", "Ergebnis ä/out.json", prepare=folder_at("Ergebnis ä")
        ),
        "a report of another name": written("out.nrrd", "report.json", "--report", "report.json"),
        "an empty file in the place of the report": written(
            "out.nrrd", "out.json", prepare=text_as("out.json", "")
        ),
        "a link to the scan": Situation(
            ("link.nrrd", "out.nrrd"),
            Written(("out.nrrd", "out.json")),
            link("link.nrrd", "scan.nrrd"),
        ),
        "a path with dots": Situation(
            ("more/../scan.nrrd", "more/./out.nrrd"),
            Written(("more/out.nrrd", "more/out.json")),
            folder_at("more"),
        ),
        "a tilted gantry as MetaImage": Situation(
            ("scan.nrrd", "out.mha"), Written(("out.mha", "out.json")), TILTED_SCAN, VALUES
        ),
        "a scan 1024 HU too high": Situation(
            ("scan.nrrd", "out.nrrd"),
            Written(("out.nrrd", "out.json"), ("Warning: ", "1024 too high")),
            scan_of(nrrd(body(1064, 924, 24))),
            body(1064, 924, 24),
        ),
        "pixels of 0.0001 mm": Situation(
            ("scan.nrrd", "out.nrrd"),
            Written(("out.nrrd", "out.json"), ("Warning: ", "0.0001")),
            scan_of(nrrd(SCAN, space_directions="(0.0001,0,0) (0,0.0001,0) (0,0,1)")),
        ),
    }
    | {
        f"output {name}": refused_output(words, output, prepare)
        for name, words, output, prepare in (
            ("in a folder that is missing", "does not exist", "missing/out.nrrd", lambda _: None),
            ("is a folder", "is not DICOM", "out.nrrd", folder_at("out.nrrd")),
            ("as a picture", "does not have the suffix", "out.png", lambda _: None),
            ("as DICOM", "does not have the suffix", "out.dcm", lambda _: None),
            ("without a suffix", "is not DICOM", "out", lambda _: None),
            ("of a suffix alone", "does not have the suffix", ".nrrd", lambda _: None),
            ("with an empty name", "The argument after scan.nrrd is empty", "", lambda _: None),
            ("in a file", "does not exist", "scan.nrrd/out.nrrd", lambda _: None),
            ("is the scan", "is an input", "scan.nrrd", lambda _: None),
            ("is the scan by another path", "is an input", "more/../scan.nrrd", folder_at("more")),
            ("links to the scan", "is an input", "out.nrrd", link("out.nrrd", "scan.nrrd")),
            ("with 300 letters", "too long", "n" * 300 + ".nrrd", lambda _: None),
            ("in a folder of the system", "cannot be written to", "/proc/out.nrrd", lambda _: None),
            ("of skewed axes as NIfTI", "cannot store skewed axes", "out.nii.gz", TILTED_SCAN),
        )
    }
    | {
        f"option {name}": refused_option(words, *options, prepare=prepare)
        for name, words, options, prepare in (
            (
                "report in a folder that is missing",
                "does not exist",
                ("--report", "missing/report.json"),
                lambda _: None,
            ),
            ("report is a folder", "is a folder", ("--report", "x"), folder_at("x")),
            ("report is the scan", "is an input", ("--report", "scan.nrrd"), lambda _: None),
            ("report is the output", "Two results", ("--report", "out.nrrd"), lambda _: None),
            ("report is a device", "is a device", ("--report", "/dev/null"), lambda _: None),
            (
                "picture in a folder that is missing",
                "does not exist",
                ("--picture", "missing/x.png"),
                lambda _: None,
            ),
            ("picture as JPEG", ".png", ("--picture", "x.jpg"), lambda _: None),
            ("picture is a folder", "is a folder", ("--picture", "x.png"), folder_at("x.png")),
            (
                "noise maps in a folder that is missing",
                "does not exist",
                ("--noise-dir", "missing/noise"),
                lambda _: None,
            ),
            ("noise maps in a file", "is a file", ("--noise-dir", "scan.nrrd"), lambda _: None),
            (
                "noise maps of an empty name",
                "The argument --noise-dir= is empty",
                ("--noise-dir=",),
                lambda _: None,
            ),
            (
                "reference that is the report",
                "is an input",
                ("--reference", "ndct.nrrd", "--report", "ndct.nrrd"),
                copy_as("ndct.nrrd"),
            ),
            ("reference is missing", "does not exist", ("--reference", "no.nrrd"), lambda _: None),
            (
                "reference of another size",
                "not on the same grid",
                ("--reference", "other.nrrd"),
                lambda folder: (folder / "other.nrrd").write_bytes(nrrd(SCAN[:1])),
            ),
            (
                "reference at another place",
                "not on the same grid",
                ("--reference", "other.nrrd"),
                lambda folder: (folder / "other.nrrd").write_bytes(
                    nrrd(SCAN, space_origin="(9,9,9)")
                ),
            ),
            ("series of a file", "omit --series", ("--series", "3"), lambda _: None),
            ("strength 101 %", "strength", ("--strength", "101"), lambda _: None),
            ("strength NaN", "strength", ("--strength", "nan"), lambda _: None),
            ("steps -1", "steps", ("--steps", "-1"), lambda _: None),
            ("seed -3", "seed", ("--seed", "-3"), lambda _: None),
            ("settings are missing", "does not exist", ("--settings", "no.json"), lambda _: None),
            (
                "settings that are not JSON",
                "not JSON",
                ("--settings", "a.json"),
                text_as("a.json", "{"),
            ),
            (
                "unknown setting",
                "Unknown setting 'stepps'",
                ("--settings", "a.json"),
                text_as("a.json", '{"stepps": 3}'),
            ),
            ("unknown model", "No model", ("--model", "none"), lambda _: None),
        )
    }
    | {
        "a sidecar of a converter in the place of the report": refused_option(
            "out.json exists and is not a result of pseudoct, so it is kept: give another name for "
            "the report",
            prepare=text_as("out.json", SIDECAR),
        ),
        "a scan of an empty name": refused("The argument after denoise is empty", "", "out.nrrd"),
        "a missing scan": refused("does not exist", "no.nrrd", "out.nrrd"),
        "a scan of an unknown suffix": refused(
            "suffix of a format that can be read",
            "scan.png",
            "out.nrrd",
            prepare=copy_as("scan.png"),
        ),
    }
)
