"""A derived series keeps its source's patient, study, geometry and pixels, and says what it is."""

from __future__ import annotations

import shutil
import struct
import subprocess
import sys
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from dicom_factory import (
    HEIGHTS,
    SERIES,
    add_group,
    body,
    compressed_stream,
    ct_slice,
    enhanced_ct,
    set_pixels,
    store,
    write,
    write_slices,
)
from PseudoCTDenoiseLib import __version__
from PseudoCTDenoiseLib.ct.io.derived_kinds import (
    DENOISED,
    NOISE_ENSEMBLE,
    PSEUDO_LDCT,
    REMOVED_NOISE,
    noise_of_model,
)
from PseudoCTDenoiseLib.ct.io.derived_note import ALREADY_DENOISED, IS_PSEUDO_LDCT, derivation_note
from PseudoCTDenoiseLib.ct.io.dicom_derivation import DerivedSeries
from PseudoCTDenoiseLib.ct.io.dicom_writer import check_source, file_names, write_series
from PseudoCTDenoiseLib.ct.io.volume_files import CtVolume, read_volume
from PseudoCTDenoiseLib.errors import BadInputError
from pydicom import Dataset, config, dcmread
from pydicom.dataelem import RawDataElement
from pydicom.encaps import encapsulate
from pydicom.tag import Tag
from pydicom.uid import JPEG2000, CTImageStorage, ExplicitVRLittleEndian, JPEGExtended12Bit

PLACE = "AAAAAAAA"
"""Text of a test that is replaced in the file."""
NOTE = derivation_note(DENOISED.note, "1.2", "fast", 70)
Edit = Callable[[int, Dataset], object]


def smoothed(hu: np.ndarray) -> np.ndarray:
    """Return other HU that a denoiser might return for a scan."""
    return np.where(hu > -1024, hu // 4 * 4 + 1, hu).astype(np.int16)


def derive(
    source: Path, folder: Path, hu: np.ndarray | None = None, series: DerivedSeries | None = None
) -> tuple[CtVolume, np.ndarray]:
    """Write a derived series of a folder; return the source and the HU that were written."""
    scan = read_volume(source)
    hu = smoothed(scan.hu) if hu is None else hu
    check_source(scan.dicom_slices, scan.name)
    folder.mkdir()
    paths = [folder / name for name in file_names(len(hu))]
    write_series(paths, hu, scan.dicom_slices, scan.hu, series or DerivedSeries(DENOISED, NOTE))
    return scan, hu


def derived(tmp_path: Path, edit: Edit | None = None, **values) -> list[Dataset]:
    """Return the derived slices of a series that is written with these attributes."""
    source = write_slices(tmp_path / "source", edit=edit, **values)
    derive(source, tmp_path / "derived")
    return [dcmread(path) for path in sorted((tmp_path / "derived").iterdir())]


def with_simpleitk(folder: Path) -> sitk.Image:
    reader = sitk.ImageSeriesReader()
    reader.SetFileNames(reader.GetGDCMSeriesFileNames(str(folder)))
    return reader.Execute()


# ------------------------------------------------------------------- pixels


def rescaled(slope: str, intercept: str, bits: int = 16, signed: bool = False) -> Edit:
    def edit(index: int, image: Dataset) -> None:
        image.RescaleSlope, image.RescaleIntercept = slope, intercept
        image.BitsStored, image.HighBit = bits, bits - 1
        image.PixelRepresentation = int(signed)
        store(image, body(HEIGHTS[index]))

    return edit


FORMATS = {
    "unsigned": (rescaled("1", "-1024"), None, (16, 0, "1", "-1024")),
    "signed": (rescaled("1", "0", signed=True), None, (16, 1, "1", "0")),
    "12 bits": (rescaled("1", "-1024", bits=12), None, (12, 0, "1", "-1024")),
    "12 bits, signed": (rescaled("1", "0", bits=12, signed=True), None, (12, 1, "1", "0")),
    "above 12 bits": (rescaled("1", "-1024", bits=12), 3072, (16, 0, "1", "-1024")),
    "below an unsigned zero": (rescaled("1", "-1000", bits=12), -1024, (16, 1, "1", "-1000")),
    "fractional slope": (rescaled("0.37", "-1024.5"), None, (16, 0, "0.37", "-1024.5")),
    "negative slope": (rescaled("-1", "3000"), None, (16, 0, "-1", "3000")),
    "steps of 2 HU": (rescaled("2", "-1024"), None, (16, 1, "1", "0")),
    "steps of 1 HU between whole HU": (rescaled("1", "-1024.5"), None, (16, 1, "1", "0")),
    "the whole range of int16": (rescaled("0.1", "-1024"), 32767, (16, 1, "1", "0")),
}


@pytest.mark.parametrize("edit, extreme, expected", FORMATS.values(), ids=FORMATS.keys())
def test_pixels_are_read_back_equal_in_the_format_of_the_source(tmp_path, edit, extreme, expected):
    source = write_slices(tmp_path / "source", edit=edit)
    hu = smoothed(read_volume(source).hu)
    if extreme is not None:
        hu[2, 10, 12] = extreme
    scan, _ = derive(source, tmp_path / "derived", hu)
    again = read_volume(tmp_path / "derived")
    assert np.array_equal(again.hu, hu)
    assert again.origin == scan.origin and again.spacing == scan.spacing
    assert again.direction == scan.direction
    image = with_simpleitk(tmp_path / "derived")
    assert np.array_equal(np.rint(sitk.GetArrayFromImage(image)), hu)
    assert image.GetOrigin() == scan.origin and image.GetSpacing() == scan.spacing
    for path in (tmp_path / "derived").iterdir():
        header = dcmread(path)
        sign, rescale = header.PixelRepresentation, (header.RescaleSlope, header.RescaleIntercept)
        assert (header.BitsStored, sign, *map(str, rescale)) == expected
        assert (header.BitsAllocated, header.HighBit) == (16, header.BitsStored - 1)
        assert header.file_meta.TransferSyntaxUID == ExplicitVRLittleEndian


def test_floating_point_pixels_become_integers(tmp_path):
    def edit(index: int, image: Dataset) -> None:
        image.FloatPixelData = (body(HEIGHTS[index]) + 1024).astype("<f4").tobytes()
        image.BitsAllocated = 32
        for keyword in ("PixelData", "BitsStored", "HighBit", "PixelRepresentation"):
            del image[keyword]

    source = write_slices(tmp_path / "source", edit=edit)
    _, hu = derive(source, tmp_path / "derived")
    assert np.array_equal(read_volume(tmp_path / "derived").hu, hu)
    assert "FloatPixelData" not in dcmread(tmp_path / "derived" / "0001.dcm")


def test_each_slice_keeps_its_own_rescale(tmp_path):
    def edit(index: int, image: Dataset) -> None:
        rescaled(f"0.{index + 5}", f"{-1024 - index}")(index, image)

    images = derived(tmp_path, edit)
    assert [str(image.RescaleSlope) for image in images] == ["0.5", "0.6", "0.7", "0.8"]
    assert [str(image.RescaleIntercept) for image in images] == ["-1024", "-1025", "-1026", "-1027"]
    scan = read_volume(tmp_path / "source")
    assert np.array_equal(read_volume(tmp_path / "derived").hu, smoothed(scan.hu))


def padded(value: int, vr: str = "US", **values) -> Edit:
    """Return an edit that fills the left columns with padding."""

    def edit(index: int, image: Dataset) -> None:
        for keyword, number in values.items():
            setattr(image, keyword, number)
        store(image, body(HEIGHTS[index]))
        dtype = "<i2" if image.PixelRepresentation else "<u2"
        stored = np.frombuffer(image.PixelData, dtype).reshape(20, 24).copy()
        stored[:, :6] = value
        set_pixels(image, stored)
        image.add_new("PixelPaddingValue", vr, value)

    return edit


@pytest.mark.parametrize(
    "edit, value",
    [
        (padded(3000), 3000),
        (padded(0), 0),
        (padded(2000, "SS", PixelRepresentation=1, RescaleIntercept="0"), 2000),
        (padded(-2000, "SS", PixelRepresentation=1, RescaleIntercept="0"), -2000),
        (padded(-2001, "SS", PixelRepresentation=1, RescaleSlope="0.4"), -2001),
        (padded(6001, RescaleSlope="0.4"), 6001),
    ],
    ids=[
        *("bright", "air", "bright and signed", "dark and signed"),
        *("dark between whole HU", "bright between whole HU"),
    ],
)
def test_padding_keeps_its_value_and_its_pixels(tmp_path, edit, value):
    images = derived(tmp_path, edit)
    assert all(image.PixelPaddingValue == value for image in images)
    assert all((image.pixel_array[:, :6] == value).all() for image in images)
    assert not any((image.pixel_array[:, 6:] == value).any() for image in images)
    scans = [read_volume(tmp_path / name).hu for name in ("source", "derived")]
    assert np.array_equal(scans[1], smoothed(scans[0]))


@pytest.mark.parametrize("value, kept", [(3000, 1976), (65000, -32768)])
def test_padding_follows_pixels_that_need_another_format(tmp_path, value, kept):
    source = write_slices(tmp_path / "source", edit=padded(value))
    hu = smoothed(read_volume(source).hu)
    hu[1, 10, 12] = -1030 if value > 4096 else 32767
    if value < 4096:
        hu[1, 10, 13] = -1030
    derive(source, tmp_path / "derived", hu)
    image = dcmread(tmp_path / "derived" / "0002.dcm")
    assert (image.PixelRepresentation, str(image.RescaleIntercept)) == (1, "0")
    assert image["PixelPaddingValue"].VR == "SS" and image.PixelPaddingValue == kept
    assert (image.pixel_array[:, :6] == kept).all()


@pytest.mark.parametrize("compressor", ["JPEG2000", "JPEG", "RLE"])
def test_compressed_slices_become_uncompressed(tmp_path, compressor):
    images = derived(tmp_path, compressed(tmp_path, compressor))
    assert {image.file_meta.TransferSyntaxUID for image in images} == {ExplicitVRLittleEndian}
    assert not any("LossyImageCompression" in image for image in images)
    scan = read_volume(tmp_path / "source")
    assert np.array_equal(read_volume(tmp_path / "derived").hu, smoothed(scan.hu))


def compressed(tmp_path: Path, compressor: str, **values) -> Edit:
    def edit(index: int, image: Dataset) -> None:
        stream, syntax = compressed_stream(tmp_path / "x.dcm", compressor, body(HEIGHTS[index]))
        image.PixelData = encapsulate([stream])
        image["PixelData"].VR = "OB"
        image.file_meta.TransferSyntaxUID = syntax
        for keyword, value in values.items():
            setattr(image, keyword, value)

    return edit


# ------------------------------------------------------------------- header


def full_header(index: int, image: Dataset) -> None:
    """Give a slice what scanners and archives add."""
    image.AccessionNumber, image.StudyID, image.StudyDate = "A-17", "S1", "20260102"
    image.StudyTime, image.AcquisitionDate, image.AcquisitionTime = "101112", "20260102", "101300"
    image.SeriesDate, image.SeriesTime, image.ContentDate = "20260102", "101213", "20260102"
    image.ContentTime = "101400"
    image.PatientBirthDate, image.PatientSex, image.PatientAge = "19500101", "F", "076Y"
    image.ReferringPhysicianName, image.PatientPosition = "House^G", "HFS"
    image.PatientIdentityRemoved, image.DeidentificationMethod = "YES", "by hand"
    image.Manufacturer, image.ManufacturerModelName = "SIEMENS", "Sensation 10"
    image.InstitutionName, image.StationName, image.DeviceSerialNumber = "Hospital", "CT1", "60064"
    image.SoftwareVersions, image.GantryID = "VB80", "G1"
    image.WindowCenter, image.WindowWidth = [40, -600], [350, 1200]
    image.XRayTubeCurrent, image.ExposureTime, image.Exposure = 172, 500, 68
    image.GantryDetectorTilt, image.ContrastBolusAgent = "0", "yes"
    image.BurnedInAnnotation, image.PositionReferenceIndicator = "NO", "SN"
    image.SpacingBetweenSlices = "2.5"
    image.SmallestImagePixelValue, image.LargestImagePixelValue = 24, 1400
    image.IconImageSequence = [Dataset()]
    image.DigitalSignaturesSequence, image.EncryptedAttributesSequence = [Dataset()], [Dataset()]
    image.RealWorldValueMappingSequence = [Dataset()]
    image.ReferencedPerformedProcedureStepSequence = [Dataset()]
    image.PerformedProtocolCodeSequence = [Dataset()]
    image.PerformedProcedureStepID, image.PerformedProcedureStepStartDate = "P1", "20260102"
    image.add_new(0x60000010, "US", 20)
    image.add_new(0x60003000, "OW", b"\0" * 60)
    image.private_block(0x0029, "SIEMENS CSA HEADER", create=True).add_new(0x10, "LO", "secret")
    request = Dataset()
    request.RequestedProcedureID = "R1"
    request.private_block(0x0041, "OTHER", create=True).add_new(0x01, "LO", "secret")
    image.RequestAttributesSequence = [request]


KEPT = """
AccessionNumber StudyID StudyDate StudyTime StudyInstanceUID AcquisitionDate AcquisitionTime
PatientID PatientName PatientBirthDate PatientSex PatientAge PatientPosition ReferringPhysicianName
PatientIdentityRemoved DeidentificationMethod FrameOfReferenceUID PositionReferenceIndicator
ImagePositionPatient ImageOrientationPatient PixelSpacing SliceThickness SpacingBetweenSlices
InstanceNumber AcquisitionNumber KVP XRayTubeCurrent ExposureTime Exposure ConvolutionKernel
GantryDetectorTilt ContrastBolusAgent WindowCenter WindowWidth RescaleSlope RescaleIntercept
PixelRepresentation BitsStored BurnedInAnnotation Rows Columns Modality SOPClassUID
""".split()  # noqa: SIM905
REMOVED = """
SmallestImagePixelValue LargestImagePixelValue IconImageSequence DigitalSignaturesSequence
RealWorldValueMappingSequence ReferencedPerformedProcedureStepSequence PerformedProcedureStepID
PerformedProcedureStepStartDate InstitutionName StationName DeviceSerialNumber GantryID
EncryptedAttributesSequence PerformedProtocolCodeSequence
""".split()  # noqa: SIM905
NEW = """
SOPInstanceUID SeriesInstanceUID SeriesDate SeriesTime ContentDate ContentTime
""".split()  # noqa: SIM905


def test_each_slice_keeps_the_patient_the_study_and_the_acquisition(tmp_path):
    images = derived(tmp_path, full_header)
    sources = sorted(
        map(dcmread, (tmp_path / "source").iterdir()), key=lambda image: image.InstanceNumber
    )
    for image, source in zip(images, sources, strict=True):
        assert {keyword: image[keyword] for keyword in KEPT} == {
            keyword: source[keyword] for keyword in KEPT
        }
        assert not [keyword for keyword in REMOVED if keyword in image]
        assert not [keyword for keyword in NEW if image[keyword] == source[keyword]]
        assert image.RequestAttributesSequence[0].RequestedProcedureID == "R1"
        elements = list(image.iterall())
        assert not [e for e in elements if e.tag.is_private or e.tag.group == 0x6000]
    assert len({image.SOPInstanceUID for image in images}) == len(images)
    for keyword in (*NEW[1:], "SeriesNumber", "SeriesDescription"):
        assert len({str(image[keyword].value) for image in images}) == 1


def test_a_derived_slice_says_what_it_is_and_what_it_comes_from(tmp_path):
    images = derived(tmp_path, full_header)
    for number, image in enumerate(images, start=1):
        assert list(image.ImageType) == ["DERIVED", "SECONDARY", "AXIAL"]
        assert (image.SeriesNumber, image.SeriesDescription) == (1003, "Thorax denoised")
        assert image.DerivationDescription == NOTE
        assert "1.2" in NOTE and "fast" in NOTE and "70 %" in NOTE and "Research use" in NOTE
        assert codes(image.DerivationCodeSequence) == ["113087"]
        (item,) = image.SourceImageSequence
        assert item.ReferencedSOPInstanceUID == f"{SERIES}.{number}"
        assert item.ReferencedSOPClassUID == image.SOPClassUID
        assert item.SpatialLocationsPreserved == "YES"
        assert codes(item.PurposeOfReferenceCodeSequence) == ["121322"]
        assert image.RescaleType == "HU"


@pytest.mark.parametrize(
    "stated, expected",
    [
        (r"DERIVED\PRIMARY\AXIAL\MAT_REMOVED", ["AXIAL", "MAT_REMOVED"]),
        (r"ORIGINAL\PRIMARY\AXIAL\CT_SOM5 SPI", ["AXIAL", "CT_SOM5 SPI"]),
        (r"DERIVED\PRIMARY\MPR", ["MPR"]),
        (r"ORIGINAL\PRIMARY", ["AXIAL"]),
        ("", ["AXIAL"]),
    ],
)
def test_image_type_keeps_the_kind_of_ct(tmp_path, stated, expected):
    source = write_slices(tmp_path / "source", ImageType=stated.split("\\"))
    for kind, more in ((DENOISED, []), (NOISE_ENSEMBLE, ["NOISE_MAP"])):
        derive(source, tmp_path / kind.suffix, series=DerivedSeries(kind, NOTE))
        for path in (tmp_path / kind.suffix).iterdir():
            assert list(dcmread(path).ImageType) == ["DERIVED", "SECONDARY", *expected, *more]
    with pytest.raises(BadInputError, match=r"is a map and not a CT.*NOISE_MAP"):
        read_volume(tmp_path / NOISE_ENSEMBLE.suffix)


def test_a_ct_without_a_material_keeps_its_warning(tmp_path):
    derived(
        tmp_path,
        ImageType=["DERIVED", "PRIMARY", "AXIAL", "MAT_REMOVED"],
        MultienergyCTAcquisition="YES",
    )
    assert any("A material was removed" in w for w in read_volume(tmp_path / "derived").warnings)
    image = dcmread(tmp_path / "derived" / "0001.dcm")
    assert image.MultienergyCTAcquisition == "YES"


@pytest.mark.parametrize("stated, kept", [("US", "US"), ("Hounsfield Units", "HU")])
def test_a_series_that_does_not_say_that_it_is_in_hu_does_not_say_so_when_denoised(
    tmp_path, stated, kept
):
    images = derived(tmp_path, heights=[0.0], RescaleType=stated, MultienergyCTAcquisition="YES")
    assert images[0].RescaleType == kept
    assert ("RealWorldValueMappingSequence" in images[0]) == (kept == "HU")


@pytest.mark.parametrize("kind", [DENOISED, NOISE_ENSEMBLE], ids=lambda kind: kind.suffix)
def test_a_multi_energy_ct_gets_a_mapping_to_hu(tmp_path, kind):
    source = write_slices(tmp_path / "source", MultienergyCTAcquisition="YES")
    hu = smoothed(read_volume(source).hu)
    derive(source, tmp_path / "derived", hu, DerivedSeries(kind, NOTE))
    image = dcmread(tmp_path / "derived" / "0001.dcm")
    (item,) = image.RealWorldValueMappingSequence
    mapped = image.pixel_array * item.RealWorldValueSlope + item.RealWorldValueIntercept
    assert np.array_equal(mapped, hu[0])
    assert item.RealWorldValueFirstValueMapped <= image.pixel_array.min()
    assert item.RealWorldValueLastValueMapped >= image.pixel_array.max()


def codes(sequence) -> list[str]:
    assert all(item.CodingSchemeDesignator == "DCM" and item.CodeMeaning for item in sequence)
    return [item.CodeValue for item in sequence]


def test_the_equipment_is_this_project_and_the_scanner_contributed(tmp_path):
    image = derived(tmp_path, full_header)[0]
    assert (image.Manufacturer, image.SoftwareVersions) == ("PseudoCTDenoise", __version__)
    scanner, ours = image.ContributingEquipmentSequence
    assert codes(scanner.PurposeOfReferenceCodeSequence) == ["109101"]
    assert (scanner.Manufacturer, scanner.ManufacturerModelName) == ("SIEMENS", "Sensation 10")
    assert (scanner.InstitutionName, scanner.DeviceSerialNumber) == ("Hospital", "60064")
    assert codes(ours.PurposeOfReferenceCodeSequence) == ["109102"]
    assert ours.SoftwareVersions == __version__


@pytest.mark.parametrize(
    "kind, code, contribution",
    [
        (DENOISED, ["113087"], "Denoising"),
        (PSEUDO_LDCT, ["113062"], "Subtraction of twice the estimated noise"),
        (REMOVED_NOISE, ["113062"], "Subtraction of the denoised scan"),
        (NOISE_ENSEMBLE, [], "Noise estimation by networks"),
        (noise_of_model("noise-a", 0), [], "Noise estimation by a network"),
    ],
    ids=lambda value: getattr(value, "suffix", ""),
)
def test_each_kind_of_image_says_how_it_was_made(tmp_path, kind, code, contribution):
    source = write_slices(tmp_path / "source")
    derive(source, tmp_path / "derived", series=DerivedSeries(kind, NOTE))
    image = dcmread(tmp_path / "derived" / "0001.dcm")
    assert codes(image.get("DerivationCodeSequence", [])) == code
    assert image.ContributingEquipmentSequence[-1].ContributionDescription == contribution


def test_a_series_derived_again_keeps_its_history(tmp_path):
    derived(tmp_path, full_header)
    derive(tmp_path / "derived", tmp_path / "again")
    image = dcmread(tmp_path / "again" / "0001.dcm")
    purposes = [
        codes(item.PurposeOfReferenceCodeSequence) for item in image.ContributingEquipmentSequence
    ]
    assert purposes == [["109101"], ["109102"], ["109102"], ["109102"]]
    assert codes(image.DerivationCodeSequence) == ["113087", "113087"]
    assert image.DerivationDescription == f"{NOTE} {NOTE}"
    first = dcmread(tmp_path / "derived" / "0001.dcm")
    (item,) = image.SourceImageSequence
    assert item.ReferencedSOPInstanceUID == first.SOPInstanceUID


def test_two_runs_are_two_series(tmp_path):
    source = write_slices(tmp_path / "source")
    for name in ("first", "second"):
        derive(source, tmp_path / name)
    folders = [sorted((tmp_path / name).iterdir()) for name in ("first", "second")]
    uids = [
        {dcmread(path)[keyword].value for folder in folders for path in folder}
        for keyword in ("SeriesInstanceUID", "SOPInstanceUID", "StudyInstanceUID")
    ]
    assert [len(found) for found in uids] == [2, 2 * len(HEIGHTS), 1]


def test_every_kind_of_image_has_a_number_of_its_own():
    kinds = [DENOISED, NOISE_ENSEMBLE, PSEUDO_LDCT, REMOVED_NOISE]
    kinds += [noise_of_model(name, number) for number, name in enumerate("abc")]
    assert len({kind.number_offset for kind in kinds}) == len({k.suffix for k in kinds}) == 7


@pytest.mark.parametrize(
    "description, expected",
    [
        (None, "denoised"),
        ("x" * 64, "x" * 55 + " denoised"),
        ("Thorax", "Thorax denoised"),
        ("Thorax\\1.0 mm", ["Thorax", "1.0 mm denoised"]),
    ],
)
def test_the_description_has_at_most_64_characters(tmp_path, description, expected):
    images = derived(tmp_path, SeriesDescription=description)
    assert [image.SeriesDescription for image in images] == [expected] * len(HEIGHTS)


@pytest.mark.parametrize(
    "number, expected", [(7, 1007), (None, 1000), ("", 1000), (2**31 - 1, 2**31 - 1)]
)
def test_the_number_is_a_thousand_higher_if_it_can_be(tmp_path, number, expected):
    assert {image.SeriesNumber for image in derived(tmp_path, SeriesNumber=number)} == {expected}


@pytest.mark.parametrize("number", [b"A1", b"1\\2 ", b"1.5 "])
def test_a_series_number_that_is_no_integer_is_replaced(tmp_path, number):
    def edit(index: int, image: Dataset) -> None:
        image["SeriesNumber"] = RawDataElement(
            Tag("SeriesNumber"), "IS", len(number), number, 0, False, True
        )

    with config.disable_value_validation():
        source = write_slices(tmp_path / "source", edit=edit)
    derive(source, tmp_path / "derived")
    assert dcmread(tmp_path / "derived" / "0001.dcm").SeriesNumber == 1000


def test_a_source_with_a_broken_attribute_is_refused_before_anything_is_written(tmp_path):
    source = write_slices(tmp_path / "source", TableSpeed=1.25)
    path = sorted(source.iterdir())[1]
    content, end = path.read_bytes(), struct.pack("<d", 1.25)
    at = content.index(b"FD\x08\0" + end)
    path.write_bytes(content[:at] + b"FD\x04\0" + end[4:] + content[at + 12 :])
    scan = read_volume(source)  # the attribute does not matter to a volume file
    with pytest.raises(BadInputError, match=f"{path.name} has an attribute that cannot be copied"):
        check_source(scan.dicom_slices, scan.name)


def test_new_times_are_in_the_time_zone_of_the_others(tmp_path):
    series = DerivedSeries(DENOISED, NOTE)
    source = write_slices(tmp_path / "source", TimezoneOffsetFromUTC="+0930")
    derive(source, tmp_path / "derived", series=series)
    image = dcmread(tmp_path / "derived" / "0001.dcm")
    made = datetime.strptime(f"{image.SeriesDate}{image.SeriesTime}+0930", "%Y%m%d%H%M%S.%f%z")
    assert made == series.made
    assert image.ContributingEquipmentSequence[-1].ContributionDateTime.endswith("+0930")


@pytest.mark.parametrize(
    "charset, name, description",
    [
        ("ISO_IR 100", "Müller^Jürgen", "Schädel"),
        ("ISO_IR 192", "Yamada^Tarou=山田^太郎", "胸部" * 31),
        (["", "ISO 2022 IR 87"], "Yamada^Tarou=山田^太郎=やまだ^たろう", "胸部"),
    ],
    ids=["German", "Japanese in UTF-8", "Japanese in ISO 2022"],
)
def test_names_keep_their_characters(tmp_path, charset, name, description):
    names = {"PatientName": name, "SeriesDescription": description}
    images = derived(tmp_path, SpecificCharacterSet=charset, **names)
    for image in images:
        assert image.SpecificCharacterSet == charset
        assert image.PatientName == name
        assert image.SeriesDescription.startswith(description[:55])
        assert image.SeriesDescription.endswith(" denoised")
        assert len(image.SeriesDescription) <= 64


@pytest.mark.parametrize(
    "charset, text",
    [
        ("ISO_IR 192", "Müller".encode("latin-1")),
        ("ISO_IR 192", b"M\xfc\\ller"),
        ("ISO_IR 13", b"M\x80\xfcller"),
        ("GB18030", b"M\xfc\xfcller\xff"),
        (None, "Müller".encode()),
    ],
    ids=["Latin-1 as UTF-8", "two values", "Latin-1 as Japanese", "Chinese", "UTF-8 as ASCII"],
)
def test_texts_that_contradict_the_character_set_keep_their_bytes(tmp_path, charset, text):
    keywords = ("PatientName", "StudyDescription", "SeriesDescription", "DerivationDescription")
    item = Dataset()
    for keyword in keywords[:2]:
        setattr(item, keyword, PLACE)
    source = write_slices(
        tmp_path / "source",
        SpecificCharacterSet=charset or "",
        ReferencedStudySequence=[item],
        **dict.fromkeys(keywords, PLACE),
    )
    for path in source.iterdir():
        path.write_bytes(path.read_bytes().replace(PLACE.encode(), text.ljust(len(PLACE))))
    derive(source, tmp_path / "derived")
    for path in (tmp_path / "derived").iterdir():
        stored = path.read_bytes()
        assert stored.count(text) == 6 and PLACE.encode() not in stored
        assert text + b" denoised" in stored and text + b" " + NOTE.encode() in stored


@pytest.mark.parametrize("stated", [True, False])
def test_loss_is_stated_with_its_ratio_and_method(tmp_path, stated):
    def edit(index: int, image: Dataset) -> None:
        compressed(tmp_path, "JPEG2000" if stated else "JPEG")(index, image)
        # the stream says itself how it is decoded
        image.file_meta.TransferSyntaxUID = JPEG2000 if stated else JPEGExtended12Bit
        if stated:
            image.LossyImageCompression = "01"

    images = derived(tmp_path, edit)
    sources = [dcmread(path) for path in (tmp_path / "source").iterdir()]
    stored = {source.SOPInstanceUID: len(source.PixelData) for source in sources}
    for image in images:
        assert image.LossyImageCompression == "01"
        method = "ISO_15444_1" if stated else "ISO_10918_1"
        assert image.LossyImageCompressionMethod == method
        source = image.SourceImageSequence[0].ReferencedSOPInstanceUID
        ratio = len(image.PixelData) / stored[source]
        assert float(image.LossyImageCompressionRatio) == pytest.approx(ratio, rel=0.05)


def test_loss_of_an_earlier_compression_is_kept(tmp_path):
    images = derived(
        tmp_path,
        LossyImageCompression="01",
        LossyImageCompressionRatio="8",
        LossyImageCompressionMethod="ISO_10918_1",
    )
    for image in images:
        assert image.LossyImageCompression == "01"
        assert image.LossyImageCompressionRatio == 8
        assert image.LossyImageCompressionMethod == "ISO_10918_1"


def test_a_derived_series_is_recognised(tmp_path):
    derived(tmp_path)
    assert ALREADY_DENOISED in read_volume(tmp_path / "derived").warnings


def test_a_pseudo_ldct_is_recognised_and_not_taken_for_denoised(tmp_path):
    series = DerivedSeries(PSEUDO_LDCT, derivation_note(PSEUDO_LDCT.note, "1.2", "fast", None))
    derive(write_slices(tmp_path / "source"), tmp_path / "derived", series=series)
    warnings = read_volume(tmp_path / "derived").warnings
    assert IS_PSEUDO_LDCT in warnings and ALREADY_DENOISED not in warnings


def test_a_noise_map_is_no_ct(tmp_path):
    source = write_slices(tmp_path / "source", edit=full_header)
    noise = np.random.default_rng(0).normal(0, 20, (4, 20, 24)).astype(np.int16)
    series = DerivedSeries(NOISE_ENSEMBLE, NOTE)
    derive(source, tmp_path / "derived", noise, series)
    for number in range(4):
        image = dcmread(tmp_path / "derived" / f"000{number + 1}.dcm")
        assert np.array_equal(image.pixel_array, noise[number])
        assert (image.RescaleSlope, image.RescaleIntercept) == (1, 0)
        assert (image.WindowCenter, image.WindowWidth) == (0, 200)
        assert list(image.ImageType)[3:] == ["NOISE_MAP"]
        assert (image.SeriesNumber, image.SeriesDescription) == (2003, "Thorax noise map")
    with pytest.raises(BadInputError, match="is a map and not a CT"):
        read_volume(tmp_path / "derived")


# ------------------------------------------------------------------- sources


@pytest.mark.parametrize(
    "keyword, said",
    [
        ("StudyInstanceUID", "Study Instance UID"),
        ("SeriesInstanceUID", "Series Instance UID"),
        ("SOPInstanceUID", "SOP Instance UID"),
    ],
)
def test_a_source_without_uids_is_refused(tmp_path, keyword, said):
    source = write_slices(tmp_path / "source", **{keyword: ""})
    scan = read_volume(source)
    with pytest.raises(BadInputError, match=f"has no {said}.*export the scan again"):
        check_source(scan.dicom_slices, "scan")


def test_a_volume_without_dicom_files_is_refused(tmp_path):
    with pytest.raises(BadInputError, match="scan.nrrd is not DICOM.*no patient data"):
        check_source((), "scan.nrrd")


def enhanced(frames: int = 4) -> Dataset:
    image = enhanced_ct(HEIGHTS[:frames])
    shared = image.SharedFunctionalGroupsSequence[0]
    add_group(shared, "FrameVOILUTSequence", WindowCenter="40", WindowWidth="350")
    for index, item in enumerate(image.PerFrameFunctionalGroupsSequence):
        add_group(item, "CTXRayDetailsSequence", KVP="120", FilterType="FLAT")
        add_group(item, "CTExposureSequence", ExposureInmAs=67.6, XRayTubeCurrentInmA=171.5 + index)
        add_group(item, "FrameContentSequence", FrameAcquisitionNumber=2, DimensionIndexValues=[1])
    image.VolumetricProperties = "VOLUME"
    image.DimensionOrganizationSequence = [Dataset()]
    return image


def test_frames_of_a_multi_frame_file_become_classic_slices(tmp_path):
    write(enhanced(), tmp_path / "source" / "ct.dcm")
    scan, hu = derive(tmp_path / "source", tmp_path / "derived")
    for index, path in enumerate(sorted((tmp_path / "derived").iterdir())):
        image = dcmread(path)
        assert image.SOPClassUID.name == "CT Image Storage"
        assert list(image.ImagePositionPatient) == [-10.5, -20.25, HEIGHTS[index]]
        assert list(image.ImageOrientationPatient) == [1, 0, 0, 0, 1, 0]
        assert list(image.PixelSpacing) == [0.8, 0.7] and image.SliceThickness == 2.5
        assert (image.KVP, image.ConvolutionKernel, image.FilterType) == (120, "B40f", "FLAT")
        assert (image.Exposure, image.XRayTubeCurrent) == (68, round(171.5 + index))
        assert (image.WindowCenter, image.WindowWidth, image.AcquisitionNumber) == (40, 350, 2)
        assert image.InstanceNumber == index + 1
        assert image.SourceImageSequence[0].ReferencedFrameNumber == index + 1
        for keyword in (
            *("SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence"),
            *("NumberOfFrames", "VolumetricProperties", "DimensionOrganizationSequence"),
        ):
            assert keyword not in image
    again = read_volume(tmp_path / "derived")
    assert np.array_equal(again.hu, hu) and again.spacing == scan.spacing
    assert np.array_equal(sitk.GetArrayFromImage(with_simpleitk(tmp_path / "derived")), hu)


@pytest.mark.parametrize(
    "stated, expected",
    [
        (r"ORIGINAL\PRIMARY\VOLUME\NONE", ["AXIAL"]),
        (r"ORIGINAL\PRIMARY\AXIAL\NONE", ["AXIAL"]),
        (r"DERIVED\PRIMARY\VOLUME\MAT_REMOVED", ["AXIAL", "MAT_REMOVED"]),
    ],
)
def test_the_type_of_a_frame_becomes_that_of_a_classic_slice(tmp_path, stated, expected):
    image = enhanced()
    image.ImageType, image.MultienergyCTAcquisition = ["MIXED", "PRIMARY", "AXIAL"], "YES"
    for item in image.PerFrameFunctionalGroupsSequence:
        add_group(item, "CTImageFrameTypeSequence", FrameType=stated.split("\\"))
    write(image, tmp_path / "source" / "ct.dcm")
    derive(tmp_path / "source", tmp_path / "derived")
    for path in (tmp_path / "derived").iterdir():
        classic = dcmread(path)
        assert list(classic.ImageType) == ["DERIVED", "SECONDARY", *expected]
        assert "MultienergyCTAcquisition" not in classic


def test_a_source_that_has_gone_is_an_error(tmp_path):
    source = write_slices(tmp_path / "source")
    scan = read_volume(source)
    shutil.rmtree(source)
    paths = [tmp_path / name for name in file_names(4)]
    with pytest.raises(BadInputError, match="cannot be read"):
        write_series(paths, scan.hu, scan.dicom_slices, scan.hu, DerivedSeries(DENOISED, NOTE))


def test_a_header_with_nan_does_not_count_as_changed(tmp_path):
    images = derived(tmp_path, lambda index, image: image.add_new("KVP", "DS", "nan"))
    assert all(np.isnan(image.KVP) for image in images)


@pytest.mark.parametrize("what", ["patient", "pixel"])
def test_a_source_that_was_changed_after_it_was_read_is_an_error(tmp_path, what):
    source = write_slices(tmp_path / "source")
    scan = read_volume(source)
    path = scan.dicom_slices[2].frame.path
    image = dcmread(path)
    if what == "patient":
        image.PatientName = "Another"
    else:
        set_pixels(image, image.pixel_array + np.eye(20, 24, dtype=np.uint16))
    image.save_as(path)
    paths = [tmp_path / name for name in file_names(4)]
    with pytest.raises(BadInputError, match=f"{path.name} was changed after it was read"):
        write_series(paths, scan.hu, scan.dicom_slices, scan.hu, DerivedSeries(DENOISED, NOTE))
    assert not paths[2].exists()


# ------------------------------------------------------------------- the standard


def checked(program: str, *paths: Path) -> set[str]:
    """Return the errors that a program of dicom3tools finds."""
    found = shutil.which(program, path=Path(sys.executable).parent)
    if found is None:
        pytest.skip("dicom3tools is missing; `make` installs it")
    ended = subprocess.run([found, *map(str, paths)], capture_output=True, text=True)
    return {line for line in ended.stderr.splitlines() if line.startswith("Error")}


def valid(index: int, image: Dataset) -> None:
    """Give a slice what the standard asks for, and what this project removes."""
    full_header(index, image)
    for keyword in (
        *("IconImageSequence", "DigitalSignaturesSequence", "EncryptedAttributesSequence"),
        *("RealWorldValueMappingSequence", "ReferencedPerformedProcedureStepSequence"),
        "PerformedProtocolCodeSequence",
    ):
        del image[keyword]
    del image[0x60000010], image[0x60003000]
    image.ContrastBolusAgent, image.BodyPartExamined = "", "CHEST"


@pytest.mark.parametrize("kind", [DENOISED, NOISE_ENSEMBLE], ids=lambda kind: kind.suffix)
def test_the_standard_finds_no_error_that_the_source_does_not_have(tmp_path, kind):
    source = write_slices(tmp_path / "source", edit=valid)
    derive(source, tmp_path / "derived", series=DerivedSeries(kind, NOTE))
    before = set().union(*(checked("dciodvfy", path) for path in source.iterdir()))
    after = set().union(*(checked("dciodvfy", p) for p in (tmp_path / "derived").iterdir()))
    assert not before, before
    assert not after - before
    everything = [*source.iterdir(), *(tmp_path / "derived").iterdir()]
    assert not checked("dcentvfy", *everything)


def test_the_standard_finds_all_that_a_multi_energy_ct_needs(tmp_path):
    def edit(index: int, image: Dataset) -> None:
        valid(index, image)
        image.ImageType = ["DERIVED", "PRIMARY", "AXIAL", "MAT_REMOVED"]
        image.MultienergyCTAcquisition = "YES"
        image.MultienergyCTAcquisitionSequence = [Dataset()]

    source = write_slices(tmp_path / "source", edit=edit)
    derive(source, tmp_path / "derived")
    errors = checked("dciodvfy", tmp_path / "derived" / "0001.dcm")
    assert not [e for e in errors if "RealWorldValue" in e or "ImageType" in e]


@pytest.mark.parametrize("name", ["lungdx-a0002_b40f", "totalseg-example_jpeg2000"])
def test_scanner_files_get_no_new_error(shared, tmp_path, name):
    folder = shared / "data" / "dicom" / name
    if not folder.is_dir():
        pytest.skip(f"needs the shared reference data {folder}")
    source = tmp_path / "source"
    source.mkdir()
    for number, path in enumerate(sorted(folder.iterdir())[:3]):
        image = dcmread(path)
        for keyword in ("SOPInstanceUID", "SeriesInstanceUID", "StudyInstanceUID"):
            if not image[keyword].value:
                setattr(image, keyword, f"1.2.3.{number if keyword.startswith('SOP') else 9}")
        image.SOPClassUID = CTImageStorage
        image.file_meta.MediaStorageSOPClassUID = CTImageStorage
        image.file_meta.MediaStorageSOPInstanceUID = image.SOPInstanceUID
        image.save_as(source / path.name)
    _, hu = derive(source, tmp_path / "derived")
    assert np.array_equal(read_volume(tmp_path / "derived").hu, hu)
    assert np.array_equal(sitk.GetArrayFromImage(with_simpleitk(tmp_path / "derived")), hu)
    before = set().union(*(checked("dciodvfy", path) for path in source.iterdir()))
    after = set().union(*(checked("dciodvfy", p) for p in (tmp_path / "derived").iterdir()))
    assert not after - before
    found = checked("dcentvfy", *source.iterdir(), *(tmp_path / "derived").iterdir())
    # Images that the scanner's files refer to are not among these slices.
    assert not [line for line in found if "Missing SOPInstanceUID" not in line]


def test_the_standard_accepts_the_classic_slices_of_a_multi_frame_file(tmp_path):
    image = enhanced()
    valid(0, image)
    write(image, tmp_path / "source" / "ct.dcm")
    derive(tmp_path / "source", tmp_path / "derived")
    for path in (tmp_path / "derived").iterdir():
        assert not checked("dciodvfy", path)


def test_the_check_of_the_standard_finds_errors(tmp_path):
    image = ct_slice()
    del image.StudyInstanceUID
    assert checked("dciodvfy", write(image, tmp_path / "slice.dcm"))
