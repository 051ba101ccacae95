"""DICOM attributes that decide how slices are read, and their lookup for each frame."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from pydicom import Dataset
from pydicom.datadict import dictionary_VR, tag_for_keyword
from pydicom.multival import MultiValue

from ...errors import BadInputError

GEOMETRY = {
    "ImagePositionPatient": ("position (Image Position, 0020,0032)", 3),
    "ImageOrientationPatient": ("direction (Image Orientation, 0020,0037)", 6),
    "PixelSpacing": ("pixel spacing (Pixel Spacing, 0028,0030)", 2),
}
RESCALE = {
    "RescaleSlope": ("rescale slope (0028,1053)", 1),
    "RescaleIntercept": ("rescale intercept (0028,1052)", 1),
}
REQUIRED = GEOMETRY | RESCALE
"""Attribute → name in messages and number of values. Each slice must have all of them."""

PER_FRAME = {*REQUIRED, "SliceThickness", "SpacingBetweenSlices", "RescaleType"}
"""Attributes that a multi-frame file states for its frames; its top level does not count."""

SHARED_GROUPS = "SharedFunctionalGroupsSequence"
PER_FRAME_GROUPS = "PerFrameFunctionalGroupsSequence"

PIXELS = ("PixelData", "FloatPixelData", "DoubleFloatPixelData")
"""Attributes that hold pixels: integers, floats or doubles."""
PIXEL_FORMAT = (
    *("Rows", "Columns", "NumberOfFrames", "SamplesPerPixel", "PhotometricInterpretation"),
    *("BitsAllocated", "BitsStored", "HighBit", "PixelRepresentation"),
)
PATIENT = ("PatientID", "PatientName", "PatientBirthDate")
LABELS = {
    "study": ("StudyInstanceUID",),
    "number": ("SeriesNumber",),
    "description": ("SeriesDescription",),
    "modality": ("Modality",),
    "kernel": ("ConvolutionKernel",),
    "kV": ("KVP",),
    "thickness": ("SliceThickness",),
    "phase": ("TemporalPositionIdentifier", "TemporalPositionIndex"),
    "cardiac phase": ("NominalPercentageOfCardiacPhase",),
    "stack": ("StackID",),
    "frame of reference": ("FrameOfReferenceUID",),
    "acquisition": ("AcquisitionNumber", "FrameAcquisitionNumber"),
    "trigger time": ("TriggerTime", "NominalCardiacTriggerDelayTime"),
    "acquisition time": ("AcquisitionDateTime", "FrameAcquisitionDateTime", "AcquisitionTime"),
    "series time": ("SeriesTime",),
    "content time": ("ContentTime",),
    "study date": ("StudyDate",),
    "series date": ("SeriesDate",),
}
"""Label that distinguishes stacks → attributes, of which the first that is not empty counts."""
HEADER_TAGS = [
    tag_for_keyword(keyword)
    for keyword in (
        *PER_FRAME,
        *PIXEL_FORMAT,
        *PATIENT,
        *chain(*LABELS.values()),
        *(SHARED_GROUPS, PER_FRAME_GROUPS),
        *("SpecificCharacterSet", "SOPClassUID", "SOPInstanceUID", "ImageType"),
        *("SeriesInstanceUID", "InstanceNumber"),
        *("PixelPaddingValue", "PixelPaddingRangeLimit", "ModalityLUTSequence"),
        *("VolumeBasedCalculationTechnique", "LossyImageCompression", "BurnedInAnnotation"),
        *("DerivationDescription", "ImageComments"),
    )
]
"""Elements that decide which slices belong together and where they lie."""
PIXEL_TAGS = [
    tag_for_keyword(keyword)
    for keyword in (
        *PIXEL_FORMAT,
        *("PlanarConfiguration", *PIXELS),
        *("ExtendedOffsetTable", "ExtendedOffsetTableLengths"),
    )
]
"""Elements that decoding needs."""


@dataclass(frozen=True)
class Frame:
    """One slice: a classic DICOM image, or a frame of a multi-frame file.

    Attributes
    ----------
    index : number of the frame in its file, from 0.
    sources : datasets in which attributes are looked up, in this order. For a multi-frame file
        these are its functional groups, then the top level of the file.
    multi_frame : True if the file has functional groups or more than one frame.
    """

    path: Path
    index: int
    sources: tuple[Dataset, ...]
    multi_frame: bool

    @property
    def header(self) -> Dataset:
        """Top level of the file."""
        return self.sources[-1]

    @property
    def name(self) -> str:
        """Name in messages."""
        return f"{self.path.name}, frame {self.index + 1}" if self.multi_frame else self.path.name

    def value(self, keyword: str) -> object:
        """Return the value of an attribute as pydicom reads it, or None.

        Raises
        ------
        BadInputError
            If the value violates the standard so far that it cannot be read.
        """
        sources = self.sources
        if self.multi_frame and keyword in PER_FRAME:
            sources = sources[:-1]
        for source in sources:
            if keyword in source:
                try:
                    return source[keyword].value
                except Exception as error:  # pydicom raises many kinds of errors
                    raise BadInputError(
                        f"{self.name} has an unreadable {keyword}: export it again."
                    ) from error
        return None

    def text(self, *keywords: str) -> str:
        """Return the first of the attributes that is not empty, on one line, or an empty text."""
        for keyword in keywords:
            try:
                value = self.value(keyword)
            except BadInputError:
                continue
            values = value if isinstance(value, MultiValue) else [value]
            texts = [str(part) for part in values if part is not None]
            text = " ".join("\\".join(texts).replace("\0", " ").split())
            if text:
                return self._decoded(text)
        return ""

    def label(self, name: str) -> str:
        """Return one of the :data:`LABELS` of the frame; as numbers, 120 and 120.0 are the same."""
        text = self.text(*LABELS[name])
        if dictionary_VR(LABELS[name][0]) not in ("DS", "IS"):
            return text
        try:
            return f"{float(text):g}"
        except ValueError:
            return text

    def numbers(self, keyword: str, count: int) -> tuple[float, ...] | None:
        """Return the values of a numeric attribute, or None if it is missing or empty.

        Raises
        ------
        BadInputError
            If it does not hold this number of finite values.
        """
        value = self.value(keyword)
        if value is None or value == "" or value == []:
            return None
        try:
            numbers = tuple(map(float, value if hasattr(value, "__len__") else [value]))
        except (TypeError, ValueError):
            numbers = ()
        if len(numbers) != count or not all(map(math.isfinite, numbers)):
            wanted = "a number" if count == 1 else f"{count} numbers"
            raise BadInputError(
                f"{self.name} has the {keyword} '{self.text(keyword):.40}' instead of {wanted}: "
                "export it again."
            )
        return numbers

    def _decoded(self, text: str) -> str:
        """Return a text with UTF-8 repaired that the file does not declare."""
        if self.header.get("SpecificCharacterSet"):
            return text
        try:
            return text.encode("latin-1").decode("utf-8")
        except UnicodeError:
            return text


def frames_of(path: Path, header: Dataset) -> Iterator[Frame]:
    """Yield the frames of a file.

    Raises
    ------
    BadInputError
        If a CT describes another number of frames than it has. The message is the end of the
        sentence "the file ...".
    """
    shared = list(header.get(SHARED_GROUPS) or ())
    frames = list(header.get(PER_FRAME_GROUPS) or ())
    count = int(header.get("NumberOfFrames") or 1)
    is_ct = header.get("Modality") in (None, "", "CT")
    if not is_ct or not (shared or frames):
        yield Frame(path, 0, (header,), multi_frame=count > 1)
        return
    if len(frames) != count:
        raise BadInputError(f"describes {len(frames)} of its {count} frames")
    common = _groups(shared[0]) if shared else {}
    for index, frame in enumerate(frames):
        sources = (common | _groups(frame)).values()
        yield Frame(path, index, (*sources, header), multi_frame=True)


def _groups(item: Dataset) -> dict[int, Dataset]:
    """Return the first item of each functional group by the tag of its sequence."""
    return {
        int(element.tag): element.value[0]
        for element in item
        if element.VR == "SQ" and len(element.value)
    }
