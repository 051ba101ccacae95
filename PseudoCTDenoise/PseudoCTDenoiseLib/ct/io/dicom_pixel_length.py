"""Length of DICOM pixel data, which must be that of the frames that the header describes.

Decoders fill what is missing with whatever the memory holds, and cut what is too much.
"""

from __future__ import annotations

from io import BytesIO

from pydicom import Dataset
from pydicom.encaps import generate_fragments, parse_basic_offsets
from pydicom.uid import RLELossless

from ...errors import BadInputError
from .dicom_attributes import PIXELS

FRAME_STARTS = (b"\xff\xd8", b"\xff\x4f\xff\x51", b"\0\0\0\x0cjP  ")
"""First bytes of a JPEG or JPEG-LS stream, of a JPEG 2000 stream, and of one in its file format,
which some software stores."""


def check_pixel_length(dataset: Dataset, name: str) -> None:
    """Check that pixel data hold as many frames or bytes as the header describes.

    Parameters
    ----------
    dataset : with its pixels, and its transfer syntax in ``file_meta``.
    name : name of the file in the message.

    Raises
    ------
    BadInputError
        If they hold more or less.
    """
    frames = int(dataset.get("NumberOfFrames") or 1)
    if dataset.file_meta.TransferSyntaxUID.is_encapsulated:
        found, expected, unit = _encapsulated_frames(dataset), frames, "compressed frames"
    else:
        found, expected, unit = *_native_bytes(dataset, frames), "bytes of pixels"
    if found != expected:
        raise BadInputError(
            f"{name} cannot be read: it holds {found} {unit}, and its header describes {expected} "
            f"({dataset.Rows}×{dataset.Columns} pixels, {frames} frame{'s'[: frames - 1]}). "
            "Copy or export it again."
        )


def _encapsulated_frames(dataset: Dataset) -> int:
    """Return the number of streams; each frame begins in a fragment of its own (PS3.5 A.4)."""
    stream = BytesIO(dataset.PixelData)
    parse_basic_offsets(stream)
    starts = (b"",) if dataset.file_meta.TransferSyntaxUID == RLELossless else FRAME_STARTS
    return sum(fragment.startswith(starts) for fragment in generate_fragments(stream) if fragment)


def _native_bytes(dataset: Dataset, frames: int) -> tuple[int, int]:
    """Return the numbers of bytes that there are, without padding at the end, and that must be.

    Older software pads with more than the byte that makes the length even (PS3.5 8.1.1). Padding
    is 0 and shorter than a row and than a column, which may be missing in the header.
    """
    pixels = next(dataset[keyword].value for keyword in PIXELS if keyword in dataset)
    rows, columns = int(dataset.Rows), int(dataset.Columns)
    bits = int(dataset.BitsAllocated) * int(dataset.get("SamplesPerPixel") or 1)
    expected = -(-rows * columns * bits * frames // 8)
    excess = pixels[expected:]
    is_padding = 8 * len(excess) < bits * min(rows, columns) and not any(excess)
    return expected if excess and is_padding else len(pixels), expected
