"""Decoding of DICOM pixels besides the inputs of the table in Testing/Reliability."""

import errno
import os
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from dicom_factory import bodies, body, compressed_stream, ct_slice, set_pixels, write
from PseudoCTDenoiseLib.ct.io.dicom_files import load_dataset
from PseudoCTDenoiseLib.ct.io.volume_files import read_volume
from PseudoCTDenoiseLib.errors import BadInputError
from pydicom import dcmread
from pydicom.encaps import encapsulate


def test_only_the_elements_that_decoding_needs_are_read(tmp_path, monkeypatch):
    found = []

    def load(*arguments):
        found.append(load_dataset(*arguments))
        return found[-1]

    monkeypatch.setattr("PseudoCTDenoiseLib.ct.io.dicom_voxels.load_dataset", load)
    read_volume(write(ct_slice(), tmp_path / "a.dcm"))
    (dataset,) = found
    assert "PixelData" in dataset and "PatientName" not in dataset


@pytest.mark.parametrize("room", [0, 2])
def test_a_full_folder_for_temporary_files_is_not_a_damaged_scan(tmp_path, monkeypatch, room):
    folder, written = tmp_path / "scan", []
    for number in range(3):
        image = ct_slice(2.5 * number, number + 1)
        stream, syntax = compressed_stream(tmp_path / "x.dcm", "JPEG2000", body(2.5 * number))
        image.PixelData, image.file_meta.TransferSyntaxUID = encapsulate([stream]), syntax
        image["PixelData"].VR = "OB"
        write(image, folder / f"{number}.dcm")

    def on_full_disk(path, content):
        if len(written) == room:
            raise OSError(errno.ENOSPC, "No space left on device", str(path))
        written.append(path)
        return open_and_write(path, content)

    open_and_write = Path.write_bytes
    monkeypatch.setattr(Path, "write_bytes", on_full_disk)
    with pytest.raises(BadInputError, match="temporary file .No space left.*set TMPDIR"):
        read_volume(folder)
    assert len(written) == room


def test_an_overlay_in_unused_bits_is_not_read_as_hu(tmp_path):
    image, stored = ct_slice(), body(0.0) + 1024
    image.BitsStored, image.HighBit = 12, 11
    stored[3:6, 8:20] |= 0x1000
    set_pixels(image, stored.astype("<u2"))
    assert np.array_equal(read_volume(write(image, tmp_path / "a.dcm")).hu[0], body(0.0))
    stream, syntax = compressed_stream(tmp_path / "x.dcm", "JPEG2000", stored - 1024)
    image.PixelData, image.file_meta.TransferSyntaxUID = encapsulate([stream]), syntax
    image["PixelData"].VR = "OB"
    with pytest.raises(BadInputError, match="need more than 12 bits.*export it uncompressed"):
        read_volume(write(image, tmp_path / "b.dcm"))


@pytest.mark.skipif(os.name != "posix", reason="limits are POSIX's")
def test_the_reason_is_that_of_the_system(tmp_path, monkeypatch):
    """pydicom writes a traceback into the text of such an error."""
    path = write(ct_slice(), tmp_path / "a.dcm")
    stream, syntax = compressed_stream(tmp_path / "x.dcm", "JPEG2000", body(0.0))
    image = dcmread(path)
    image.PixelData, image.file_meta.TransferSyntaxUID = encapsulate([stream]), syntax
    image["PixelData"].VR = "OB"
    write(image, path)
    import resource

    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (600, limits[1]))
    try:
        with pytest.raises(BadInputError) as raised:
            read_volume(path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert str(raised.value).startswith("Cannot create a temporary file (File too large). Free")


def test_a_full_folder_for_the_output_of_itk(tmp_path, monkeypatch):
    def on_full_disk(**options):
        raise OSError(errno.ENOSPC, "No space left on device")

    path = tmp_path / "scan.nrrd"
    sitk.WriteImage(sitk.GetImageFromArray(bodies([0.0, 1.0])), path)
    monkeypatch.setattr("tempfile.TemporaryFile", on_full_disk)
    with pytest.raises(BadInputError, match="temporary file .No space left.*set TMPDIR"):
        read_volume(path)
