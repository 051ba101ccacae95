"""Kinds of DICOM images: which hold CT slices in HU, and what to know about those that do."""

from __future__ import annotations

import re

from pydicom.uid import (
    UID,
    CTImageStorage,
    EnhancedCTImageStorage,
    JPEGBaseline8Bit,
    JPEGExtended12Bit,
    JPEGLSNearLossless,
    LegacyConvertedEnhancedCTImageStorage,
)

from .derived_note import ALREADY_DENOISED, IS_PSEUDO_LDCT, NOISE_MAP, NOTE_START
from .dicom_attributes import Frame
from .dicom_files import sop_class

CT_CLASSES = (CTImageStorage, EnhancedCTImageStorage, LegacyConvertedEnhancedCTImageStorage)
LOSSY = (JPEGBaseline8Bit, JPEGExtended12Bit, JPEGLSNearLossless)
"""Transfer syntaxes that always lose information."""

PROJECTIONS = {
    *("MIP", "MAXIP", "MAX_IP", "MINIP", "MIN_IP", "PROJECTION", "PROJECTION IMAGE"),
    *("VRT", "SSD", "VOLUME_RENDER", "SURFACE_RENDER", "CURVED_MPR", "MAXIMUM", "MINIMUM"),
}
MAPS = {
    *("CBF", "CBV", "RCBF", "RCBV", "MTT", "TTP", "TMAX", "PBV"),
    *("MAT_SPECIFIC", "MAT_FRACTIONAL", "MATERIAL_FRACTIONAL", "MAT_VALUE_BASED"),
    *("EFF_ATOMIC_NUM", "ELECTRON_DENSITY", "Z_EFF", "RHO"),
    *("SUBTRACTION", "DIVISION", "MULTIPLICATION", "STD_DEVIATION", "T_TEST", "Z_SCORE"),
    NOISE_MAP,
}
SCREENSHOTS = {"SCREEN SAVE", "SCREENSAVE", "SCREEN SHOT", "SCREENSHOT", "SCREEN_CAPTURE"}
PERHAPS_MAPS = {"PERFUSION", "IODINE"}
"""Subjects of maps. Images of a perfusion study that are not derived are CT slices."""
CHANGED_MATERIALS = {"MAT_REMOVED", "MAT_MODIFIED"}
"""Images in HU from which a material was removed, such as contrast agent (virtual non-contrast)."""
# Terms of Image Type (0008,0008): PS3.3 C.8.2.1, C.8.15.2 and C.8.16.1, and those of scanners.

MONOENERGETIC = re.compile(r"\bVMI\b|\bmono(chromatic|energetic|e)?\b|\b\d+ *keV\b", re.IGNORECASE)
DENOISED = re.compile(rf"{NOTE_START}|\bdenoised\b", re.IGNORECASE)
PSEUDO_LDCT = re.compile(r"\bpseudo-LDCT\b", re.IGNORECASE)


def image_type(frame: Frame) -> str:
    """Return the values of Image Type or, for multi-frame files, of Frame Type."""
    return frame.text("FrameType", "ImageType").upper()


def is_scout(frame: Frame) -> bool:
    """Return True for a localizer."""
    return "LOCALIZER" in _values(frame)


def is_ct(frame: Frame) -> bool:
    """Return False for an object that the standard knows to be something other than CT images."""
    kind = sop_class(frame.header)
    known = UID(kind).name != kind
    return frame.text("Modality") in ("", "CT") and (kind in CT_CLASSES or not known)


def content_problem(frame: Frame) -> str:
    """Return why an image is not a CT slice in HU as the end of a sentence, or an empty text."""
    modality, kind = frame.text("Modality"), sop_class(frame.header)
    terms = _values(frame) | _words(frame)
    unit = rescale_type(frame)
    if modality not in ("", "CT"):
        return f"has the modality {modality}: give a CT."
    if is_scout(frame):
        return "is a scout (localizer) image: choose the CT slices."
    if not is_ct(frame):
        return f"is of the kind '{UID(kind).name}': give the CT slices."
    if found := terms & PROJECTIONS:
        return f"is a projection or rendering (Image Type {min(found)}): give the CT slices."
    if found := terms & MAPS:
        return f"is a map and not a CT in HU (Image Type {min(found)}): give the CT slices."
    if found := terms & SCREENSHOTS:
        return f"is a secondary capture (Image Type {min(found)}): give the CT slices."
    if unit not in ("HU", "US"):
        return f"has values in {unit} (Rescale Type) and not in HU: give the CT slices."
    if frame.header.get("ModalityLUTSequence"):
        return "has a table of values (Modality LUT) instead of a rescale slope: export it in HU."
    colours = frame.header.get("SamplesPerPixel") or 1
    photometric = frame.text("PhotometricInterpretation")
    if colours != 1 or not photometric.startswith("MONOCHROME"):
        return f"has colours ({photometric or 'no photometric interpretation'}): give a CT in HU."
    bits = int(frame.header.get("BitsStored") or 16)
    if bits <= 8:
        return "has 8 bits per pixel, too few for HU (a windowed image): give the CT slices."
    high = int(frame.header.get("HighBit") or bits - 1)
    if high != bits - 1:
        return (
            f"stores its pixels in bits {high + 1 - bits} to {high} (High Bit, 0028,0102) instead "
            f"of 0 to {bits - 1}: export it again."
        )
    return ""


def content_warnings(frame: Frame) -> list[str]:
    """Return what may spoil the result although the image is a CT slice in HU, as sentences."""
    found = []
    syntax = frame.header.file_meta.TransferSyntaxUID
    description = frame.text("SeriesDescription")
    if frame.text("LossyImageCompression") == "01" or syntax in LOSSY:
        found.append(
            "The images were compressed with loss, which changes their noise: use the "
            "original images if you have them."
        )
    if frame.text("BurnedInAnnotation").upper() == "YES":
        found.append("The images contain burned-in text, which is denoised like tissue.")
    if MONOENERGETIC.search(re.sub(r"[\\_]", " ", f"{image_type(frame)} {description}")):
        found.append("The images are monoenergetic; the models were not tested on such images.")
    texts = (description, frame.text("DerivationDescription"), frame.text("ImageComments"))
    if any(map(DENOISED.search, texts)):
        found.append(ALREADY_DENOISED)
    if any(map(PSEUDO_LDCT.search, texts)):
        found.append(IS_PSEUDO_LDCT)
    terms = _values(frame) | _words(frame)
    doubtful = terms & PERHAPS_MAPS if "DERIVED" in terms else set()
    if doubtful:
        found.append(
            f"The images may be a map and not a CT in HU (Image Type {min(doubtful)}): check that "
            "their values are HU."
        )
    if changed := terms & CHANGED_MATERIALS:
        found.append(
            f"A material was removed from the images or changed (Image Type {min(changed)}); the "
            "models were not tested on such images."
        )
    if "SECONDARY" in terms:
        found.append(
            "The images were computed from other images (Image Type SECONDARY): use the original "
            "slices if you have them."
        )
    if sop_class(frame.header) not in CT_CLASSES:
        found.append("The files do not say that they are CT images (SOP Class UID).")
    if rescale_type(frame) == "US":
        found.append("The files do not say that their values are HU (Rescale Type US).")
    return found


def rescale_type(frame: Frame) -> str:
    """Return the unit of the rescaled values. A CT without Rescale Type has HU (PS3.3 C.8.2.1)."""
    unit = frame.text("RescaleType").upper()
    return "HU" if unit in ("", "HOUNSFIELD", "HOUNSFIELD UNITS") else unit


def _values(frame: Frame) -> set[str]:
    technique = frame.text("VolumeBasedCalculationTechnique").upper()
    return {technique, *image_type(frame).split("\\")} - {""}


def _words(frame: Frame) -> set[str]:
    return set(re.split(r"[^A-Z0-9]+", image_type(frame))) - {""}
