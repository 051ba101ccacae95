"""Decoding of DICOM pixels into HU.

pydicom decodes what is stored without compression or with run lengths. GDCM, through SimpleITK,
decodes the other compressions. GDCM rescales and inverts what it reads, so it is given each frame
as a file of its own that states neither.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from io import BytesIO
from pathlib import Path

import numpy as np
import SimpleITK as sitk
from pydicom import Dataset, dcmwrite
from pydicom.encaps import encapsulate, get_frame
from pydicom.pixels import iter_pixels, pixel_array
from pydicom.uid import (
    JPEG2000,
    JPEG2000Lossless,
    JPEGLSTransferSyntaxes,
    JPEGTransferSyntaxes,
    RLELossless,
    SecondaryCaptureImageStorage,
)

from ...errors import BadInputError, is_out_of_memory
from ...temporary_files import TemporaryFolder, explain_temporary_errors, temporary_parent
from ..constant_areas import constant_areas
from ..hounsfield import MIN_CT_HU
from ..hu_validation import checked_int16
from .dicom_attributes import PIXEL_TAGS
from .dicom_files import load_dataset
from .dicom_pixel_length import check_pixel_length
from .dicom_slices import Slice
from .itk_reading import damaged, read_header, read_voxels

GDCM_SYNTAXES = (*JPEGTransferSyntaxes, *JPEGLSTransferSyntaxes, JPEG2000Lossless, JPEG2000)
PADDING = ("PixelPaddingValue", "PixelPaddingRangeLimit")
END_OF_IMAGE = b"\xff\xd9"
"""Last bytes of a JPEG, JPEG-LS or JPEG 2000 stream."""


def read_hu(slices: Sequence[Slice], name: str) -> tuple[np.ndarray, int]:
    """Return the HU of slices, and the number of bright padding pixels that became air.

    HU are stored · slope + intercept of each slice, rounded to the nearest integer. Pixels outside
    the field of view that the file marks as padding (PS3.3 C.7.5.1.1.2) become −1024 HU if they
    are brighter than that. Padding lies between the border and the image; pixels inside the image
    that happen to have its value are not changed.

    Parameters
    ----------
    name : name of the stack in messages.

    Returns
    -------
    hu : (slices, rows, columns) int16, in the order of ``slices``.
    padding : number of pixels.

    Raises
    ------
    BadInputError
        If pixels are missing, damaged or compressed in an unknown way, or HU do not fit int16.
    """
    hu = np.empty((len(slices), *slices[0].size), np.int16)
    padding = 0
    for number, stored in stored_slices(slices):
        hu[number], is_padding = slice_hu(slices[number], stored, name)
        padding += np.count_nonzero(is_padding)
    return hu, padding


def slice_hu(part: Slice, stored: np.ndarray, name: str) -> tuple[np.ndarray, np.ndarray]:
    """Return the HU of a slice, int16, and where its bright padding became air.

    Parameters
    ----------
    stored : (rows, columns) integers, the stored values of the slice.
    name : name of its stack in messages.

    Raises
    ------
    BadInputError
        If the HU do not fit int16.
    """
    values = stored * part.slope + part.intercept
    padding = has_padding_value(part, stored) & (values > MIN_CT_HU)
    if padding.any():  # a single pixel of tissue may have the padding's value by chance
        padding &= constant_areas(values)
    values[padding] = MIN_CT_HU
    return checked_int16(values, name), padding


def stored_slices(slices: Sequence[Slice]) -> Iterator[tuple[int, np.ndarray]]:
    """Yield each slice's number in ``slices`` and its stored values, (rows, columns) integers.

    Each file is read once, so slices of several multi-frame files come in the order of the files.

    Raises
    ------
    BadInputError
        If pixels are missing, damaged or compressed in an unknown way.
    """
    by_file: dict[Path, list[int]] = {}
    for number, part in enumerate(slices):
        by_file.setdefault(part.frame.path, []).append(number)
    for path, numbers in by_file.items():
        frames = [slices[number].frame.index for number in numbers]
        for number, stored in zip(numbers, _stored_values(path, frames), strict=True):
            if stored.shape != slices[number].size:
                raise damaged(slices[number].frame.name)
            yield number, stored


def _stored_values(path: Path, frames: Sequence[int]) -> Iterator[np.ndarray]:
    """Yield the stored values of frames, (rows, columns) integers."""
    try:
        dataset = load_dataset(path, PIXEL_TAGS)
        syntax = dataset.file_meta.TransferSyntaxUID
        if syntax.is_encapsulated and syntax not in (*GDCM_SYNTAXES, RLELossless):
            raise BadInputError(
                f"{path.name} is compressed as {syntax.name}, which cannot be decoded: "
                "export it uncompressed."
            )
        check_pixel_length(dataset, path.name)
        if syntax in GDCM_SYNTAXES:
            yield from _decode_with_gdcm(dataset, frames, path.name)
        elif syntax == RLELossless:
            yield from (_decode_run_lengths(dataset, frame) for frame in frames)
        else:
            yield from iter_pixels(dataset, indices=frames, raw=True)
    except BadInputError:
        raise
    except Exception as error:  # pydicom raises many kinds of errors for damaged files
        if is_out_of_memory(error):
            raise
        raise damaged(path.name) from error


def _decode_run_lengths(dataset: Dataset, frame: int) -> np.ndarray:
    with warnings.catch_warnings():
        # pydicom only warns of run lengths for more pixels than the header describes.
        warnings.filterwarnings("error", "The decoded RLE segment")
        return pixel_array(dataset, index=frame, raw=True)


def _decode_with_gdcm(dataset: Dataset, frames: Sequence[int], name: str) -> Iterator[np.ndarray]:
    count = int(dataset.get("NumberOfFrames") or 1)
    folder = TemporaryFolder(temporary_parent())
    try:
        with explain_temporary_errors():
            folder.create()
        path = folder.path / "frame.dcm"
        for frame in frames:
            stream = get_frame(dataset.PixelData, frame, number_of_frames=count)
            if not stream.rstrip(b"\0").endswith(END_OF_IMAGE):
                raise damaged(name)
            content = _stored_frame(dataset, stream)
            with explain_temporary_errors():
                path.write_bytes(content)
            image = read_voxels(read_header(path, "GDCMImageIO"), name)
            stored = sitk.GetArrayFromImage(image)[0]
            _check_bits(stored, dataset, name)
            yield stored
    finally:
        folder.remove()


def _check_bits(stored: np.ndarray, dataset: Dataset, name: str) -> None:
    """Reject values with more bits than are stored. GDCM keeps them in unsigned JPEG 2000."""
    bits = int(dataset.BitsStored)
    if stored.max() >= 1 << bits:
        raise BadInputError(
            f"{name} has compressed pixels that need more than {bits} bits (Bits Stored, "
            "0028,0101), such as an overlay in unused bits: export it uncompressed."
        )


def _stored_frame(dataset: Dataset, stream: bytes) -> bytes:
    """Return a file with one frame without rescale, so that GDCM returns the stored values."""
    single = Dataset()
    single.SOPClassUID = SecondaryCaptureImageStorage
    single.SOPInstanceUID = "1.2.3"
    for keyword in (
        *("Rows", "Columns", "SamplesPerPixel"),
        *("BitsAllocated", "BitsStored", "HighBit", "PixelRepresentation"),
    ):
        setattr(single, keyword, dataset[keyword].value)
    single.PhotometricInterpretation = "MONOCHROME2"
    single.PixelData = encapsulate([stream])
    single["PixelData"].VR = "OB"
    single.ensure_file_meta()
    single.file_meta.TransferSyntaxUID = dataset.file_meta.TransferSyntaxUID
    content = BytesIO()
    dcmwrite(content, single, enforce_file_format=True)
    return content.getvalue()


def has_padding_value(part: Slice, stored: np.ndarray) -> np.ndarray:
    """Return where stored values, (rows, columns) integers, are those of padding."""
    limits = padding_values(part.frame.header).values()
    if not limits:
        return np.zeros(stored.shape, bool)
    return (stored >= min(limits)) & (stored <= max(limits))


def padding_values(header: Dataset) -> dict[str, int]:
    """Return the keywords and values of a slice's padding, as the pixels store them."""
    found = {keyword: header.get(keyword) for keyword in PADDING}
    return {
        keyword: _stored_integer(value, header)
        for keyword, value in found.items()
        if value not in (None, "")
    }


def _stored_integer(value: int, header: Dataset) -> int:
    """Return a padding value as the pixels store it, whatever sign its element was given."""
    bits = int(header.BitsStored)
    value = int(value) & ((1 << bits) - 1)
    signed = int(header.get("PixelRepresentation") or 0)
    return value - (1 << bits) if signed and value >> (bits - 1) else value
