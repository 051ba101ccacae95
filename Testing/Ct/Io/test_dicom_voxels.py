"""Decoding of DICOM pixels besides the inputs of the table in Testing/Reliability."""

from dicom_factory import ct_slice, write
from PseudoCTDenoiseLib.ct.io.dicom_files import load_dataset
from PseudoCTDenoiseLib.ct.io.volume_files import read_volume


def test_only_the_elements_that_decoding_needs_are_read(tmp_path, monkeypatch):
    found = []

    def load(*arguments):
        found.append(load_dataset(*arguments))
        return found[-1]

    monkeypatch.setattr("PseudoCTDenoiseLib.ct.io.dicom_voxels.load_dataset", load)
    read_volume(write(ct_slice(), tmp_path / "a.dcm"))
    (dataset,) = found
    assert "PixelData" in dataset and "PatientName" not in dataset
