"""DICOM images that are not CT in HU, and CT with something to know about it."""

from __future__ import annotations

from dicom_factory import write_slices
from pydicom import Dataset
from pydicom.uid import SecondaryCaptureImageStorage
from Reliability.case import Case, Writer, reads, refuses
from Reliability.dicom_inputs import as_colours, one, scout, slices, stack


def as_modality_lut(_, image: Dataset) -> None:
    table = Dataset()
    table.LUTDescriptor, table.ModalityLUTType, table.LUTData = [2, 0, 16], "HU", b"\0\0\1\0"
    image.ModalityLUTSequence = [table]


def as_8_bits(_, image: Dataset) -> None:
    image.BitsStored, image.HighBit = 8, 7


def as_palette(_, image: Dataset) -> None:
    image.PhotometricInterpretation = "PALETTE COLOR"


def derived(*terms: str) -> Writer:
    return slices(ImageType=["DERIVED", *terms])


def described(charset: str | None, text: bytes) -> Writer:
    """Return a writer of a scan with a description in bytes of a character set."""
    mark = "MARK" * 8

    def make(folder) -> None:
        values = {} if charset is None else {"SpecificCharacterSet": charset.split("\\")}
        write_slices(folder, SeriesDescription=mark, **values)
        for path in folder.iterdir():
            path.write_bytes(path.read_bytes().replace(mark.encode(), text.ljust(len(mark))))

    return make


WARNED = {
    "loss by its flag": (slices(LossyImageCompression="01"), "compressed with loss"),
    "loss in one slice": (one(2, LossyImageCompression="01"), "compressed with loss"),
    "burned-in text": (slices(BurnedInAnnotation="YES"), "burned-in text"),
    "monoenergetic by image type": (derived("PRIMARY", "AXIAL", "VMI"), "monoenergetic"),
    "monoenergetic by name": (slices(SeriesDescription="Abdomen 70 keV"), "monoenergetic"),
    "denoised by name": (slices(SeriesDescription="Thorax denoised"), "denoised already"),
    "denoised by derivation": (
        slices(DerivationDescription="Derived by PseudoCTDenoise."),
        "denoised already",
    ),
    "secondary": (derived("SECONDARY", "MPR"), "from other images"),
    "an average of slices": (
        derived("SECONDARY", "REFORMATTED", "AVERAGE", "MPR"),
        "from other images",
    ),
    "a material removed": (
        derived("PRIMARY", "AXIAL", "MAT_REMOVED"),
        "A material was removed from the images or changed (Image Type MAT_REMOVED)",
    ),
    "a material changed": (
        derived("PRIMARY", "AXIAL", "MAT_MODIFIED"),
        "(Image Type MAT_MODIFIED)",
    ),
    "derived from a perfusion study": (
        derived("PRIMARY", "AXIAL", "PERFUSION"),
        "may be a map and not a CT in HU (Image Type PERFUSION)",
    ),
    "derived with iodine": (derived("PRIMARY", "AXIAL", "IODINE"), "(Image Type IODINE)"),
    "an unknown SOP class": (slices(SOPClassUID="1.2.3.4"), "SOP Class UID"),
    "an anonymised SOP class": (slices(SOPClassUID="1.2.826.0.1.3680043.9.1"), "SOP Class UID"),
    "an unspecified unit": (slices(RescaleType="US"), "Rescale Type US"),
}

IMAGE_TYPES = (
    "ORIGINAL/PRIMARY/AXIAL/CT_SOM5 SPI",
    "ORIGINAL/PRIMARY/AXIAL/CT_SOM7 SPI DUAL/STD/SNRG/DET_AB",
    "ORIGINAL/PRIMARY/AXIAL/PERFUSION",
    "ORIGINAL/PRIMARY/AXIAL/HELICAL_CT",
    "ORIGINAL/PRIMARY/PERFUSION/NONE",
    "ORIGINAL/PRIMARY/VOLUME/NONE",
    "DERIVED/PRIMARY/AXIAL",
    "DERIVED/PRIMARY/AXIAL/CT_SOM5 SPI",
    "DERIVED/PRIMARY/VOLUME/RESAMPLED",
    "DERIVED/PRIMARY/AXIAL/MPR",
)
"""Image types of CT slices, of which there is nothing to know."""

CASES = (
    {name: Case(writer, stack(warnings=[words])) for name, (writer, words) in WARNED.items()}
    | reads(
        stack(),
        {
            "no SOP class, series or study": slices(
                SOPClassUID="", SeriesInstanceUID="", StudyInstanceUID="", SeriesNumber=None
            ),
            "no modality": slices(Modality=""),
            "no image type": slices(ImageType=""),
            "no loss by its flag": slices(LossyImageCompression="00"),
            "no burned-in text by its flag": slices(BurnedInAnnotation="NO"),
            "Latin-1 text": described("ISO_IR 100", "Schädel".encode("latin-1")),
            "Latin-1 text that is not declared": described(None, "Schädel".encode("latin-1")),
            "UTF-8 text that is not declared": described(None, "Schädel".encode()),
            "UTF-8 text": described("ISO_IR 192", "頭部".encode()),
            "GB18030 text": described("GB18030", "头部".encode("gb18030")),
            "Japanese text": described("\\ISO 2022 IR 87", b"\x1b$BF,It\x1b(B"),
            "Korean text": described("\\ISO 2022 IR 149", b"\x1b$)C" + "두부".encode("euc_kr")),
            "an unknown character set": described("ISO_IR 999", b"Sch\xe4del"),
            "text that its character set does not allow": described("ISO_IR 192", b"Sch\xe4del"),
        }
        | {f"image type {text}": slices(ImageType=text.split("/")) for text in IMAGE_TYPES},
    )
    | refuses(
        {
            "a perfusion map": (slices(RescaleType="ML/100ML/MIN"), "ML/100ML/MIN (Rescale Type)"),
            "an iodine map": (slices(RescaleType="MGML"), "values in MGML", "not in HU"),
            "an effective atomic number": (slices(RescaleType="Z_EFF"), "values in Z_EFF"),
            "an electron density": (slices(RescaleType="ED"), "values in ED"),
            "optical density": (slices(RescaleType="OD"), "values in OD"),
            "a map by its image type": (
                derived("PRIMARY", "AXIAL", "MAT_SPECIFIC"),
                "is a map",
                "MAT_SPECIFIC",
            ),
            "perfusion by its image type": (derived("SECONDARY", "PERFUSION", "CBF"), "is a map"),
            "a material fraction": (derived("PRIMARY", "AXIAL", "MAT_FRACTIONAL"), "is a map"),
            "a subtraction": (derived("PRIMARY", "VOLUME", "SUBTRACTION"), "is a map"),
            "a maximum over time": (derived("PRIMARY", "VOLUME", "MAXIMUM"), "projection"),
            "an electron density by its image type": (
                derived("PRIMARY", "AXIAL", "ELECTRON_DENSITY"),
                "is a map",
            ),
            "a secondary capture": (
                slices(SOPClassUID=SecondaryCaptureImageStorage),
                "Secondary Capture Image Storage",
            ),
            "a screenshot": (derived("SECONDARY", "SCREEN SAVE"), "secondary capture"),
            "a MIP": (derived("SECONDARY", "MIP"), "projection", "MIP"),
            "a Siemens MIP": (derived("PRIMARY", "CT_SOM5 MIP"), "projection"),
            "a minimum intensity projection": (derived("SECONDARY", "MINIP"), "projection"),
            "a volume rendering": (derived("SECONDARY", "VRT"), "rendering"),
            "8 bits": (slices(edit=as_8_bits), "8 bits per pixel"),
            "one slice of 8 bits": (
                slices(edit=lambda i, image: as_8_bits(i, image) if i == 3 else None),
                "8 bits per pixel",
            ),
            "colours": (slices(edit=as_colours), "has colours (RGB)"),
            "a palette of colours": (slices(edit=as_palette), "has colours (PALETTE COLOR)"),
            "a table of values": (slices(edit=as_modality_lut), "Modality LUT"),
            "MR": (slices(Modality="MR"), "has the modality MR"),
            "PET": (slices(Modality="PT"), "has the modality PT"),
            "MR by its SOP class": (
                slices(SOPClassUID="1.2.840.10008.5.1.4.1.1.4"),
                "MR Image Storage",
            ),
            "cone beam by its SOP class": (
                slices(SOPClassUID="1.2.840.10008.5.1.4.1.1.13.1.1"),
                "X-Ray 3D Angiographic Image Storage",
            ),
            "a scout only": (scout(), "is a scout"),
        }
    )
)
