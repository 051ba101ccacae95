"""Pixel data whose length, size or number of frames is another than the header says.

Each case is a single slice or a multi-frame file.
"""

from __future__ import annotations

import struct
from collections.abc import Callable

from dicom_factory import COLUMNS, ROWS
from pydicom import Dataset
from pydicom.uid import JPEG2000Lossless
from Reliability.case import Writer, reads, refuses
from Reliability.dicom_inputs import compressed_frames, each, enhanced, set_streams, slices, stack

Change = Callable[[Dataset], object]
COMPRESSORS = ("RLE", "JPEG", "JPEG2000")
BYTES = 2 * ROWS * COLUMNS
"""Length of the pixels of a slice."""
END = b"\xff\xd9"
"""End of a stream of JPEG and of JPEG 2000."""


def one_slice(change: Change) -> Writer:
    return slices([0.0], edit=each(change))


def four_frames(change: Change) -> Writer:
    return enhanced(edit=change)


LAYOUTS = {"slice": one_slice, "multi-frame": four_frames}


def of_another_size(compressor: str, rows: int, columns: int) -> Change:
    """Return a change of the size in the header; without a compressor, pixels stay as they are."""

    def change(image: Dataset) -> None:
        if compressor:
            set_streams(image, *compressed_frames(image, compressor))
        image.Rows += rows
        image.Columns += columns

    return change


def with_frames(number: int, compressor: str, with_table: bool) -> Change:
    """Return a change to another number of compressed frames, with or without their offsets."""

    def change(image: Dataset) -> None:
        (first, *_), syntax = compressed_frames(image, compressor)
        set_streams(image, [first] * number, syntax, has_bot=with_table)

    return change


def without_a_part(compressor: str, share: float, end: bytes) -> Change:
    """Return a change that keeps a share of a stream, which then ends with ``end``."""

    def change(image: Dataset) -> None:
        (stream,), syntax = compressed_frames(image, compressor)
        set_streams(image, [stream[: int(share * len(stream)) // 2 * 2] + end], syntax)

    return change


def in_fragments(compressor: str) -> Change:
    return lambda image: set_streams(
        image, *compressed_frames(image, compressor), fragments_per_frame=3
    )


def in_file_format(image: Dataset) -> None:
    """Store JPEG 2000 in the boxes of a JP2 file (ISO 15444-1, annex I) instead of bare."""
    (stream,), _ = compressed_frames(image, "JPEG2000")

    def box(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", 8 + len(content)) + kind + content

    size = box(b"ihdr", struct.pack(">IIHBBBB", ROWS, COLUMNS, 1, 15, 7, 0, 0))
    grey = box(b"colr", struct.pack(">BBBI", 1, 0, 0, 17))
    boxes = (
        box(b"jP  ", b"\r\n\x87\n"),
        box(b"ftyp", b"jp2 \0\0\0\0jp2 "),
        box(b"jp2h", size + grey),
        box(b"jp2c", stream),
    )
    set_streams(image, [b"".join(boxes)], JPEG2000Lossless)


def longer(content: bytes) -> Change:
    return lambda image: setattr(image, "PixelData", image.PixelData + content)


def shorter(count: int) -> Change:
    return lambda image: setattr(image, "PixelData", image.PixelData[:-count])


def with_a_fifth_frame(image: Dataset) -> None:
    image.PixelData += image.PixelData[:BYTES]


CASES = (
    reads(
        stack([0.0]),
        {
            f"{count} {'byte' if count == 1 else 'bytes'} of 0 after the pixels": one_slice(
                longer(bytes(count))
            )
            for count in (1, 2, 30)
        }
        | {f"{name} in three fragments": one_slice(in_fragments(name)) for name in COMPRESSORS[1:]}
        | {"JPEG 2000 in its file format": one_slice(in_file_format)},
    )
    | refuses(
        {
            f"{layout}, {name}: {words} bytes": (
                writer(change),
                f"holds {words} bytes of pixels, and its header",
            )
            for layout, writer, name, change, words in (
                ("slice", one_slice, "a pixel too few", shorter(2), BYTES - 2),
                ("slice", one_slice, "a row too many", longer(bytes(48)), BYTES + 48),
                ("slice", one_slice, "a pixel too many", longer(b"\1\0"), BYTES + 2),
                ("multi-frame", four_frames, "a frame too many", with_a_fifth_frame, 5 * BYTES),
                ("multi-frame", four_frames, "a frame too few", shorter(BYTES), 3 * BYTES),
            )
        }
    )
    | refuses(
        {
            f"{layout}, {compressor or 'uncompressed'}: {rows:+} rows, {columns:+} columns": (
                write(of_another_size(compressor, rows, columns)),
                "cannot be read: it",
            )
            for layout, write in LAYOUTS.items()
            for compressor in ("", *COMPRESSORS)
            for rows, columns in ((2, 0), (-2, 0), (0, 2), (0, -2))
        }
    )
    | refuses(
        {
            f"{layout}, {compressor}: {number} frames{', offsets' if table else ''}": (
                LAYOUTS[layout](with_frames(number, compressor, table)),
                f"holds {number} compressed frames, and its header",
            )
            for layout, number in (("slice", 2), ("multi-frame", 5), ("multi-frame", 3))
            for compressor in COMPRESSORS
            for table in (False, True)
        }
    )
    | refuses(
        {
            f"{compressor}, {share:.0%} of the stream{' and its end' if end else ''}": (
                one_slice(without_a_part(compressor, share, end)),
                "s00_1.dcm cannot be read: it is damaged",
            )
            for compressor in COMPRESSORS[1:]
            for share, end in ((0.5, b""), (0.3, END), (0.6, END), (0.9, END))
        }
    )
)
