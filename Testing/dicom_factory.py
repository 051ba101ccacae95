"""Small DICOM files for the tests: classic CT slices and multi-frame CT."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import SimpleITK as sitk
from pydicom import Dataset, dcmread
from pydicom.encaps import get_frame
from pydicom.uid import CTImageStorage, EnhancedCTImageStorage, ExplicitVRLittleEndian

ROOT = "1.2.826.0.1.3680043.10.7"
SERIES = f"{ROOT}.2"
ROWS, COLUMNS = 20, 24
SPACING = (0.8, 0.7)
"""Distances between rows and between columns in mm."""
HEIGHTS = (0.0, 2.5, 5.0, 7.5)


def body(height: float, offset: int = 0) -> np.ndarray:
    """Return a slice of HU, (rows, columns), that differs at every pixel and every height."""
    hu = np.arange(ROWS * COLUMNS).reshape(ROWS, COLUMNS) - 150 + round(10 * height) + offset
    hu[:, :6] = -1000
    return hu


def bodies(heights: Sequence[float], offset: int = 0) -> np.ndarray:
    """Return the slices at these heights, (slices, rows, columns)."""
    return np.stack([body(height, offset) for height in heights])


def ct_slice(height: float = 0.0, instance: int = 1, offset: int = 0) -> Dataset:
    """Return a classic CT slice at a height in mm, unsigned with an intercept of −1024."""
    slice_ = _image(CTImageStorage, instance)
    slice_.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
    slice_.InstanceNumber = instance
    slice_.AcquisitionNumber = 1
    slice_.KVP = "120"
    slice_.ConvolutionKernel = "B40f"
    slice_.SliceThickness = "2.5"
    slice_.ImagePositionPatient = [-10.5, -20.25, height]
    slice_.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
    slice_.PixelSpacing = list(SPACING)
    slice_.RescaleSlope = "1"
    slice_.RescaleIntercept = "-1024"
    store(slice_, body(height, offset))
    return slice_


def store(image: Dataset, hu: np.ndarray) -> None:
    """Store HU as pixels, with the rescale of the image."""
    stored = np.rint((hu - float(image.RescaleIntercept)) / float(image.RescaleSlope))
    set_pixels(image, stored.astype("<i2" if image.PixelRepresentation else "<u2"))


def set_pixels(image: Dataset, stored: np.ndarray) -> None:
    image.PixelData = stored.tobytes()
    image["PixelData"].VR = "OW"


def enhanced_ct(
    heights: Sequence[float] = HEIGHTS, instance: int = 1, rescales: Sequence | None = None
) -> Dataset:
    """Return a multi-frame CT: position and rescale of each frame, direction and spacing shared.

    Parameters
    ----------
    rescales : (slope, intercept) of each frame; (1, −1024) if it is None.
    """
    rescales = rescales or [(1, -1024)] * len(heights)
    image = _image(EnhancedCTImageStorage, instance)
    image.ImageType = ["ORIGINAL", "PRIMARY", "VOLUME", "NONE"]
    image.InstanceNumber = instance
    image.NumberOfFrames = len(heights)
    shared = Dataset()
    add_group(shared, "PlaneOrientationSequence", ImageOrientationPatient=[1, 0, 0, 0, 1, 0])
    add_group(shared, "PixelMeasuresSequence", PixelSpacing=list(SPACING), SliceThickness="2.5")
    add_group(shared, "CTReconstructionSequence", ConvolutionKernel="B40f")
    image.SharedFunctionalGroupsSequence = [shared]
    frames = []
    for height, (slope, intercept) in zip(heights, rescales, strict=True):
        frame = Dataset()
        position = [-10.5, -20.25, height]
        add_group(frame, "PlanePositionSequence", ImagePositionPatient=position)
        values = {"RescaleSlope": str(slope), "RescaleIntercept": str(intercept)}
        add_group(frame, "PixelValueTransformationSequence", RescaleType="HU", **values)
        frames.append(frame)
    image.PerFrameFunctionalGroupsSequence = frames
    stored = [
        np.rint((body(height) - intercept) / slope)
        for height, (slope, intercept) in zip(heights, rescales, strict=True)
    ]
    set_pixels(image, np.array(stored).astype("<u2"))
    return image


def add_group(item: Dataset, sequence: str, **values) -> None:
    """Add a functional group to the shared item or to the item of a frame."""
    group = Dataset()
    for keyword, value in values.items():
        setattr(group, keyword, value)
    setattr(item, sequence, [group])


def group_of(image: Dataset, frame: int, sequence: str) -> Dataset:
    """Return a functional group of a frame."""
    return image.PerFrameFunctionalGroupsSequence[frame][sequence].value[0]


def compressed_stream(path: Path, compressor: str, hu: np.ndarray) -> tuple[bytes, str]:
    """Return HU with an offset of 1024, compressed without loss, and the transfer syntax.

    Parameters
    ----------
    path : temporary file.
    compressor : name of a compressor of GDCM: JPEG2000 or JPEG.
    """
    image = sitk.GetImageFromArray((hu + 1024).astype(np.uint16))
    writer = sitk.ImageFileWriter()
    writer.SetFileName(str(path))
    writer.UseCompressionOn()
    writer.SetCompressor(compressor)
    writer.Execute(image)
    written = dcmread(path)
    return get_frame(written.PixelData, 0, number_of_frames=1), written.file_meta.TransferSyntaxUID


def write_slices(
    folder: Path,
    heights: Sequence[float] = HEIGHTS,
    edit: Callable[[int, Dataset], object] | None = None,
    first: int = 1,
    offset: int = 0,
    suffix: str = ".dcm",
    **values,
) -> Path:
    """Write a classic series in shuffled file order; return the folder.

    Parameters
    ----------
    edit : called with index and dataset of each slice before it is written.
    first : instance number of the first slice.
    values : attributes of all slices by keyword; None deletes one.
    """
    for index, height in enumerate(heights):
        image = ct_slice(height, first + index, offset)
        for keyword, value in values.items():
            change(image, keyword, value)
        if edit:
            edit(index, image)
        write(image, folder / f"s{(7 * index) % 10}{index}_{first}{suffix}")
    return folder


def change(image: Dataset, keyword: str, value) -> None:
    """Set an attribute, or delete it if the value is None."""
    if value is None:
        delattr(image, keyword)
    else:
        setattr(image, keyword, value)


def write(image: Dataset, path: Path) -> Path:
    """Write a dataset with its header; the folder is created."""
    path.parent.mkdir(parents=True, exist_ok=True)
    image.file_meta.MediaStorageSOPClassUID = image.get("SOPClassUID") or CTImageStorage
    image.save_as(path, enforce_file_format=True)
    return path


def _image(kind: str, instance: int) -> Dataset:
    image = Dataset()
    image.ensure_file_meta()
    image.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    image.file_meta.MediaStorageSOPInstanceUID = f"{SERIES}.{instance}"
    image.SOPClassUID = kind
    image.SOPInstanceUID = f"{SERIES}.{instance}"
    image.Modality = "CT"
    image.PatientID = "P1"
    image.PatientName = "Phantom^Torso"
    image.StudyInstanceUID = f"{ROOT}.1"
    image.SeriesInstanceUID = SERIES
    image.SeriesNumber = 3
    image.SeriesDescription = "Thorax"
    image.FrameOfReferenceUID = f"{ROOT}.3"
    image.SamplesPerPixel = 1
    image.PhotometricInterpretation = "MONOCHROME2"
    image.Rows, image.Columns = ROWS, COLUMNS
    image.BitsAllocated, image.BitsStored, image.HighBit = 16, 16, 15
    image.PixelRepresentation = 0
    return image
