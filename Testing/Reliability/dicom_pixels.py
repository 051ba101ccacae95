"""DICOM pixels: transfer syntaxes, compression, bits, signs, rescale, padding and inversion."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from dicom_factory import (
    HEIGHTS,
    bodies,
    body,
    change,
    set_pixels,
    store,
)
from pydicom import Dataset
from pydicom.encaps import encapsulate
from pydicom.uid import ExplicitVRBigEndian, HTJ2KLossless, RLELossless
from Reliability.case import Case, reads, refuses
from Reliability.dicom_inputs import (
    Edit,
    both,
    compressed,
    compressed_frames,
    cut,
    each,
    encoded,
    enhanced,
    on_file,
    one,
    rescaled,
    set_streams,
    signed,
    slices,
    stack,
    stored,
)

INVERTED = ("PhotometricInterpretation", "MONOCHROME1")
COMPRESSORS = ("JPEG", "JPEG2000")


def by_gdcm(compressor: str) -> Callable[[Dataset], None]:
    return lambda image: set_streams(image, *compressed_frames(image, compressor))


def in_12_bits(_, image: Dataset) -> None:
    image.BitsStored, image.HighBit = 12, 11


def in_upper_bits(_, image: Dataset) -> None:
    image.BitsStored, image.HighBit = 12, 15
    set_pixels(image, stored(image) << np.uint16(4))


def with_overlay(_, image: Dataset) -> None:
    in_12_bits(_, image)
    set_pixels(image, stored(image) | np.uint16(0x1000))


def signed_12_bits(index: int, image: Dataset) -> None:
    """Store negative numbers in 12 bits, with zeros above them."""
    signed(index, image)
    in_12_bits(index, image)
    set_pixels(image, stored(image) & np.int16(0x0FFF))


def own_rescale(index: int, image: Dataset) -> None:
    rescaled(1, -1000 - index)(index, image)


def falling(index: int, image: Dataset) -> None:
    """Store the darkest tissue as the largest number."""
    rescaled(-1, 2000)(index, image)


def on_fractions(index: int, image: Dataset) -> None:
    image.RescaleSlope, image.RescaleIntercept = map(str, FRACTIONS[index])
    store(image, body(HEIGHTS[index]))


FRACTIONS = [(0.3, -1024.25), (1.7, -999.5), (0.9, -1010), (1, -1024)]
ON_FRACTIONS = np.stack(
    [
        np.rint(np.rint((hu - intercept) / slope) * slope + intercept).astype(int)
        for hu, (slope, intercept) in zip(bodies(HEIGHTS), FRACTIONS, strict=True)
    ]
)
"""HU of stored integers whose rescale has a fraction."""


def padded(value: int, intercept: int = -1024, limit: int | None = None) -> Edit:
    """Return an edit that stores padding in a corner, and its value as one pixel of tissue.

    The opposite corner has the other limit of the range of padding.
    """

    def edit(_, image: Dataset) -> None:
        pixels = (stored(image).astype(int) - 1024 - intercept).astype("<u2")
        pixels[:8, :8] = pixels[10, 10] = value
        image.RescaleIntercept = str(intercept)
        image.PixelPaddingValue = value
        if limit is not None:
            pixels[-8:, -8:] = limit
            image.PixelPaddingRangeLimit = limit
        set_pixels(image, pixels)

    return edit


def padded_signed(value: int) -> Edit:
    """Return an edit that stores signed HU, padding in a corner and its value in the middle."""

    def edit(index: int, image: Dataset) -> None:
        signed(index, image)
        pixels = stored(image)
        pixels[:8, :8] = pixels[10, 10] = value
        image.PixelPaddingValue = value
        set_pixels(image, pixels)

    return edit


def with_corner(corner: int, pixel: int, heights: Sequence[float] = HEIGHTS) -> np.ndarray:
    """Return the HU of the scan with a corner of padding and one other pixel."""
    hu = bodies(heights)
    hu[:, :8, :8], hu[:, 10, 10] = corner, pixel
    return hu


def with_corners(corner: int, pixel: int) -> np.ndarray:
    hu = with_corner(corner, pixel)
    hu[:, -8:, -8:] = corner
    return hu


def at_the_border(index: int, image: Dataset) -> None:
    """Store tissue at the border that has the value of padding, 0 HU."""
    signed(index, image)
    pixels = TISSUE.astype("<i2")
    image.PixelPaddingValue = 0
    set_pixels(image, pixels)


TISSUE = 40 + np.arange(body(0).size).reshape(body(0).shape) % 7
TISSUE[0, 5] = TISSUE[9, 0] = 0


def as_htj2k(_, image: Dataset) -> None:
    image.PixelData = b"\xfe\xff\x00\xe0\0\0\0\0\xfe\xff\x00\xe0\x02\0\0\0\xff\xd9"
    image.file_meta.TransferSyntaxUID = HTJ2KLossless
    image["PixelData"].is_undefined_length = True


def as_damaged_jpeg_2000(index: int, image: Dataset) -> None:
    as_htj2k(index, image)
    image.file_meta.TransferSyntaxUID = "1.2.840.10008.1.2.4.90"


def claims_run_lengths(_, image: Dataset) -> None:
    image.file_meta.TransferSyntaxUID = RLELossless
    image.PixelData = encapsulate([image.PixelData[:100]])
    image["PixelData"].VR = "OB"


def in_32_bits(_, image: Dataset) -> None:
    pixels = stored(image).astype("<u4")
    image.BitsAllocated, image.BitsStored, image.HighBit = 32, 32, 31
    set_pixels(image, pixels)


def extreme(index: int, image: Dataset) -> None:
    """Store the limits of int16 HU."""
    signed(index, image)
    pixels = stored(image)
    pixels[5, 10], pixels[6, 10] = 32767, -32768
    set_pixels(image, pixels)


def extreme_values() -> np.ndarray:
    hu = bodies(HEIGHTS)
    hu[:, 5, 10], hu[:, 6, 10] = 32767, -32768
    return hu


AROUND = "Padding around the images"

CASES = (
    reads(
        stack(),
        {
            "big endian": slices(edit=encoded(ExplicitVRBigEndian)),
            "run lengths": slices(edit=compressed(RLELossless)),
            "12 bits of 16": slices(edit=in_12_bits),
            "12 bits of 16, signed, without sign extension": slices(edit=signed_12_bits),
            "overlay in the high bits": slices(edit=with_overlay),
            "32 bits": slices(edit=in_32_bits),
            "signed pixels": slices(edit=signed),
            "slope of a half": slices(edit=rescaled(0.5, -1024)),
            "negative slope": slices(edit=falling),
            "a rescale of its own for each slice": slices(edit=own_rescale),
            "Rescale Type HU in some slices": one(1, RescaleType="HU"),
            "Rescale Type in words": slices(RescaleType="Hounsfield Units"),
            "MONOCHROME1": slices(PhotometricInterpretation="MONOCHROME1"),
            "signed MONOCHROME1": slices(
                edit=lambda i, image: (signed(i, image), change(image, *INVERTED))
            ),
            "a window for the display": slices(WindowCenter="40", WindowWidth="80"),
        }
        | {f"{name}, lossless": slices(edit=each(by_gdcm(name))) for name in COMPRESSORS}
        | {f"{name}, lossless, multi-frame": enhanced(edit=by_gdcm(name)) for name in COMPRESSORS},
    )
    | {
        "HU with fractions": Case(slices(edit=on_fractions), stack(values=ON_FRACTIONS)),
        "multi-frame, HU with fractions": Case(
            enhanced(rescales=FRACTIONS), stack(values=ON_FRACTIONS)
        ),
        "-32768 and 32767 HU": Case(slices(edit=extreme), stack(values=extreme_values())),
        "bright padding": Case(
            slices(edit=padded(4095)),
            stack(values=with_corner(-1024, 3071), warnings=[AROUND]),
        ),
        "bright padding over a range": Case(
            slices(edit=padded(4095, limit=4000)),
            stack(values=with_corners(-1024, 3071), warnings=[AROUND]),
        ),
        "padding of 0 HU": Case(
            slices((100.0, 102.5), edit=padded_signed(0)),
            stack((100.0, 102.5), values=with_corner(-1024, 0, (100.0, 102.5)), warnings=[AROUND]),
        ),
        "padding below air": Case(
            slices(edit=padded_signed(-2000)), stack(values=with_corner(-2000, -2000))
        ),
        "tissue at the border with the value of padding": Case(
            slices(edit=at_the_border), stack(values=np.stack([TISSUE] * 4))
        ),
    }
    | refuses(
        {
            "cut run lengths": (
                both(slices(edit=compressed(RLELossless)), on_file(cut(0.9))),
                "s00_1.dcm",
                "damaged",
            ),
            "damaged JPEG 2000": (slices(edit=as_damaged_jpeg_2000), "s00_1.dcm cannot be read"),
            "a compression that GDCM lacks": (
                slices(edit=as_htj2k),
                "compressed as High-Throughput JPEG 2000",
                "export it uncompressed",
            ),
            "run lengths that are none": (slices(edit=claims_run_lengths), "cannot be read"),
            "an intercept is missing": (
                one(2, RescaleIntercept=None),
                "s42_1.dcm has no rescale intercept (0028,1052)",
            ),
            "an empty intercept": (one(2, RescaleIntercept=""), "s42_1.dcm has no rescale"),
            "a slope is missing": (one(2, RescaleSlope=None), "s42_1.dcm has no rescale slope"),
            "no rescale anywhere": (
                slices(RescaleSlope=None, RescaleIntercept=None),
                "has no rescale slope",
                "4 such slices",
            ),
            "two slopes": (
                one(1, RescaleSlope=["1", "2"]),
                "s71_1.dcm has the RescaleSlope '1\\2' instead of a number",
            ),
            "pixels in the upper bits": (
                slices(edit=in_upper_bits),
                "in bits 4 to 15",
                "High Bit",
            ),
            "slope 0": (one(2, RescaleSlope="0"), "Rescale Slope of 0"),
            "values outside int16": (slices(RescaleSlope="100"), "outside the range of HU"),
        }
    )
)
