"""Header of a single-frame CT image, from a classic slice or from a frame of a multi-frame file.

A frame's attributes lie in functional groups (PS3.3 C.7.6.16) and partly have other names there.
"""

from __future__ import annotations

from copy import deepcopy

from pydicom import Dataset
from pydicom.uid import CTImageStorage

from .dicom_attributes import PER_FRAME_GROUPS, PIXELS, SHARED_GROUPS, Frame

MULTI_FRAME_ONLY = (
    *(SHARED_GROUPS, PER_FRAME_GROUPS, "NumberOfFrames"),
    *("DimensionOrganizationSequence", "DimensionIndexSequence", "DimensionOrganizationType"),
    *("ConcatenationUID", "ConcatenationFrameOffsetNumber", "InConcatenationNumber"),
    *("InConcatenationTotalNumber", "SOPInstanceUIDOfConcatenationSource"),
    *("RepresentativeFrameNumber", "FrameIncrementPointer"),
    *("VolumetricProperties", "VolumeBasedCalculationTechnique", "PixelPresentation"),
    *("PresentationLUTShape", "AcquisitionContextSequence", "MultienergyCTAcquisition"),
    *("ReferencedImageEvidenceSequence", "SourceImageEvidenceSequence"),
)
"""Attributes of multi-frame files that a single-frame image does not have, or, for Multi-energy CT
Acquisition, only together with a module that multi-frame files state elsewhere."""

OF_A_FRAME = (
    *("ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing"),
    *("SliceThickness", "SpacingBetweenSlices"),
    *("RescaleSlope", "RescaleIntercept"),
    *("WindowCenter", "WindowWidth", "WindowCenterWidthExplanation", "VOILUTFunction"),
    *(
        "KVP",
        "FocalSpots",
        "FilterType",
        "FilterMaterial",
        "CTDIvol",
        "CTDIPhantomTypeCodeSequence",
    ),
    *("ExposureModulationType", "IrradiationEventUID"),
    *("ConvolutionKernel", "ReconstructionDiameter", "ReconstructionTargetCenterPatient"),
    *("DistanceSourceToDetector", "DataCollectionDiameter", "DataCollectionCenterPatient"),
    *("GantryDetectorTilt", "TableHeight", "RotationDirection", "RevolutionTime"),
    *("SingleCollimationWidth", "TotalCollimationWidth"),
    *("TableSpeed", "TableFeedPerRotation", "SpiralPitchFactor"),
)
"""Attributes with the same name in functional groups and in single-frame images."""

RENAMED = {
    "AcquisitionNumber": "FrameAcquisitionNumber",
    "AcquisitionDateTime": "FrameAcquisitionDateTime",
}
ROUNDED = {
    "ExposureTime": "ExposureTimeInms",
    "XRayTubeCurrent": "XRayTubeCurrentInmA",
    "Exposure": "ExposureInmAs",
}
"""Single-frame name → name in functional groups. Rounded ones are whole numbers in single frames,
in the same units: ms, mA, mAs."""


def classic_header(header: Dataset, frame: Frame, number: int) -> Dataset:
    """Return a header's attributes as those of a CT Image Storage object of one frame.

    Parameters
    ----------
    header : all attributes of the file. Pixels are left out.
    number : instance number for a frame of a multi-frame file, which has none.
    """
    image = Dataset()
    left_out = {*MULTI_FRAME_ONLY, *PIXELS}
    if not frame.multi_frame:
        left_out.remove("MultienergyCTAcquisition")
    for element in header:
        if element.keyword not in left_out:
            image[element.tag] = deepcopy(element)
    image.SOPClassUID = CTImageStorage
    if not frame.multi_frame:
        return image
    image.InstanceNumber = number
    for keyword in OF_A_FRAME:
        if (value := _in_groups(frame, keyword)) is not None:
            setattr(image, keyword, value)
    for keyword, name in RENAMED.items():
        if (value := _in_groups(frame, name)) is not None:
            setattr(image, keyword, value)
    for keyword, name in ROUNDED.items():
        if (value := _in_groups(frame, name)) is not None:
            setattr(image, keyword, round(value))
    return image


def _in_groups(frame: Frame, keyword: str) -> object:
    groups = frame.sources[:-1]
    return next((group[keyword].value for group in groups if keyword in group), None)
