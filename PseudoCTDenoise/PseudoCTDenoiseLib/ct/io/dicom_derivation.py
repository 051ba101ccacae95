"""Header of a derived CT image: what it keeps of its source, what is new and what is removed."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timezone

from pydicom import Dataset
from pydicom.uid import (
    JPEG2000,
    JPEGBaseline8Bit,
    JPEGExtended12Bit,
    JPEGLSNearLossless,
    generate_uid,
)

from ... import __version__
from .derived_kinds import DerivedKind
from .derived_note import NOISE_MAP, SOFTWARE
from .dicom_attributes import Frame
from .dicom_classic import classic_header
from .dicom_content import LOSSY, image_type
from .dicom_slices import Slice
from .dicom_text import appended

PROCESSED_SOURCE = ("121322", "DCM", "Source image for image processing operation")
ACQUISITION = ("109101", "DCM", "Acquisition Equipment")
PROCESSING = ("109102", "DCM", "Processing Equipment")
"""Codes of PS3.16: value, scheme and meaning."""

MULTI_FRAME_TERMS = {"AXIAL", "VOLUME", "NONE"}
"""Values of Frame Type of ordinary slices, all of which are AXIAL in single frames."""

NUMBER_LIMIT = 2**31
"""Numbers of series are below it (PS3.5 6.2, IS)."""
DESCRIPTION_LENGTH = 64
"""Maximum number of characters of a Series Description (PS3.5 6.2, LO)."""
DERIVATION_LENGTH = 1024
"""Maximum number of characters of a Derivation Description (PS3.5 6.2, ST)."""

REMOVED = (
    # statistics and copies of the source's pixels, and other ways to map them
    *("SmallestImagePixelValue", "LargestImagePixelValue", "IconImageSequence"),
    *("SmallestPixelValueInSeries", "LargestPixelValueInSeries"),
    *("ModalityLUTSequence", "RealWorldValueMappingSequence", "PixelDataProviderURL"),
    *("ExtendedOffsetTable", "ExtendedOffsetTableLengths"),
    # signatures, authorisation and encrypted attributes of the source
    *("MACParametersSequence", "DigitalSignaturesSequence", "EncryptedAttributesSequence"),
    *("OriginalAttributesSequence", "SOPInstanceStatus", "SOPAuthorizationDateTime"),
    *("SOPAuthorizationComment", "AuthorizationEquipmentCertificationNumber"),
    *("InstanceCreatorUID", "InstanceOriginStatus", "ConversionSourceAttributesSequence"),
    # the procedure step that made the source
    *("ReferencedPerformedProcedureStepSequence", "PerformedProcedureStepStartDate"),
    *("PerformedProcedureStepStartTime", "PerformedProcedureStepEndDate"),
    *("PerformedProcedureStepEndTime", "PerformedProcedureStepID"),
    *("PerformedProcedureStepDescription", "PerformedProtocolCodeSequence"),
    *("SeriesDescriptionCodeSequence", "SourceImageSequence"),
)
REMOVED_GROUPS = {*range(0x5000, 0x5100), *range(0x6000, 0x6100), 0xFFFC}
"""Curves, overlays and padding at the end of the file."""

EQUIPMENT = (
    *("Manufacturer", "InstitutionName", "InstitutionAddress", "StationName"),
    *("InstitutionalDepartmentName", "InstitutionalDepartmentTypeCodeSequence"),
    *("ManufacturerModelName", "DeviceSerialNumber", "SoftwareVersions", "GantryID"),
    *("DeviceUID", "UDISequence", "SpatialResolution"),
    *("DateOfLastCalibration", "TimeOfLastCalibration"),
)
"""General Equipment Module: attributes that move to the item of the scanner."""

COMPRESSION_METHODS = {
    JPEGBaseline8Bit: "ISO_10918_1",
    JPEGExtended12Bit: "ISO_10918_1",
    JPEGLSNearLossless: "ISO_14495_1",
    JPEG2000: "ISO_15444_1",
}


@dataclass(frozen=True)
class DerivedSeries:
    """A series that is derived from another one. Its UID and its time are made with the object.

    Attributes
    ----------
    note : Derivation Description.
    """

    kind: DerivedKind
    note: str
    uid: str = field(default_factory=generate_uid)
    made: datetime = field(default_factory=lambda: datetime.now(timezone.utc).astimezone())

    def image_type(self, source: Frame) -> list[str]:
        """Return the values of Image Type: from the third on those of the source.

        The fourth says how a multi-energy CT was made (PS3.3 C.8.2.1.1.1).
        """
        values = image_type(source).split("\\")[2:]
        if source.multi_frame:
            values = ["", *(value for value in values if value not in MULTI_FRAME_TERMS)]
        form, *others = values or [""]
        marker = [NOISE_MAP] if self.kind.noise else []
        return ["DERIVED", "SECONDARY", form or "AXIAL", *others, *marker]


def derived_header(header: Dataset, source: Slice, number: int, series: DerivedSeries) -> Dataset:
    """Return the header of one image of a derived series, without the format of its pixels.

    Parameters
    ----------
    header : all attributes of the source's file, pixels included.
    number : instance number if the source is a frame of a multi-frame file.
    """
    image = classic_header(header, source.frame, number)
    for keyword in REMOVED:
        if keyword in image:
            del image[keyword]
    for tag in [element.tag for element in image if element.tag.group in REMOVED_GROUPS]:
        del image[tag]
    image.remove_private_tags()
    image.update(_compression(header))
    _set_identity(image, series)
    _set_derivation(image, source, series)
    _set_equipment(image, series)
    return image


def _set_identity(image: Dataset, series: DerivedSeries) -> None:
    """Set UIDs, number, description and times of the new image."""
    image.SOPInstanceUID, image.SeriesInstanceUID = generate_uid(), series.uid
    former = image.get("SeriesNumber") or 0
    number = (former if isinstance(former, int) else 0) + series.kind.number_offset
    if number < NUMBER_LIMIT:
        image.SeriesNumber = number
    described = image.get("SeriesDescription")
    image.SeriesDescription = appended(described, series.kind.suffix, DESCRIPTION_LENGTH)
    made = _local_time(image, series.made)
    for kind in ("Series", "Content", "InstanceCreation"):
        setattr(image, f"{kind}Date", made.strftime("%Y%m%d"))
        setattr(image, f"{kind}Time", made.strftime("%H%M%S.%f"))


def _local_time(image: Dataset, time: datetime) -> datetime:
    """Return a time in the zone of the image's other times."""
    offset = str(image.get("TimezoneOffsetFromUTC") or "")
    try:
        zone = datetime.strptime(offset, "%z").tzinfo
    except ValueError:  # without an offset, times are local
        return time
    return time.astimezone(zone)


def _set_derivation(image: Dataset, source: Slice, series: DerivedSeries) -> None:
    image.ImageType = series.image_type(source.frame)
    earlier = image.get("DerivationDescription") or ""
    fits = len(earlier) + 1 + len(series.note) <= DERIVATION_LENGTH
    image.DerivationDescription = appended(earlier if fits else "", series.note, DERIVATION_LENGTH)
    if series.kind.derivation is not None:
        codes = list(image.get("DerivationCodeSequence") or ())
        image.DerivationCodeSequence = [*codes, _code(series.kind.derivation)]
    item = Dataset()
    item.ReferencedSOPClassUID = source.frame.header.get("SOPClassUID") or image.SOPClassUID
    item.ReferencedSOPInstanceUID = source.frame.header.SOPInstanceUID
    if source.frame.multi_frame:
        item.ReferencedFrameNumber = source.frame.index + 1
    item.SpatialLocationsPreserved = "YES"
    item.PurposeOfReferenceCodeSequence = [_code(PROCESSED_SOURCE)]
    image.SourceImageSequence = [item]


def _set_equipment(image: Dataset, series: DerivedSeries) -> None:
    """State this project as the equipment, and the source's equipment as a contribution."""
    items = list(image.get("ContributingEquipmentSequence") or ())
    former = Dataset()
    for keyword in EQUIPMENT:
        if keyword in image:
            if image[keyword].value not in (None, ""):
                former[keyword] = image[keyword]
            del image[keyword]
    if former:
        acquired = any(_has_code(item, ACQUISITION) for item in items)
        former.setdefault("Manufacturer", "Unknown")
        former.PurposeOfReferenceCodeSequence = [_code(PROCESSING if acquired else ACQUISITION)]
        items.append(former)
    ours = Dataset()
    for equipment in (image, ours):
        equipment.Manufacturer = equipment.ManufacturerModelName = SOFTWARE
        equipment.SoftwareVersions = __version__
    ours.PurposeOfReferenceCodeSequence = [_code(PROCESSING)]
    made = _local_time(image, series.made)
    ours.ContributionDateTime = made.strftime("%Y%m%d%H%M%S.%f%z")
    ours.ContributionDescription = series.kind.contribution
    image.ContributingEquipmentSequence = [*items, ours]


def _compression(header: Dataset) -> Dataset:
    """Return the attributes of a compression with loss that the file applies but does not state."""
    found = Dataset()
    syntax = header.file_meta.TransferSyntaxUID
    stated = str(header.get("LossyImageCompression") or "") == "01"
    if syntax in LOSSY and not stated:
        found.LossyImageCompression = "01"
    if syntax in COMPRESSION_METHODS and (stated or syntax in LOSSY):
        if not header.get("LossyImageCompressionRatio"):
            frames = int(header.get("NumberOfFrames") or 1)
            voxels = header.Rows * header.Columns * frames
            ratio = voxels * header.BitsAllocated / 8 / len(header.PixelData)
            found.LossyImageCompressionRatio = f"{ratio:.2f}"
        if not header.get("LossyImageCompressionMethod"):
            found.LossyImageCompressionMethod = COMPRESSION_METHODS[syntax]
    return found


def _code(code: tuple[str, str, str]) -> Dataset:
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = code
    return item


def _has_code(item: Dataset, code: tuple[str, str, str]) -> bool:
    purposes = item.get("PurposeOfReferenceCodeSequence") or ()
    return any(purpose.get("CodeValue") == code[0] for purpose in purposes)
