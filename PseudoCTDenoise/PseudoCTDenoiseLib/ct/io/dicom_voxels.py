"""Decoding of DICOM pixels into HU.

pydicom decodes what is stored without compression or with run lengths. GDCM, through SimpleITK,
decodes the other compressions. GDCM rescales and inverts what it reads, so it is given each frame
as a file of its own that states neither.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import SimpleITK as sitk
from pydicom import Dataset, dcmwrite
from pydicom.encaps import encapsulate, get_frame
from pydicom.pixels import iter_pixels
from pydicom.uid import (
    JPEG2000,
    JPEG2000Lossless,
    JPEGLSTransferSyntaxes,
    JPEGTransferSyntaxes,
    RLELossless,
    SecondaryCaptureImageStorage,
)

from ...errors import BadInputError, is_out_of_memory
from ...temporary_files import TemporaryFolder, temporary_parent
from ..constant_areas import constant_areas
from ..hounsfield import MIN_CT_HU
from ..hu_validation import checked_int16
from .dicom_files import load_dataset
from .dicom_slices import Slice
from .itk_reading import damaged, read_header, read_voxels

GDCM_SYNTAXES = (*JPEGTransferSyntaxes, *JPEGLSTransferSyntaxes, JPEG2000Lossless, JPEG2000)
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
    by_file: dict[Path, list[int]] = {}
    for number, part in enumerate(slices):
        by_file.setdefault(part.frame.path, []).append(number)
    for path, numbers in by_file.items():
        frames = [slices[number].frame.index for number in numbers]
        for number, stored in zip(numbers, _stored_values(path, frames), strict=True):
            part = slices[number]
            if stored.shape != part.size:
                raise damaged(part.frame.name)
            values = stored * part.slope + part.intercept
            is_padding = _bright_padding(part, stored, values)
            values[is_padding] = MIN_CT_HU
            padding += np.count_nonzero(is_padding)
            hu[number] = checked_int16(values, name)
    return hu, padding


def _stored_values(path: Path, frames: Sequence[int]) -> Iterator[np.ndarray]:
    """Yield the stored values of frames, (rows, columns) integers."""
    try:
        dataset = load_dataset(path)
        syntax = dataset.file_meta.TransferSyntaxUID
        if syntax in GDCM_SYNTAXES:
            yield from _decode_with_gdcm(dataset, frames, path.name)
        elif syntax.is_encapsulated and syntax != RLELossless:
            raise BadInputError(
                f"{path.name} is compressed as {syntax.name}, which cannot be decoded: "
                "export it uncompressed."
            )
        else:
            yield from iter_pixels(dataset, indices=frames, raw=True)
    except BadInputError:
        raise
    except Exception as error:  # pydicom raises many kinds of errors for damaged files
        if is_out_of_memory(error):
            raise
        raise damaged(path.name) from error


def _decode_with_gdcm(dataset: Dataset, frames: Sequence[int], name: str) -> Iterator[np.ndarray]:
    count = int(dataset.get("NumberOfFrames") or 1)
    folder = TemporaryFolder(temporary_parent())
    try:
        folder.create()
        path = folder.path / "frame.dcm"
        for frame in frames:
            stream = get_frame(dataset.PixelData, frame, number_of_frames=count)
            if not stream.rstrip(b"\0").endswith(END_OF_IMAGE):
                raise damaged(name)
            _write_stored_frame(path, dataset, stream)
            image = read_voxels(read_header(path, "GDCMImageIO"), name)
            yield sitk.GetArrayFromImage(image)[0]
    finally:
        folder.remove()


def _write_stored_frame(path: Path, dataset: Dataset, stream: bytes) -> None:
    """Write one frame without rescale, so that GDCM returns the stored values."""
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
    dcmwrite(path, single, enforce_file_format=True)


def _bright_padding(part: Slice, stored: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Return where a slice has padding above the lowest HU of a CT, (rows, columns) bool."""
    header = part.frame.header
    limits = [header.get("PixelPaddingValue"), header.get("PixelPaddingRangeLimit")]
    limits = [_stored_integer(limit, header) for limit in limits if limit not in (None, "")]
    if not limits:
        return np.zeros(stored.shape, bool)
    padding = (stored >= min(limits)) & (stored <= max(limits)) & (values > MIN_CT_HU)
    # A single pixel of tissue may have the padding's value by chance.
    return padding & constant_areas(values) if padding.any() else padding


def _stored_integer(value: int, header: Dataset) -> int:
    """Return a padding value as the pixels store it, whatever sign its element was given."""
    bits = int(header.BitsStored)
    value = int(value) & ((1 << bits) - 1)
    signed = int(header.get("PixelRepresentation") or 0)
    return value - (1 << bits) if signed and value >> (bits - 1) else value
