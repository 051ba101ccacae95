"""DICOM folders: names, sub-folders, links, other files beside the slices, and damaged files."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

from dicom_factory import SERIES, ct_slice, write, write_slices
from pydicom import Dataset, dcmread, dcmwrite
from pydicom.uid import SecondaryCaptureImageStorage
from Reliability.case import Case, Writer, reads, refuses
from Reliability.dicom_inputs import (
    OTHER,
    beside,
    both,
    cut,
    cut_before,
    directory,
    encoded,
    enhanced,
    inside,
    on_file,
    one,
    report,
    scout,
    slices,
    stack,
)

FILES = ("IM0001", "slice.dcm", "slice.IMA", "slice.dicom", "1.2.840.5", "a.bin")
ROWS_TAG, MODALITY_TAG = b"\x28\x00\x10\x00", b"\x08\x00\x60\x00"
SAMPLES_TAG = b"\x28\x00\x02\x00"


def half_in_subfolder(folder: Path) -> None:
    write_slices(folder)
    (folder / "more").mkdir()
    for path in sorted(folder.glob("*.dcm"))[::2]:
        path.rename(folder / "more" / path.name)


def a_folder_for_each_slice(folder: Path) -> None:
    write_slices(folder)
    for path in sorted(folder.glob("*.dcm")):
        (folder / path.stem).mkdir()
        path.rename(folder / path.stem / "image.dcm")


def named_against_the_order(folder: Path) -> None:
    """Name the slices so that their order by name is neither that of positions nor numbers."""
    write_slices(folder)
    for name, path in zip(("10", "9", "B", "a"), sorted(folder.iterdir()), strict=True):
        path.rename(folder / f"{name}.dcm")


def linked(folder: Path) -> None:
    write_slices(folder.with_name("elsewhere"))
    folder.mkdir()
    for path in folder.with_name("elsewhere").iterdir():
        (folder / path.name).symlink_to(path)


def linked_folder(folder: Path) -> None:
    write_slices(folder.with_name("elsewhere"))
    folder.symlink_to(folder.with_name("elsewhere"))


def with_private_elements(_, image: Dataset) -> None:
    block = image.private_block(0x0029, "SIEMENS CSA HEADER", create=True)
    block.add_new(0x10, "OB", bytes(range(256)) * 20)
    block.add_new(0x11, "UN", b"\xfe\xff\x00\xe0" * 8)


def without_preamble(implicit: bool) -> Writer:
    def make(folder: Path) -> None:
        write_slices(folder)
        for path in folder.iterdir():
            image = Dataset(dcmread(path))
            dcmwrite(path, image, implicit_vr=implicit, little_endian=True)

    return make


def private_object(folder: Path) -> None:
    """Write what a scanner stores beside its slices: no rows, no pixels, only private data."""
    image = ct_slice(instance=70)
    for keyword in ("PixelData", "Rows", "Columns"):
        delattr(image, keyword)
    image.SOPClassUID = "1.3.12.2.1107.5.9.1"
    image.private_block(0x0029, "SIEMENS CSA NON-IMAGE", create=True).add_new(0x10, "OB", b"ab")
    write(image, folder / "private.dcm")


def float_map(folder: Path) -> None:
    image = ct_slice(instance=70)
    del image.PixelData
    image.SOPClassUID, image.SeriesInstanceUID = "1.2.840.10008.5.1.4.1.1.30", OTHER
    image.FloatPixelData = bytes(4 * image.Rows * image.Columns)
    write(image, folder / "map.dcm")


def as_segmentation(image: Dataset) -> None:
    image.PerFrameFunctionalGroupsSequence = list(image.PerFrameFunctionalGroupsSequence)[:3]
    image.SOPClassUID, image.Modality = "1.2.840.10008.5.1.4.1.1.66.4", "SEG"
    image.SeriesInstanceUID = OTHER


def as_text_rows(path: Path) -> None:
    """Change the type of Rows from a number to a text that is none."""
    before, rows, after = path.read_bytes().partition(b"\x28\0\x10\0US\2\0")
    path.write_bytes(before + rows.replace(b"US", b"LO") + b"ab" + after[2:])


def other_length(length: int) -> Callable[[Path], object]:
    """Return an action that damages the length of an element of two bytes."""

    def action(path: Path) -> None:
        before, instance, after = path.read_bytes().partition(b"\x20\0\x13\0IS")
        path.write_bytes(before + instance + bytes([length]) + after[1:])

    return action


def one_file(name: str) -> Writer:
    return lambda folder: write(ct_slice(5.0), folder / name)


def other(number: int, *arguments, **values) -> Writer:
    """Return a writer of a second series."""
    values = {"first": 60, "SeriesInstanceUID": OTHER, "SeriesNumber": number} | values
    return slices(*arguments, **values)


CUT_MR = both(
    slices([0.0], SeriesInstanceUID=OTHER, SeriesNumber=1, Modality="MR"),
    on_file(cut_before(SAMPLES_TAG)),
    slices(first=60),
)
CUT_OTHER = both(
    slices([0.0], SeriesInstanceUID=OTHER, SeriesNumber=1),
    slices([0.0], first=2, SeriesInstanceUID=OTHER, SeriesNumber=1),
    on_file(cut_before(SAMPLES_TAG)),
    slices(first=60),
)

PLAIN = {
    "plain series": slices(),
    "files without a suffix": slices(suffix=""),
    "files named by UID": slices(suffix=".1.2.840.77"),
    "suffix in capitals": slices(suffix=".IMA"),
    "unknown suffix": slices(suffix=".img"),
    "names against the order of the slices": named_against_the_order,
    "a single folder for each slice": a_folder_for_each_slice,
    "half of the series in a sub-folder": half_in_subfolder,
    "all in a deep sub-folder with a space": inside("a/b c/d", slices()),
    "a folder name with accents and quotes": inside("Zürich 'scän' \"1\" $HOME", slices()),
    "links to the files": linked,
    "a link to the folder": linked_folder,
    "a folder that links to itself": both(
        slices(), lambda folder: (folder / "loop").symlink_to(folder)
    ),
    "a copy of a slice in a sub-folder": both(
        slices(), on_file(lambda path: shutil.copytree(path.parent, path.parent / "copy"))
    ),
    "beside a DICOMDIR": both(slices(), directory),
    "beside a report": both(slices(), report),
    "beside text, pictures and archives": both(
        slices(),
        beside("readme.txt", b"text"),
        beside("a.png", b"\x89PNG"),
        beside("b.zip", b"PK\3\4"),
        beside("notes.docx", b""),
    ),
    "beside a README, without suffixes": both(slices(suffix=""), beside("README", b"text")),
    "beside hidden files": both(
        slices(), beside("._s00_1.dcm", b"\0\5\x16\7"), beside(".DS_Store", b"\0\0\0\1Bud1")
    ),
    "beside a hidden folder": both(slices(), inside(".trash", slices([99.0]))),
    "beside the resource forks of a Mac archive": both(
        slices(), inside("__MACOSX", slices([99.0]))
    ),
    "beside a named pipe": both(slices(), lambda folder: os.mkfifo(folder / "s00.dcm")),
    "beside a dangling link to a text": both(
        slices(), lambda folder: (folder / "a.txt").symlink_to("gone")
    ),
    "beside a damaged MR": CUT_MR,
    "beside a private object of the scan": both(slices(), private_object),
    "with private elements": slices(edit=with_private_elements),
    "without preamble, implicit": without_preamble(True),
    "without preamble, explicit": without_preamble(False),
    "implicit VR": slices(edit=encoded("1.2.840.10008.1.2")),
    "deflated": slices(edit=encoded("1.2.840.10008.1.2.1.99")),
}

PICTURE = {"SOPClassUID": SecondaryCaptureImageStorage, "SeriesNumber": 900}

LEFT_OUT = {
    "beside a scout": (both(slices(), scout()), "left out: 1: 'Thorax', scout, 1 slice"),
    "a scout in the series of the scan": (
        both(slices(), scout(3, SERIES)),
        "left out: 3.2: 'Thorax', scout, 1 slice",
    ),
    "beside a dose report as a picture": (
        both(slices(), slices([0.0], first=60, **PICTURE)),
        "left out: 3.2: 'Thorax', CT, 1 slice",
    ),
    "beside a single slice": (
        both(slices(), other(2, [0.0])),
        "left out: 2: 'Thorax', CT, 1 slice",
    ),
    "beside bolus tracking at one position": (
        both(slices(), other(2, [0.0] * 5)),
        "left out: 2: 'Thorax', CT, 5 slices",
    ),
    "beside an MR": (both(slices(), other(2, Modality="MR")), "left out: 2: 'Thorax', MR"),
    "beside a PET": (both(slices(), other(2, Modality="PT")), "left out: 2: 'Thorax', PT"),
    "beside a MIP": (
        both(slices(), other(2, ImageType=["DERIVED", "SECONDARY", "MIP"])),
        "left out: 2: 'Thorax', CT, 4 slices",
    ),
    "beside a map of floats": (both(slices(), float_map), "left out"),
    "beside a segmentation without descriptions": (
        both(slices(), enhanced(edit=as_segmentation, name="seg.dcm")),
        "'Thorax', SEG, 1 slice",
    ),
    "beside a damaged slice of another series": (CUT_OTHER, "left out: 1: 'Thorax', CT, 1 slice"),
}

DAMAGED = {
    "first file empty": (both(slices(), on_file(cut(0))), "1 file", "s00_1.dcm is empty"),
    "last file empty": (both(slices(), on_file(cut(0), -1)), "s71_1.dcm is empty"),
    "empty file without suffix": (both(slices(suffix=""), on_file(cut(0))), "s00_1 is empty"),
    "first file of 100 bytes": (
        both(slices(), on_file(lambda path: path.write_bytes(b"\0" * 100))),
        "s00_1.dcm is not a DICOM file",
    ),
    "cut in the header": (
        both(slices(), on_file(cut_before(SAMPLES_TAG))),
        "Series 3",
        "s00_1.dcm is damaged or incomplete",
    ),
    "cut in the first elements": (
        both(slices(), on_file(cut_before(MODALITY_TAG))),
        "s00_1.dcm is damaged or incomplete",
    ),
    "cut before the rows": (
        both(slices(), on_file(cut_before(ROWS_TAG), -1)),
        "s71_1.dcm is damaged or incomplete",
    ),
    "cut after the preamble": (
        both(slices(), on_file(lambda path: path.write_bytes(path.read_bytes()[:132]))),
        "s00_1.dcm is damaged or incomplete",
    ),
    "cut in the pixels": (both(slices(), on_file(cut(0.9))), "s00_1.dcm cannot be read"),
    "last cut in the pixels": (
        both(slices(), on_file(cut(0.9), -1)),
        "s71_1.dcm cannot be read",
    ),
    "the last byte is missing": (
        both(slices(), on_file(lambda path: path.write_bytes(path.read_bytes()[:-1]))),
        "s00_1.dcm cannot be read",
    ),
    "deflated and cut": (
        both(slices(edit=encoded("1.2.840.10008.1.2.1.99")), on_file(cut(0.9))),
        "s00_1.dcm",
        "damaged",
    ),
    **{
        f"a length of {length} bytes instead of 2": (
            both(slices(), on_file(other_length(length))),
            "1 file",
            "s00_1.dcm is damaged",
        )
        for length in (34, 127, 226)
    },
    "rows that are text": (
        both(slices(), on_file(as_text_rows)),
        "s00_1.dcm is damaged or incomplete",
    ),
    "no pixels": (one(0, PixelData=None), "s00_1.dcm is damaged or incomplete"),
    "an error page as a slice": (
        both(slices(), beside("s9.dcm", b"<html>404</html>")),
        "s9.dcm is not a DICOM file",
    ),
    "a pointer of Git LFS as a slice": (
        both(slices(), beside("s9.dcm", b"version https://git-lfs.github.com/spec/v1\n")),
        "s9.dcm is not a DICOM file",
    ),
    "a partial download": (
        both(slices(), on_file(lambda p: p.with_suffix(".part").write_bytes(p.read_bytes()[:300]))),
        "s00_1.part is damaged",
    ),
    "four broken files": (
        both(slices(), *(beside(f"x{i}.dcm", b"") for i in range(4))),
        "4 files",
        "x2.dcm",
        "and 1 more",
    ),
    "a dangling link": (
        both(slices(), lambda folder: (folder / "x.dcm").symlink_to("gone")),
        "x.dcm is a link to a file that does not exist",
    ),
    "a dangling link without suffix": (
        both(slices(suffix=""), lambda folder: (folder / "x").symlink_to("gone")),
        "x is a link",
    ),
    "a link to itself": (
        both(slices(), lambda folder: (folder / "x.dcm").symlink_to("x.dcm")),
        "x.dcm is a link that leads back to itself",
    ),
    "an empty file with the suffix dicom": (
        both(slices(), beside("x.dicom", b"")),
        "x.dicom is empty",
    ),
    "a file that cannot be opened": (
        both(slices(), lambda folder: (folder / "x.dcm").symlink_to("/proc/self/mem")),
        "x.dcm cannot be opened",
    ),
    "broken files only": (
        both(slices([0.0]), on_file(cut(0))),
        "contains no DICOM files but 1 file",
    ),
    "a report only": (both(slices([0.0]), on_file(Path.unlink), report), "no DICOM files:"),
    "an empty folder": (lambda folder: folder.mkdir(), "contains no DICOM files"),
    "no folder": (lambda folder: None, "does not exist"),
    "only text in the folder": (
        lambda folder: (folder.mkdir(), beside("readme.txt", b"no image")(folder)),
        "contains no DICOM files",
    ),
    "NIfTI files in the folder": (
        lambda folder: (folder.mkdir(), beside("scan.nii.gz", b"\x1f\x8b")(folder)),
        "contains no DICOM files",
    ),
}

CASES = (
    reads(stack(), PLAIN)
    | reads(stack([5.0]), {"one slice, named as its series": one_file("s.dcm")})
    | {f"one file named {name}": Case(one_file(name), stack([5.0]), name) for name in FILES}
    | {
        "a multi-frame file": Case(enhanced(), stack(), "enhanced.dcm"),
        "a DICOMDIR": Case(
            lambda folder: (directory(folder), slices(suffix="")(folder / "IMAGES")),
            stack(),
            "DICOMDIR",
        ),
    }
    | {name: Case(w, stack(warnings=[words])) for name, (w, words) in LEFT_OUT.items()}
    | refuses(DAMAGED)
    | refuses(
        {
            "one file cut in the header": (
                both(one_file("a.dcm"), on_file(cut(0.2))),
                "a.dcm is damaged or incomplete: copy or export it again.",
            ),
            "one file of a few bytes": (
                both(one_file("a.dcm"), on_file(cut(0.01))),
                "a.dcm cannot be read",
            ),
            "one named pipe": (
                lambda folder: (folder.mkdir(), os.mkfifo(folder / "a.dcm")),
                "a.dcm is a pipe or a device",
            ),
        },
        "a.dcm",
    )
    | refuses({"one report": (report, "report.dcm holds no image")}, "report.dcm")
)
