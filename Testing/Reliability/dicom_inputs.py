"""Writers of DICOM folders for the table, and the scan that most of them hold."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from dicom_factory import (
    COLUMNS,
    HEIGHTS,
    ROWS,
    SERIES,
    SPACING,
    bodies,
    change,
    compressed_stream,
    ct_slice,
    enhanced_ct,
    set_pixels,
    store,
    write,
    write_slices,
)
from pydicom import Dataset
from pydicom.encaps import encapsulate, generate_frames
from pydicom.uid import RLELossless
from Reliability.case import Read, Writer

OTHER = f"{SERIES}.9"
"""UID of a second series."""
SIX = (0.0, 2.5, 5.0, 7.5, 10.0, 12.5)
ORIGIN = (-10.5, -20.25)
Edit = Callable[[int, Dataset], object]


def stack(
    heights: Sequence[float] = HEIGHTS,
    offset: int = 0,
    *,
    values: np.ndarray | None = None,
    spacing: Sequence[float] = SPACING,
    step: Sequence[float] | None = None,
    warnings: Sequence[str] = (),
    said: str = "",
) -> Read:
    """Return the scan of axial slices at these heights in mm, as the factory makes them.

    Parameters
    ----------
    offset : HU added to all voxels.
    values : HU, (slices, rows, columns), instead of those of the factory.
    spacing : distances between rows and between columns in mm.
    step : from slice to slice in mm; by default along z, and 2.5 mm for a single slice.
    """
    if values is None:
        values = bodies(heights, offset)
    if step is None:
        step = (0, 0, heights[1] - heights[0] if len(heights) > 1 else 2.5)
    steps = np.column_stack([(spacing[1], 0, 0), (0, spacing[0], 0), step])
    return Read(values, (*ORIGIN, heights[0]), steps, 2, tuple(warnings), said)


def slices(*arguments, **values) -> Writer:
    """Return a writer of a classic series; see :func:`.write_slices`."""
    return lambda folder: write_slices(folder, *arguments, **values)


def each(change: Callable[[Dataset], object]) -> Edit:
    """Return an edit that changes all slices alike."""
    return lambda _, image: change(image)


def on(index: int, **values) -> Edit:
    """Return an edit of one slice: attributes by keyword, None deletes one."""

    def edit(number: int, image: Dataset) -> None:
        if number == index:
            for keyword, value in values.items():
                change(image, keyword, value)

    return edit


def one(index: int, **values) -> Writer:
    """Return a writer of a series in which one slice differs."""
    return slices(edit=on(index, **values))


def alternating(keyword: str, *values, heights: Sequence[float] = SIX) -> Writer:
    """Return a writer of a series whose slices have the values in turn."""
    return slices(heights, edit=lambda i, image: change(image, keyword, values[i % len(values)]))


def both(*writers: Writer) -> Writer:
    return lambda folder: [writer(folder) for writer in writers]


def inside(name: str, writer: Writer) -> Writer:
    return lambda folder: writer(folder / name)


def enhanced(*arguments, edit=None, name="enhanced.dcm", **values) -> Writer:
    """Return a writer of a multi-frame file; see :func:`.enhanced_ct`."""

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
    return lambda path: path.write_bytes(path.read_bytes().partition(tag)[0])


def beside(name: str, content: bytes) -> Writer:
    return lambda folder: (folder / name).write_bytes(content)


def stored(image: Dataset) -> np.ndarray:
    """Return a copy of the pixels of a slice as they are stored, (rows, columns)."""
    kind = "<i2" if image.PixelRepresentation else "<u2"
    return np.frombuffer(image.PixelData, kind).reshape(image.Rows, image.Columns).copy()


def signed(_, image: Dataset) -> None:
    """Store HU themselves, signed, with an intercept of 0."""
    hu = stored(image).astype(int) - 1024
    image.PixelRepresentation, image.RescaleIntercept = 1, "0"
    store(image, hu)


def rescaled(slope: float, intercept: float) -> Edit:
    """Return an edit that stores the same HU with another rescale."""

    def edit(_, image: Dataset) -> None:
        hu = stored(image).astype(int) - 1024
        image.RescaleSlope, image.RescaleIntercept = str(slope), str(intercept)
        store(image, hu)

    return edit


def encoded(syntax: str) -> Edit:
    """Return an edit that stores a slice in another transfer syntax without compression."""

    def edit(_, image: Dataset) -> None:
        image.file_meta.TransferSyntaxUID = syntax
        if syntax == "1.2.840.10008.1.2.2":
            set_pixels(image, stored(image).astype(">u2"))

    return edit


def compressed(syntax: str) -> Edit:
    return lambda _, image: image.compress(syntax)


def compressed_frames(image: Dataset, compressor: str) -> tuple[list[bytes], str]:
    """Return the frames of an image, compressed without loss, and the transfer syntax.

    Parameters
    ----------
    compressor : RLE, JPEG or JPEG2000.
    """
    frames = np.frombuffer(image.PixelData, "<u2").reshape(-1, image.Rows, image.Columns)
    if compressor == "RLE":
        image.compress(RLELossless)
        found = generate_frames(image.PixelData, number_of_frames=len(frames))
        return list(found), RLELossless
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "x.dcm"
        found = [compressed_stream(path, compressor, hu.astype(int) - 1024) for hu in frames]
    return [stream for stream, _ in found], found[0][1]


def set_streams(image: Dataset, streams: Sequence[bytes], syntax: str, **options) -> None:
    """Store compressed frames; the options are those of ``encapsulate``."""
    image.PixelData = encapsulate(list(streams), **options)
    image["PixelData"].VR = "OB"
    image.file_meta.TransferSyntaxUID = syntax


def as_colours(_, image: Dataset) -> None:
    image.SamplesPerPixel, image.PhotometricInterpretation, image.PlanarConfiguration = 3, "RGB", 0
    image.BitsAllocated, image.BitsStored, image.HighBit = 8, 8, 7
    set_pixels(image, np.zeros((ROWS, COLUMNS, 3), np.uint8))


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


def directory(folder: Path) -> None:
    """Write the DICOMDIR of a CD, without records."""
    image = Dataset()
    image.ensure_file_meta()
    image.file_meta.TransferSyntaxUID = "1.2.840.10008.1.2.1"
    image.file_meta.MediaStorageSOPInstanceUID = "1.2.3"
    image.SOPClassUID = "1.2.840.10008.1.3.10"
    image.SOPInstanceUID = "1.2.3"
    write(image, folder / "DICOMDIR")
