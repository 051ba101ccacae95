"""Each kind of DICOM input is read as it is meant, offered as a choice, or refused with a reason.

A row is one kind of input: it writes a folder and says what the reader makes of it.
"""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from dicom_factory import (
    HEIGHTS,
    SERIES,
    SPACING,
    add_group,
    bodies,
    body,
    change,
    ct_slice,
    enhanced_ct,
    group_of,
    set_pixels,
    store,
    write,
    write_slices,
)
from PseudoCTDenoiseLib.ct.io.volume_files import CtVolume, check_same_grid, read_volume
from PseudoCTDenoiseLib.errors import BadInputError
from pydicom import Dataset, dcmread, dcmwrite
from pydicom.data import get_testdata_file
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    HTJ2KLossless,
    ImplicitVRLittleEndian,
    RLELossless,
    SecondaryCaptureImageStorage,
)

OTHER = f"{SERIES}.9"
Writer = Callable[[Path], object]


def slices(*arguments, **values) -> Writer:
    return lambda folder: write_slices(folder, *arguments, **values)


def on(index: int, **values) -> Callable[[int, Dataset], None]:
    """Return an edit of one slice: attributes by keyword, None deletes one."""

    def edit(number: int, image: Dataset) -> None:
        if number == index:
            for keyword, value in values.items():
                change(image, keyword, value)

    return edit


def one(index: int, **values) -> Writer:
    """Return a writer of a series in which one slice differs."""
    return slices(edit=on(index, **values))


def alternating(keyword: str, *values, heights=(0.0, 2.5, 5.0, 7.5, 10.0, 12.5)) -> Writer:
    """Return a writer of a series whose slices have the values in turn."""
    return slices(heights, edit=lambda i, image: change(image, keyword, values[i % len(values)]))


def both(*writers: Writer) -> Writer:
    return lambda folder: [writer(folder) for writer in writers]


def inside(name: str, writer: Writer) -> Writer:
    return lambda folder: writer(folder / name)


def enhanced(*arguments, edit=None, name="enhanced.dcm", **values) -> Writer:
    def make(folder: Path) -> None:
        image = enhanced_ct(*arguments, **values)
        if edit:
            edit(image)
        write(image, folder / name)

    return make


def on_file(action: Callable[[Path], object], number: int = 0) -> Writer:
    """Return a writer that changes one of the files that exist already."""
    return lambda folder: action(sorted(p for p in folder.rglob("*") if p.is_file())[number])


def cut(share: float) -> Callable[[Path], object]:
    return lambda path: path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])


def cut_before(tag: bytes) -> Callable[[Path], object]:
    def action(path: Path) -> None:
        path.write_bytes(path.read_bytes().partition(tag)[0])

    return action


def beside(name: str, content: bytes) -> Writer:
    return lambda folder: (folder / name).write_bytes(content)


def as_text_rows(path: Path) -> None:
    """Change the type of Rows from US to a text that is no number."""
    path.write_bytes(
        path.read_bytes().replace(b"\x28\0\x10\0US\2\0\x14\0", b"\x28\0\x10\0LO\2\0ab")
    )


def half_in_subfolder(folder: Path) -> None:
    write_slices(folder)
    (folder / "more").mkdir()
    for path in sorted(folder.glob("*.dcm"))[::2]:
        path.rename(folder / "more" / path.name)


def compressed(syntax: str) -> Callable[[int, Dataset], None]:
    return lambda _, image: image.compress(syntax)


def encoded(syntax: str) -> Callable[[int, Dataset], None]:
    def edit(_, image: Dataset) -> None:
        image.file_meta.TransferSyntaxUID = syntax
        if syntax == ExplicitVRBigEndian:
            set_pixels(image, np.frombuffer(image.PixelData, "<u2").astype(">u2"))

    return edit


def rescaled(slope: float, intercept: float) -> Callable[[int, Dataset], None]:
    def edit(_, image: Dataset) -> None:
        hu = np.frombuffer(image.PixelData, "<u2").astype(int) - 1024
        image.RescaleSlope, image.RescaleIntercept = str(slope), str(intercept)
        store(image, hu)

    return edit


def with_overlay(_, image: Dataset) -> None:
    image.BitsStored, image.HighBit = 12, 11
    set_pixels(image, np.frombuffer(image.PixelData, "<u2") | np.uint16(0x1000))


def signed(_, image: Dataset) -> None:
    hu = np.frombuffer(image.PixelData, "<u2").astype(int) - 1024
    image.PixelRepresentation, image.RescaleIntercept = 1, "0"
    store(image, hu)


def own_rescale(index: int, image: Dataset) -> None:
    rescaled(1, -1000 - index)(index, image)


def shuffled_frames(image: Dataset) -> None:
    order = [2, 0, 3, 1]
    frames = list(image.PerFrameFunctionalGroupsSequence)
    image.PerFrameFunctionalGroupsSequence = [frames[i] for i in order]
    pixels = np.frombuffer(image.PixelData, "<u2").reshape(4, -1)
    set_pixels(image, pixels[order])


def to_shared(image: Dataset) -> None:
    sequence = "PixelValueTransformationSequence"
    group = group_of(image, 0, sequence)
    for frame in image.PerFrameFunctionalGroupsSequence:
        del frame[sequence]
    setattr(image.SharedFunctionalGroupsSequence[0], sequence, [group])


def without_group(sequence: str, frame: int | None = None) -> Callable[[Dataset], None]:
    def edit(image: Dataset) -> None:
        frames = image.PerFrameFunctionalGroupsSequence
        item = image.SharedFunctionalGroupsSequence[0] if frame is None else frames[frame]
        del item[sequence]

    return edit


def two_frame_spacings(image: Dataset) -> None:
    measures = image.SharedFunctionalGroupsSequence[0]
    del measures["PixelMeasuresSequence"]
    for index, frame in enumerate(image.PerFrameFunctionalGroupsSequence):
        spacing = list(SPACING) if index < 2 else [0.9, 0.9]
        add_group(frame, "PixelMeasuresSequence", PixelSpacing=spacing)


def frame_content(keyword: str, *values) -> Callable[[Dataset], None]:
    def edit(image: Dataset) -> None:
        for frame, value in zip(image.PerFrameFunctionalGroupsSequence, values, strict=True):
            add_group(frame, "FrameContentSequence", **{keyword: value})

    return edit


def fewer_descriptions(image: Dataset) -> None:
    image.PerFrameFunctionalGroupsSequence = list(image.PerFrameFunctionalGroupsSequence)[:3]


def as_segmentation(image: Dataset) -> None:
    fewer_descriptions(image)
    image.SOPClassUID, image.Modality = "1.2.840.10008.5.1.4.1.1.66.4", "SEG"
    image.SeriesInstanceUID = OTHER


def as_modality_lut(_, image: Dataset) -> None:
    table = Dataset()
    table.LUTDescriptor, table.ModalityLUTType, table.LUTData = [2, 0, 16], "HU", b"\0\0\1\0"
    image.ModalityLUTSequence = [table]


def as_8_bits(_, image: Dataset) -> None:
    image.BitsStored, image.HighBit = 8, 7


def as_colours(_, image: Dataset) -> None:
    image.SamplesPerPixel, image.PhotometricInterpretation, image.PlanarConfiguration = 3, "RGB", 0
    image.BitsAllocated, image.BitsStored, image.HighBit = 8, 8, 7
    set_pixels(image, np.zeros((image.Rows, image.Columns, 3), np.uint8))


def with_corner_padding(value: int, intercept: int) -> Callable[[int, Dataset], None]:
    """Return an edit that stores padding in a corner and as one pixel in the middle."""

    def edit(_, image: Dataset) -> None:
        pixels = np.frombuffer(image.PixelData, "<u2").reshape(image.Rows, image.Columns).copy()
        pixels += np.uint16(-1024 - intercept)
        pixels[:8, :8] = pixels[10, 10] = value
        image.RescaleIntercept = str(intercept)
        image.PixelPaddingValue = value
        set_pixels(image, pixels)

    return edit


def scout(number: int | None = 1, uid: str = OTHER) -> Writer:
    return slices(
        [0.0],
        first=50,
        SeriesInstanceUID=uid,
        SeriesNumber=number,
        ImageType=["ORIGINAL", "PRIMARY", "LOCALIZER"],
        ImageOrientationPatient=[1, 0, 0, 0, 0, -1],
    )


def report(folder: Path) -> None:
    image = ct_slice(instance=70)
    for keyword in ("PixelData", "Rows", "Columns"):
        delattr(image, keyword)
    image.SOPClassUID, image.Modality = "1.2.840.10008.5.1.4.1.1.88.22", "SR"
    write(image, folder / "report.dcm")


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
    image.FloatPixelData = np.zeros((image.Rows, image.Columns), np.float32).tobytes()
    write(image, folder / "map.dcm")


def directory(folder: Path) -> None:
    image = Dataset()
    image.ensure_file_meta()
    image.file_meta.TransferSyntaxUID = "1.2.840.10008.1.2.1"
    image.file_meta.MediaStorageSOPInstanceUID = "1.2.3"
    image.SOPClassUID = "1.2.840.10008.1.3.10"
    image.SOPInstanceUID = "1.2.3"
    write(image, folder / "DICOMDIR")


def without_preamble(implicit: bool) -> Writer:
    def make(folder: Path) -> None:
        write_slices(folder)
        for path in folder.iterdir():
            image = Dataset(dcmread(path))
            dcmwrite(path, image, implicit_vr=implicit, little_endian=True)

    return make


INVERTED = ("PhotometricInterpretation", "MONOCHROME1")

READ: dict[str, Writer] = {
    "plain": slices(),
    "files without a suffix": slices(suffix=""),
    "files named by UID": slices(suffix=".1.2.840.77"),
    "suffix in capitals": slices(suffix=".IMA"),
    "implicit VR": slices(edit=encoded(ImplicitVRLittleEndian)),
    "big endian": slices(edit=encoded(ExplicitVRBigEndian)),
    "deflated": slices(edit=encoded(DeflatedExplicitVRLittleEndian)),
    "run lengths": slices(edit=compressed(RLELossless)),
    "12 bits of 16": slices(BitsStored=12, HighBit=11),
    "overlay in the high bits": slices(edit=with_overlay),
    "signed pixels": slices(edit=signed),
    "slope of a half": slices(edit=rescaled(0.5, -1024)),
    "a rescale of its own for each slice": slices(edit=own_rescale),
    "MONOCHROME1": slices(PhotometricInterpretation="MONOCHROME1"),
    "signed MONOCHROME1": slices(
        edit=lambda i, image: (signed(i, image), change(image, *INVERTED)),
    ),
    "half of the series in a sub-folder": half_in_subfolder,
    "all in a deep sub-folder": inside("a/b c/d", slices()),
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
    "beside a named pipe": both(slices(), lambda folder: os.mkfifo(folder / "s00.dcm")),
    "beside a dangling link to a text": both(
        slices(), lambda folder: (folder / "a.txt").symlink_to("gone")
    ),
    "a folder that links to itself": both(
        slices(), lambda folder: (folder / "loop").symlink_to(folder)
    ),
    "a copy of a slice in a sub-folder": both(
        slices(), on_file(lambda path: shutil.copytree(path.parent, path.parent / "copy"))
    ),
    "beside a scout": both(slices(), scout()),
    "a scout in the series of the scan": both(slices(), scout(3, SERIES)),
    "beside a dose report as a picture": both(
        slices(),
        slices([0.0], first=60, SOPClassUID=SecondaryCaptureImageStorage, SeriesNumber=900),
    ),
    "beside a single slice": both(
        slices(), slices([0.0], first=60, SeriesInstanceUID=OTHER, SeriesNumber=2)
    ),
    "beside bolus tracking at one position": both(
        slices(), slices([0.0] * 5, first=60, SeriesInstanceUID=OTHER, SeriesNumber=2)
    ),
    "beside an MR": both(
        slices(), slices(first=60, SeriesInstanceUID=OTHER, SeriesNumber=2, Modality="MR")
    ),
    "beside a damaged MR": both(
        slices([0.0], SeriesInstanceUID=OTHER, SeriesNumber=1, Modality="MR"),
        on_file(cut_before(b"\x28\x00\x02\x00")),
        slices(first=60),
    ),
    "beside a private object of the scan": both(slices(), private_object),
    "beside a map of floats": both(slices(), float_map),
    "beside a segmentation without descriptions": both(
        slices(), enhanced(edit=as_segmentation, name="seg.dcm")
    ),
    "beside a damaged slice of another series": both(
        slices([0.0], SeriesInstanceUID=OTHER, SeriesNumber=1),
        slices([0.0], first=2, SeriesInstanceUID=OTHER, SeriesNumber=1),
        on_file(cut_before(b"\x28\x00\x02\x00")),
        slices(first=60),
    ),
    "pixel spacings that differ by 1e-8": slices(
        edit=lambda i, image: change(image, "PixelSpacing", [0.8, f"{0.7 + i * 1e-8:.10f}"])
    ),
    "Spacing Between Slices 0": slices(SpacingBetweenSlices="0"),
    "an acquisition for each slice": slices(
        edit=lambda i, image: change(image, "AcquisitionNumber", i + 1)
    ),
    "a time for each slice": slices(
        edit=lambda i, image: change(image, "AcquisitionTime", f"1200{i:02d}")
    ),
    "tube voltage as 120 and 120.0": alternating("KVP", "120", "120.0", heights=HEIGHTS),
    "Rescale Type HU in some slices": one(1, RescaleType="HU"),
    "no UID of the series": slices(SeriesInstanceUID=""),
    "no SOP class, series or study": slices(
        SOPClassUID="", SeriesInstanceUID="", StudyInstanceUID="", SeriesNumber=None
    ),
    "an anonymised SOP class": slices(SOPClassUID="1.2.826.0.1.3680043.9.1"),
    "without preamble, implicit": without_preamble(True),
    "without preamble, explicit": without_preamble(False),
    "multi-frame": enhanced(),
    "multi-frame, unsorted": enhanced(edit=shuffled_frames),
    "multi-frame, rescale of each frame": enhanced(
        rescales=[(1, -1024), (0.5, -1000), (1, -1100), (0.25, -1024)]
    ),
    "multi-frame, shared rescale": enhanced(edit=to_shared),
    "multi-frame, run lengths": enhanced(edit=lambda image: image.compress(RLELossless)),
    "multi-frame in two files": both(
        enhanced(HEIGHTS[:2], name="1.dcm"), enhanced(HEIGHTS[2:], 2, name="2.dcm")
    ),
    "multi-frame, legacy conversion": enhanced(
        edit=lambda image: change(image, "SOPClassUID", "1.2.840.10008.5.1.4.1.1.2.2")
    ),
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "scän 1"


@pytest.mark.parametrize("writer", READ.values(), ids=READ)
def test_a_whole_stack_is_read_with_its_hu_and_geometry(writer: Writer, folder: Path):
    writer(folder)
    volume = read_volume(folder)
    np.testing.assert_array_equal(volume.hu, bodies(HEIGHTS))
    check_geometry(volume)


def check_geometry(volume: CtVolume) -> None:
    assert volume.origin == (-10.5, -20.25, 0.0)
    np.testing.assert_allclose(volume.spacing, (SPACING[1], SPACING[0], 2.5), atol=1e-7)
    assert volume.direction == (1, 0, 0, 0, 1, 0, 0, 0, 1)


REFUSED: dict[str, tuple[Writer, tuple[str, ...]]] = {
    "first file empty": (both(slices(), on_file(cut(0))), ("1 file", "s00_1.dcm is empty")),
    "last file empty": (both(slices(), on_file(cut(0), -1)), ("s71_1.dcm is empty",)),
    "empty file without suffix": (both(slices(suffix=""), on_file(cut(0))), ("s00_1 is empty",)),
    "first file of 100 bytes": (
        both(slices(), on_file(lambda path: path.write_bytes(b"\0" * 100))),
        ("s00_1.dcm is not a DICOM file",),
    ),
    "cut in the header": (
        both(slices(), on_file(cut_before(b"\x28\x00\x02\x00"))),
        ("Series 3", "s00_1.dcm is damaged or incomplete"),
    ),
    "cut in the first elements": (
        both(slices(), on_file(cut_before(b"\x08\x00\x60\x00"))),
        ("s00_1.dcm is damaged or incomplete",),
    ),
    "cut after the preamble": (
        both(slices(), on_file(lambda path: path.write_bytes(path.read_bytes()[:132]))),
        ("s00_1.dcm is damaged or incomplete",),
    ),
    "cut in the pixels": (both(slices(), on_file(cut(0.9))), ("s00_1.dcm cannot be read",)),
    "last cut in the pixels": (
        both(slices(), on_file(cut(0.9), -1)),
        ("s71_1.dcm cannot be read",),
    ),
    "cut run lengths": (
        both(slices(edit=compressed(RLELossless)), on_file(cut(0.9))),
        ("s00_1.dcm", "damaged"),
    ),
    "no pixels": (one(0, PixelData=None), ("s00_1.dcm is damaged or incomplete",)),
    "an error page as a slice": (
        both(slices(), beside("s9.dcm", b"<html>404</html>")),
        ("s9.dcm is not a DICOM file",),
    ),
    "a partial download": (
        both(slices(), on_file(lambda p: p.with_suffix(".part").write_bytes(p.read_bytes()[:300]))),
        ("s00_1.part is damaged",),
    ),
    "four broken files": (
        both(slices(), *(beside(f"x{i}.dcm", b"") for i in range(4))),
        ("4 files", "x2.dcm", "and 1 more"),
    ),
    "a dangling link": (
        both(slices(), lambda folder: (folder / "x.dcm").symlink_to("gone")),
        ("x.dcm is a link to a file that does not exist",),
    ),
    "a dangling link without suffix": (
        both(slices(suffix=""), lambda folder: (folder / "x").symlink_to("gone")),
        ("x is a link",),
    ),
    "a link to itself": (
        both(slices(), lambda folder: (folder / "x.dcm").symlink_to("x.dcm")),
        ("x.dcm is a link that leads back to itself",),
    ),
    "a broken file with the suffix dicom": (
        both(slices(), beside("x.dicom", b"")),
        ("x.dicom is empty",),
    ),
    "broken files only": (
        both(slices([0.0]), on_file(cut(0))),
        ("contains no DICOM files but 1 file",),
    ),
    "a report only": (both(slices([0.0]), on_file(Path.unlink), report), ("no DICOM files:",)),
    "a missing slice": (slices([0, 2.5, 7.5, 10]), ("lacks slices", "2.5 to 5 mm")),
    "distances that change by less than a tenth": (
        slices(np.cumsum([0] + 12 * [2.5] + 12 * [2.72]).tolist()),
        ("change along the scan, so that",),
    ),
    "repeats": (slices([0, 0, 2.5, 2.5]), ("at one position",)),
    "slices shifted sideways": (
        one(2, ImagePositionPatient=[-2.5, -20.25, 5]),
        ("shifted sideways",),
    ),
    "no position": (
        one(1, ImagePositionPatient=None),
        ("s71_1.dcm has no position (Image Position, 0020,0032)",),
    ),
    "empty position": (one(1, ImagePositionPatient=""), ("s71_1.dcm has no position",)),
    "no position anywhere": (slices(ImagePositionPatient=None), ("4 such slices",)),
    "no direction": (one(1, ImageOrientationPatient=None), ("s71_1.dcm has no direction",)),
    "no pixel spacing": (one(1, PixelSpacing=None), ("s71_1.dcm has no pixel spacing",)),
    "no pixel spacing anywhere": (slices(PixelSpacing=None), ("has no pixel spacing",)),
    "Imager Pixel Spacing only": (
        slices(PixelSpacing=None, ImagerPixelSpacing=[0.8, 0.7]),
        ("has no pixel spacing",),
    ),
    "pixel spacing 0": (slices(PixelSpacing=[0, 0]), ("Pixel Spacing", "of 0")),
    "one number as pixel spacing": (
        slices(PixelSpacing=["0.7"]),
        ("s00_1.dcm has the PixelSpacing '0.7' instead of 2 numbers",),
    ),
    "two slopes": (
        one(1, RescaleSlope=["1", "2"]),
        ("s71_1.dcm has the RescaleSlope '1\\2' instead of a number",),
    ),
    "rows that are text": (
        both(slices(), on_file(as_text_rows)),
        ("s00_1.dcm is damaged or incomplete",),
    ),
    "an intercept is missing": (
        one(2, RescaleIntercept=None),
        ("s42_1.dcm has no rescale intercept (0028,1052)",),
    ),
    "a slope is missing": (one(2, RescaleSlope=None), ("s42_1.dcm has no rescale slope",)),
    "no rescale anywhere": (
        slices(RescaleSlope=None, RescaleIntercept=None),
        ("has no rescale slope", "4 such slices"),
    ),
    "slope 0": (one(2, RescaleSlope="0"), ("Rescale Slope of 0",)),
    "axes that are not perpendicular": (
        slices(ImageOrientationPatient=[1, 0, 0, 0.5, 1, 0]),
        ("not perpendicular unit vectors",),
    ),
    "two scans without UIDs": (
        both(
            slices(SeriesInstanceUID="", suffix=".a.dcm"),
            slices([10, 12.5, 15, 17.5], SeriesInstanceUID="", suffix=".b.dcm"),
        ),
        ("Series Instance UID", "instance numbers"),
    ),
    "no UID and no instance numbers": (
        slices(SeriesInstanceUID="", InstanceNumber=None),
        ("Series Instance UID", "instance numbers"),
    ),
    "a perfusion map": (slices(RescaleType="ML/100ML/MIN"), ("ML/100ML/MIN (Rescale Type)",)),
    "an iodine map": (slices(RescaleType="MGML"), ("values in MGML", "not in HU")),
    "a map by its image type": (
        slices(ImageType=["DERIVED", "PRIMARY", "AXIAL", "MAT_SPECIFIC"]),
        ("is a map", "MAT_SPECIFIC"),
    ),
    "perfusion by its image type": (
        slices(ImageType=["DERIVED", "SECONDARY", "PERFUSION", "CBF"]),
        ("is a map",),
    ),
    "a subtraction": (
        slices(ImageType=["DERIVED", "PRIMARY", "VOLUME", "SUBTRACTION"]),
        ("is a map",),
    ),
    "a maximum over time": (
        slices(ImageType=["DERIVED", "PRIMARY", "VOLUME", "MAXIMUM"]),
        ("projection",),
    ),
    "an electron density": (
        slices(ImageType=["DERIVED", "PRIMARY", "AXIAL", "ELECTRON_DENSITY"]),
        ("is a map",),
    ),
    "a secondary capture": (
        slices(SOPClassUID=SecondaryCaptureImageStorage),
        ("Secondary Capture Image Storage",),
    ),
    "a screenshot": (
        slices(ImageType=["DERIVED", "SECONDARY", "SCREEN SAVE"]),
        ("secondary capture",),
    ),
    "a MIP": (slices(ImageType=["DERIVED", "SECONDARY", "MIP"]), ("projection", "MIP")),
    "a Siemens MIP": (slices(ImageType=["DERIVED", "PRIMARY", "CT_SOM5 MIP"]), ("projection",)),
    "8 bits": (slices(edit=as_8_bits), ("8 bits per pixel",)),
    "one slice of 8 bits": (
        slices(edit=lambda i, image: as_8_bits(i, image) if i == 3 else None),
        ("8 bits per pixel",),
    ),
    "colours": (slices(edit=as_colours), ("has colours (RGB)",)),
    "a table of values": (slices(edit=as_modality_lut), ("Modality LUT",)),
    "MR": (slices(Modality="MR"), ("has the modality MR",)),
    "a scout only": (scout(), ("is a scout",)),
    "values outside int16": (slices(RescaleSlope="100"), ("outside the range of HU",)),
    "a compression that GDCM lacks": (
        slices(edit=lambda i, image: as_htj2k(image)),
        ("compressed as High-Throughput JPEG 2000", "export it uncompressed"),
    ),
    "damaged JPEG 2000": (
        slices(edit=lambda i, image: as_damaged_jpeg_2000(image)),
        ("s00_1.dcm cannot be read",),
    ),
    "multi-frame with a gap": (enhanced([0, 2.5, 7.5, 10]), ("lacks slices",)),
    "multi-frame, repeats": (enhanced([0, 0, 2.5, 2.5]), ("at one position",)),
    "multi-frame, a frame without position": (
        enhanced(edit=without_group("PlanePositionSequence", 1)),
        ("enhanced.dcm, frame 2 has no position",),
    ),
    "multi-frame, a frame without rescale": (
        enhanced(edit=without_group("PixelValueTransformationSequence", 3)),
        ("frame 4 has no rescale slope",),
    ),
    "multi-frame, rescale at the top only": (
        enhanced(
            edit=lambda image: (
                to_shared(image),
                without_group("PixelValueTransformationSequence")(image),
                change(image, "RescaleSlope", "1"),
                change(image, "RescaleIntercept", "-1024"),
            )
        ),
        ("frame 1 has no rescale slope",),
    ),
    "multi-frame without spacing": (
        enhanced(edit=without_group("PixelMeasuresSequence")),
        ("has no pixel spacing",),
    ),
    "multi-frame, a frame is not described": (
        enhanced(edit=fewer_descriptions),
        ("describes 3 of its 4 frames",),
    ),
    "multi-frame, cut in the pixels": (
        both(enhanced(), on_file(cut(0.8))),
        ("enhanced.dcm cannot be read",),
    ),
    "multi-frame without descriptions": (
        slices([0.0], NumberOfFrames=4),
        ("frame 1 has no position",),
    ),
    "multi-frame MIP": (
        enhanced(edit=lambda image: change(image, "VolumeBasedCalculationTechnique", "MAX_IP")),
        ("projection", "MAX_IP"),
    ),
}


def as_htj2k(image: Dataset) -> None:
    image.PixelData = b"\xfe\xff\x00\xe0\0\0\0\0\xfe\xff\x00\xe0\x02\0\0\0\xff\xd9"
    image.file_meta.TransferSyntaxUID = HTJ2KLossless
    image["PixelData"].is_undefined_length = True


def as_damaged_jpeg_2000(image: Dataset) -> None:
    as_htj2k(image)
    image.file_meta.TransferSyntaxUID = "1.2.840.10008.1.2.4.90"


@pytest.mark.parametrize(("writer", "words"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_read_safely_is_refused_with_its_reason(
    writer: Writer, words: tuple[str, ...], folder: Path, capfd
):
    writer(folder)
    with pytest.raises(BadInputError) as caught:
        read_volume(folder)
    text = str(caught.value)
    assert [word for word in words if word not in text] == [], text
    assert "\n" not in text
    assert capfd.readouterr() == ("", "")


def test_a_file_cut_anywhere_is_refused(folder: Path):
    write_slices(folder)
    path = min(folder.iterdir())
    content = path.read_bytes()
    accepted = []
    for length in range(0, len(content), 13):
        path.write_bytes(content[:length])
        try:
            read_volume(folder)
        except BadInputError:
            continue
        accepted.append(length)
    assert len(content) > 1500 and accepted == []


@pytest.mark.parametrize("length", [0x22, 226, 0x7F])
def test_a_file_with_a_damaged_length_is_refused(length: int, folder: Path):
    write_slices(folder)
    path = min(folder.iterdir())
    before, instance, after = path.read_bytes().partition(b"\x20\0\x13\0IS")
    assert after.startswith(b"\2\0")
    path.write_bytes(before + instance + bytes([length]) + after[1:])
    with pytest.raises(BadInputError, match=r"1 file .*s00_1\.dcm is damaged"):
        read_volume(folder)


SIX = (0.0, 2.5, 5.0, 7.5, 10.0, 12.5)
CHOICES: dict[str, tuple[Writer, dict[str, tuple[float, ...]], tuple[str, ...]]] = {
    "two patients under one UID": (
        alternating("PatientID", "P1", "P2"),
        {"3.1": SIX[::2], "3.2": SIX[1::2]},
        ("patient P1", "patient P2"),
    ),
    "two studies under one UID": (
        alternating("StudyInstanceUID", "1.2.1", "1.2.2"),
        {"3.1": SIX[::2], "3.2": SIX[1::2]},
        ("study 1.2.1",),
    ),
    "two frames of reference": (
        alternating("FrameOfReferenceUID", "1.2.1", "1.2.2"),
        {"3.1": SIX[::2], "3.2": SIX[1::2]},
        ("frame of reference",),
    ),
    "two kernels": (
        alternating("ConvolutionKernel", "B40f", "B70f"),
        {"3.1": SIX[::2], "3.2": SIX[1::2]},
        ("kernel B40f", "kernel B70f"),
    ),
    "80 and 140 kV": (
        alternating("KVP", "140", "80"),
        {"3.1": SIX[1::2], "3.2": SIX[::2]},
        ("kV 80", "kV 140"),
    ),
    "a kernel change in the middle": (
        slices(SIX, edit=lambda i, im: change(im, "ConvolutionKernel", "AB"[i // 3])),
        {"3.1": SIX[:3], "3.2": SIX[3:]},
        ("kernel A", "kernel B"),
    ),
    "one slice without kernel": (
        one(3, ConvolutionKernel=None),
        {"3.1": HEIGHTS[3:], "3.2": HEIGHTS[:3]},
        ("1 slice, kernel -",),
    ),
    "two thicknesses": (
        alternating("SliceThickness", "5", "1.0"),
        {"3.1": SIX[1::2], "3.2": SIX[::2]},
        ("thickness 1,", "thickness 5,"),
    ),
    "two image types": (
        alternating("ImageType", ["ORIGINAL", "PRIMARY", "AXIAL"], ["DERIVED", "PRIMARY", "MPR"]),
        {"3.1": SIX[1::2], "3.2": SIX[::2]},
        ("image type",),
    ),
    "two acquisitions": (
        both(slices(), slices(first=20, offset=5, AcquisitionNumber=2)),
        {"3.1": HEIGHTS, "3.2": HEIGHTS},
        ("acquisition 1", "acquisition 2"),
    ),
    "two acquisitions, interleaved": (
        alternating("AcquisitionNumber", 1, 2),
        {"3.1": SIX[::2], "3.2": SIX[1::2]},
        ("acquisition 1",),
    ),
    "two ranges": (
        both(slices(), slices([100, 102.5, 105], first=20, AcquisitionNumber=2)),
        {"3.1": HEIGHTS, "3.2": (100, 102.5, 105)},
        ("acquisition 2",),
    ),
    "ten acquisitions and a second": (
        both(slices(AcquisitionNumber=10), slices(first=20, AcquisitionNumber=2)),
        {"3.1": HEIGHTS, "3.2": HEIGHTS},
        ("3.1: 'Thorax', CT, 4 slices, acquisition 2",),
    ),
    "two temporal positions": (
        both(
            slices(TemporalPositionIdentifier=1), slices(first=20, TemporalPositionIdentifier="2")
        ),
        {"3.1": HEIGHTS, "3.2": HEIGHTS},
        ("phase 1", "phase 2"),
    ),
    "two cardiac phases": (
        both(
            slices(NominalPercentageOfCardiacPhase=40.0),
            slices(first=20, NominalPercentageOfCardiacPhase=75.0),
        ),
        {"3.1": HEIGHTS, "3.2": HEIGHTS},
        ("phase 75",),
    ),
    "two times": (
        both(slices(AcquisitionTime="101500"), slices(first=20, AcquisitionTime="101530")),
        {"3.1": HEIGHTS, "3.2": HEIGHTS},
        ("acquisition time 101500",),
    ),
    "two folders": (
        both(inside("early", slices()), inside("late", slices(first=20))),
        {"3.1": HEIGHTS, "3.2": HEIGHTS},
        ("folder early", "folder late"),
    ),
    "two folders of one name": (
        both(inside("a/CT", slices()), inside("b/CT", slices(first=20))),
        {"3.1": HEIGHTS, "3.2": HEIGHTS},
        ("folder a/CT", "folder b/CT"),
    ),
    "a folder and its sub-folder": (
        both(slices(), inside("late", slices(first=20))),
        {"3.1": HEIGHTS, "3.2": HEIGHTS},
        ("folder .,", "folder late"),
    ),
    "two folders of one name without UIDs": (
        both(
            inside("a/CT", slices(SeriesInstanceUID="")),
            inside("b/CT", slices(SIX, first=20, SeriesInstanceUID="")),
        ),
        {"3.1": HEIGHTS, "3.2": SIX},
        ("folder a/CT", "folder b/CT"),
    ),
    "two sizes": (
        both(slices(), lambda folder: write(smaller_slice(), folder / "x.dcm")),
        {},
        ("size 20×24", "size 18×24"),
    ),
    "two directions": (
        both(slices(), slices(SIX, first=20, ImageOrientationPatient=[0, 1, 0, -1, 0, 0])),
        {},
        (),
    ),
    "axial and tilted": (
        both(slices(), slices(first=20, ImageOrientationPatient=[1, 0, 0, 0, 0.8, 0.6])),
        {},
        ("geometry 0.8×0.7 mm along 0.000 -0.600 0.800",),
    ),
    "two spacings": (
        both(slices(), slices(SIX, first=20, PixelSpacing=[0.9, 0.9])),
        {"3.1": HEIGHTS, "3.2": SIX},
        ("0.9×0.9 mm",),
    ),
    "one slice without HU": (
        one(3, RescaleType="MGML"),
        {"3.1": HEIGHTS[:3]},
        ("unit HU", "unit MGML"),
    ),
    "two series": (
        both(slices(), slices(SIX, first=20, SeriesInstanceUID=OTHER, SeriesNumber=12)),
        {"3": HEIGHTS, "12": SIX, SERIES: HEIGHTS, OTHER: SIX},
        ("contains 2 DICOM series", "--series NUMBER|UID:"),
    ),
    "two series of one number": (
        both(slices(), slices(SIX, first=20, SeriesInstanceUID=OTHER)),
        {SERIES: HEIGHTS, OTHER: SIX},
        ("contains 2 DICOM series",),
    ),
    "two series without numbers": (
        both(
            slices(SeriesNumber=None),
            slices(SIX, first=20, SeriesInstanceUID=OTHER, SeriesNumber=None),
        ),
        {SERIES: HEIGHTS, OTHER: SIX},
        (),
    ),
    "two scans without UIDs at two times": (
        both(
            slices(SeriesInstanceUID="", SeriesTime="101500"),
            slices(SIX, first=20, SeriesInstanceUID="", SeriesTime="111500"),
        ),
        {"3.1": HEIGHTS, "3.2": SIX},
        ("series time 101500", "UID none"),
    ),
    "multi-frame, two spacings": (
        enhanced(edit=two_frame_spacings),
        {"3.1": HEIGHTS[:2], "3.2": HEIGHTS[2:]},
        ("0.9×0.9 mm",),
    ),
    "multi-frame, two time points": (
        enhanced([0, 2.5, 0, 2.5], edit=frame_content("TemporalPositionIndex", 1, 1, 2, 2)),
        {"3.1": HEIGHTS[:2], "3.2": HEIGHTS[:2]},
        ("phase 1", "phase 2"),
    ),
    "multi-frame, two acquisitions": (
        enhanced([0, 2.5, 0, 2.5], edit=frame_content("FrameAcquisitionNumber", 1, 1, 2, 2)),
        {"3.1": HEIGHTS[:2], "3.2": HEIGHTS[:2]},
        ("acquisition 1",),
    ),
    "multi-frame, two stacks": (
        enhanced([0, 2.5, 40, 42.5], edit=frame_content("StackID", "1", "1", "2", "2")),
        {"3.1": HEIGHTS[:2], "3.2": (40, 42.5)},
        ("stack 2",),
    ),
    "two multi-frame files of one position": (
        both(enhanced(name="1.dcm"), enhanced(instance=2, name="2.dcm")),
        {"3.1": HEIGHTS, "3.2": HEIGHTS},
        ("file 1.dcm", "file 2.dcm"),
    ),
}


def smaller_slice() -> Dataset:
    image = ct_slice(10.0, 50)
    image.Rows = 18
    store(image, body(10.0)[:18])
    return image


@pytest.mark.parametrize(("writer", "stacks", "words"), CHOICES.values(), ids=CHOICES)
def test_several_stacks_are_offered_as_choices(
    writer: Writer, stacks: dict[str, tuple[float, ...]], words: tuple[str, ...], folder: Path
):
    writer(folder)
    with pytest.raises(BadInputError, match="choose one with --series") as caught:
        read_volume(folder)
    text = str(caught.value)
    assert [word for word in words if word not in text] == [], text
    for choice, heights in stacks.items():
        hu = read_volume(folder, series=choice).hu
        offset = hu[0, 0, -1] - bodies(heights)[0, 0, -1]
        np.testing.assert_array_equal(hu, bodies(heights, offset))


WARNED: dict[str, tuple[Writer, str]] = {
    "loss by its flag": (slices(LossyImageCompression="01"), "compressed with loss"),
    "loss in one slice": (one(2, LossyImageCompression="01"), "compressed with loss"),
    "burned-in text": (slices(BurnedInAnnotation="YES"), "burned-in text"),
    "monoenergetic by image type": (
        slices(ImageType=["DERIVED", "PRIMARY", "AXIAL", "VMI"]),
        "monoenergetic",
    ),
    "monoenergetic by name": (slices(SeriesDescription="Abdomen 70 keV"), "monoenergetic"),
    "denoised by name": (slices(SeriesDescription="Thorax denoised"), "denoised already"),
    "denoised by derivation": (
        slices(DerivationDescription="Derived by PseudoCTDenoise."),
        "denoised already",
    ),
    "secondary": (slices(ImageType=["DERIVED", "SECONDARY", "MPR"]), "from other images"),
    "an average of slices": (
        slices(ImageType=["DERIVED", "SECONDARY", "REFORMATTED", "AVERAGE", "MPR"]),
        "from other images",
    ),
    "a material removed": (
        slices(ImageType=["DERIVED", "PRIMARY", "AXIAL", "MAT_REMOVED"]),
        "A material was removed from the images or changed (Image Type MAT_REMOVED)",
    ),
    "a material changed": (
        slices(ImageType=["DERIVED", "PRIMARY", "AXIAL", "MAT_MODIFIED"]),
        "(Image Type MAT_MODIFIED)",
    ),
    "derived from a perfusion study": (
        slices(ImageType=["DERIVED", "PRIMARY", "AXIAL", "PERFUSION"]),
        "may be a map and not a CT in HU (Image Type PERFUSION)",
    ),
    "derived with iodine": (
        slices(ImageType=["DERIVED", "PRIMARY", "AXIAL", "IODINE"]),
        "(Image Type IODINE)",
    ),
    "an unknown SOP class": (slices(SOPClassUID="1.2.3.4"), "SOP Class UID"),
    "an unspecified unit": (slices(RescaleType="US"), "Rescale Type US"),
    "a scout left out": (both(slices(), scout()), "left out: 1: 'Thorax', scout, 1 slice"),
}


@pytest.mark.parametrize(("writer", "words"), WARNED.values(), ids=WARNED)
def test_what_may_spoil_the_result_is_a_warning(writer: Writer, words: str, folder: Path):
    writer(folder)
    volume = read_volume(folder)
    assert len(volume.hu) == 4
    (text,) = volume.warnings
    assert words in text


@pytest.mark.parametrize(
    "image_type",
    [
        "ORIGINAL/PRIMARY/AXIAL/CT_SOM5 SPI",
        "ORIGINAL/PRIMARY/AXIAL/CT_SOM7 SPI DUAL/STD/SNRG/DET_AB",
        "ORIGINAL/PRIMARY/AXIAL/PERFUSION",
        "ORIGINAL/PRIMARY/AXIAL/HELICAL_CT",
        "ORIGINAL/PRIMARY/PERFUSION/NONE",
        "ORIGINAL/PRIMARY/VOLUME/NONE",
        "DERIVED/PRIMARY/AXIAL",
        "DERIVED/PRIMARY/AXIAL/CT_SOM5 SPI",
        "DERIVED/PRIMARY/VOLUME/RESAMPLED",
        "DERIVED/PRIMARY/AXIAL/MPR",
        "",
    ],
)
def test_image_types_of_ct_slices_are_read_without_a_warning(image_type: str, folder: Path):
    volume = read_volume(write_slices(folder, ImageType=image_type.split("/")))
    assert len(volume.hu) == len(HEIGHTS)
    assert volume.warnings == ()


def test_a_plain_scan_has_uids_and_no_warning(folder: Path):
    volume = read_volume(write_slices(folder))
    assert volume.warnings == ()
    assert volume.uids == {
        "study_uid": f"{SERIES[:-2]}.1",
        "series_uid": SERIES,
        "frame_of_reference_uid": f"{SERIES[:-2]}.3",
    }


@pytest.mark.parametrize(("value", "intercept"), [(4095, -1024), (0, 0)])
def test_bright_padding_around_the_image_becomes_air(value: int, intercept: int, folder: Path):
    heights = HEIGHTS if intercept else (100.0, 102.5)  # all tissue is positive
    edit = with_corner_padding(value, intercept) if intercept else shifted_padding
    volume = read_volume(write_slices(folder, heights, edit=edit))
    assert (volume.hu[:, :8, :8] == -1024).all()
    assert (volume.hu[:, 10, 10] == value + intercept).all()
    np.testing.assert_array_equal(volume.hu[:, 11:], bodies(heights)[:, 11:])
    assert "Padding around the images" in volume.warnings[0]


def shifted_padding(index: int, image: Dataset) -> None:
    """Store signed HU with padding of 0 HU."""
    signed(index, image)
    pixels = np.frombuffer(image.PixelData, "<i2").reshape(image.Rows, image.Columns).copy()
    pixels[:8, :8] = pixels[10, 10] = 0
    image.PixelPaddingValue = 0
    set_pixels(image, pixels)


def test_an_end_slice_without_the_uid_of_its_series_is_not_left_out(folder: Path):
    one(-1 % len(HEIGHTS), SeriesInstanceUID="")(folder)
    with pytest.raises(BadInputError, match="choose one with --series"):
        read_volume(folder)


def test_tissue_at_the_border_that_has_the_value_of_padding_is_kept(folder: Path):
    def edit(index: int, image: Dataset) -> None:
        signed(index, image)
        pixels = np.frombuffer(image.PixelData, "<i2").reshape(image.Rows, image.Columns).copy()
        pixels[:] = 40 + np.arange(pixels.size).reshape(pixels.shape) % 7
        pixels[0, 5] = pixels[9, 0] = 0
        image.PixelPaddingValue = 0
        set_pixels(image, pixels)

    volume = read_volume(write_slices(folder, edit=edit))
    assert (volume.hu[:, 0, 5] == 0).all() and (volume.hu[:, 9, 0] == 0).all()


@pytest.mark.parametrize(
    "function", ["dicom_voxels.iter_pixels", "dicom_files.dcmread", "dicom_series.slice_of"]
)
def test_lack_of_memory_is_not_a_damaged_file(folder: Path, monkeypatch, function):
    def fail(*arguments, **options):
        raise MemoryError

    monkeypatch.setattr(f"PseudoCTDenoiseLib.ct.io.{function}", fail)
    with pytest.raises(MemoryError):
        read_volume(write_slices(folder))


def test_padding_below_air_stays_as_it_is(folder: Path):
    def edit(index: int, image: Dataset) -> None:
        signed(index, image)
        pixels = np.frombuffer(image.PixelData, "<i2").reshape(image.Rows, image.Columns).copy()
        pixels[:8, :8] = -2000
        image.PixelPaddingValue = -2000
        set_pixels(image, pixels)

    volume = read_volume(write_slices(folder, edit=edit))
    assert (volume.hu[:, :8, :8] == -2000).all()
    assert volume.warnings == ()


def test_a_tilted_multi_frame_scan_lies_where_its_frames_lie(folder: Path):
    tilt = [1, 0, 0, 0, 0.8, 0.6]
    image = enhanced_ct()
    orientation = image.SharedFunctionalGroupsSequence[0].PlaneOrientationSequence[0]
    orientation.ImageOrientationPatient = tilt
    write(image, folder / "a.dcm")
    volume = read_volume(folder)
    direction = np.reshape(volume.direction, (3, 3))
    np.testing.assert_allclose(direction[:, 2], (0, 0, 1), atol=1e-12)
    np.testing.assert_allclose(direction[:, 1], (0, 0.8, 0.6))
    assert volume.slice_spacing == 2.5


def test_hu_are_rounded_like_those_of_single_slices(tmp_path: Path):
    rescales = [(0.3, -1024.25), (1.7, -999.5), (0.9, -1010), (1, -1024)]

    def edit(index: int, image: Dataset) -> None:
        image.RescaleSlope, image.RescaleIntercept = map(str, rescales[index])
        store(image, body(HEIGHTS[index]))

    classic = read_volume(write_slices(tmp_path / "classic", edit=edit)).hu
    write(enhanced_ct(rescales=rescales), tmp_path / "enhanced" / "a.dcm")
    np.testing.assert_array_equal(read_volume(tmp_path / "enhanced").hu, classic)
    stored = np.rint((bodies(HEIGHTS)[0] + 1024.25) / 0.3)
    np.testing.assert_array_equal(classic[0], np.rint(stored * 0.3 - 1024.25))


@pytest.mark.parametrize(
    "name", ["IM0001", "slice.dcm", "slice.IMA", "slice.dicom", "1.2.840.5", "a.bin"]
)
def test_one_file_is_a_scan_of_one_slice_whatever_its_name(name: str, tmp_path: Path):
    path = write(ct_slice(5.0), tmp_path / name)
    volume = read_volume(path)
    np.testing.assert_array_equal(volume.hu, bodies([5.0]))
    assert volume.spacing == (0.7, 0.8, 2.5)


def test_a_multi_frame_file_is_a_scan(tmp_path: Path):
    volume = read_volume(write(enhanced_ct(), tmp_path / "a.dcm"))
    np.testing.assert_array_equal(volume.hu, bodies(HEIGHTS))
    check_geometry(volume)


def test_a_multi_frame_file_of_two_stacks_needs_a_folder_and_a_choice(tmp_path: Path):
    image = enhanced_ct()
    two_frame_spacings(image)
    with pytest.raises(BadInputError, match="holds 2 stacks of slices: put it into a folder"):
        read_volume(write(image, tmp_path / "a.dcm"))


def test_a_dicomdir_stands_for_its_folder(folder: Path):
    directory(folder)
    write_slices(folder / "IMAGES", suffix="")
    np.testing.assert_array_equal(read_volume(folder / "DICOMDIR").hu, bodies(HEIGHTS))


@pytest.mark.parametrize("name", ["CT_small.dcm", "J2K_pixelrep_mismatch.dcm", "693_J2KI.dcm"])
def test_files_of_scanners_have_the_hu_of_simpleitk(name: str):
    path = get_testdata_file(name, download=False)
    if path is None:
        pytest.skip(f"pydicom came without its test file {name}")
    image = sitk.ReadImage(path)
    volume = read_volume(path)
    np.testing.assert_array_equal(volume.hu, np.rint(sitk.GetArrayViewFromImage(image)))
    assert volume.origin == image.GetOrigin()
    assert volume.direction == pytest.approx(image.GetDirection(), abs=1e-14)


@pytest.mark.parametrize(
    ("share", "words"),
    [(0.2, "a.dcm is damaged or incomplete: copy or export it again."), (0.01, "a.dcm cannot")],
)
def test_one_damaged_file_is_refused(share: float, words: str, tmp_path: Path):
    cut(share)(write(ct_slice(), tmp_path / "a.dcm"))
    with pytest.raises(BadInputError, match=words):
        read_volume(tmp_path / "a.dcm")


def test_one_report_is_refused_as_no_image(tmp_path: Path):
    report(tmp_path)
    with pytest.raises(BadInputError, match=r"report\.dcm holds no image"):
        read_volume(tmp_path / "report.dcm")


def test_long_lists_of_stacks_end_with_the_number_of_the_others(folder: Path):
    for number in range(12):
        slices(
            HEIGHTS[:2],
            first=10 * number,
            SeriesInstanceUID=f"{OTHER}.{number}",
            SeriesNumber=number,
        )(folder)
    with pytest.raises(BadInputError) as caught:
        read_volume(folder)
    assert str(caught.value).count("'Thorax'") == 10
    assert str(caught.value).endswith(" and 2 more.")


def test_a_list_of_what_is_left_out_ends_with_the_number_of_the_others(folder: Path):
    slices()(folder)
    for number in range(12):
        slices([0.0], first=20 + number, SeriesInstanceUID=f"{OTHER}.{number}", Modality="MR")(
            folder
        )
    (warning,) = read_volume(folder).warnings
    assert warning.count("'Thorax'") == 10
    assert warning.endswith(" and 2 more.")


def test_a_file_that_may_not_be_looked_at_is_no_dangling_link(folder: Path, monkeypatch):
    slices()(folder)
    plain = Path.stat

    def stat(path: Path, **options) -> os.stat_result:
        if path.name.startswith("s00"):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
        return plain(path, **options)

    monkeypatch.setattr(Path, "stat", stat)
    with pytest.raises(BadInputError, match=r"s00_1\.dcm cannot be opened \(Permission denied\)"):
        read_volume(folder)


def test_an_unknown_choice_lists_what_there_is(folder: Path):
    writer, _, _ = CHOICES["two kernels"]
    writer(folder)
    for choice, problem in (("7", "has no series 7"), ("3.3", "has no series 3.3")):
        with pytest.raises(BadInputError, match=problem):
            read_volume(folder, series=choice)
    with pytest.raises(BadInputError, match=r"holds 2 stacks in series 3: .*NUMBER\.k: 3\.1: "):
        read_volume(folder, series="3")


@pytest.mark.parametrize(
    ("charset", "encoded_text", "text"),
    [
        ("ISO_IR 100", "Schädel".encode("latin-1"), "Schädel"),
        (None, "Schädel".encode("latin-1"), "Schädel"),
        (None, "Schädel".encode(), "Schädel"),
        ("ISO_IR 192", "頭部".encode(), "頭部"),
        ("GB18030", "头部".encode("gb18030"), "头部"),
        ("\\ISO 2022 IR 87", b"\x1b$BF,It\x1b(B", "頭部"),
        ("\\ISO 2022 IR 149", b"\x1b$)C" + "두부".encode("euc_kr"), "두부"),
    ],
)
def test_descriptions_are_readable_in_every_character_set(charset, encoded_text, text, folder):
    mark = "MARK" * 8
    values = {} if charset is None else {"SpecificCharacterSet": charset.split("\\")}
    (path,) = write_slices(folder, [0.0], SeriesDescription=mark, **values).iterdir()
    padded = encoded_text.ljust(len(mark))
    path.write_bytes(path.read_bytes().replace(mark.encode(), padded))
    with pytest.raises(BadInputError, match=f"3: '{text}', CT"):
        read_volume(folder, series="9")


UNEVEN = (0.0, 2.5, 5.0, 10.0, 12.5)


@pytest.mark.parametrize("writer", [slices(UNEVEN), enhanced(UNEVEN)])
def test_unevenly_spaced_slices_are_read_with_their_offsets_if_allowed(
    writer: Writer, folder: Path
):
    writer(folder)
    volume = read_volume(folder, allow_uneven=True)
    np.testing.assert_array_equal(volume.hu, bodies(UNEVEN))
    assert volume.slice_offsets == pytest.approx(UNEVEN)
    check_geometry(volume)


def test_evenly_spaced_slices_have_no_offsets(folder: Path):
    assert read_volume(write_slices(folder), allow_uneven=True).slice_offsets == ()


def test_offsets_of_a_tilted_gantry_are_along_the_table(folder: Path):
    tilt = [1, 0, 0, 0, 0.8, 0.6]
    volume = read_volume(
        write_slices(folder, UNEVEN, ImageOrientationPatient=tilt), allow_uneven=True
    )
    assert volume.slice_offsets == pytest.approx(UNEVEN)
    direction = np.reshape(volume.direction, (3, 3))
    np.testing.assert_allclose(direction[:, 2], (0, 0, 1), atol=1e-12)
    assert volume.slice_spacing == pytest.approx(2.5)


@pytest.mark.parametrize(
    ("heights", "words"),
    [
        ((0, 0, 2.5, 7.5), "at one position"),
        (UNEVEN, "shifted sideways"),
    ],
)
def test_other_faults_of_positions_are_refused_although_uneven_ones_are_allowed(
    heights: tuple[float, ...], words: str, folder: Path
):
    edit = on(3, ImagePositionPatient=[-2.5, -20.25, heights[3]]) if words[0] == "s" else None
    with pytest.raises(BadInputError, match=words):
        read_volume(write_slices(folder, heights, edit=edit), allow_uneven=True)


def test_uneven_slices_are_not_cut_across(folder: Path):
    write_slices(folder, UNEVEN)
    with pytest.raises(BadInputError, match="set --slice-axis k"):
        read_volume(folder, allow_uneven=True, slice_axis="j")


def test_stacks_of_one_median_distance_but_other_positions_are_not_on_one_grid(tmp_path: Path):
    volumes = [
        read_volume(write_slices(tmp_path / str(gap), [0, 2.5, 5, gap, 12.5]), allow_uneven=True)
        for gap in (10.0, 7.0)
    ]
    check_same_grid(volumes[0], volumes[0])
    with pytest.raises(BadInputError, match="not on the same grid"):
        check_same_grid(*volumes)
