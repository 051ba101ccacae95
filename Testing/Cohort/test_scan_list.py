"""The scans of a cohort are found in files and folders."""

from __future__ import annotations

import os

import pytest
from dicom_factory import write_slices
from PseudoCTDenoiseLib.cohort.scan_list import find_scans
from PseudoCTDenoiseLib.errors import BadInputError


def listed(*inputs):
    return [(scan.name, scan.path, scan.is_dicom) for scan in find_scans(inputs)]


def test_a_folder_is_searched_for_volume_files(scans):
    assert listed(scans) == [
        ("one", scans / "one.nrrd", False),
        ("two", scans / "two.nii.gz", False),
        ("more_one", scans / "more" / "one.nrrd", False),
    ]


def test_a_folder_with_dicom_files_is_one_scan_with_its_subfolders(tmp_path):
    patient = tmp_path / "patients" / "patient 1"
    write_slices(patient / "series", [0.0])
    write_slices(patient / "series" / "rest", [2.5])
    (patient / "series" / "copy.nrrd").touch()
    (tmp_path / "patients" / "DICOMDIR").write_bytes(bytes(128) + b"DICM")
    found = [("patient_1_series", patient / "series", True)]
    assert listed(tmp_path / "patients") == found
    assert listed(patient / "series") == [("series", patient / "series", True)]


def test_each_scan_is_listed_once_and_hidden_ones_are_left_out(scans):
    (scans / ".hidden").mkdir()
    (scans / ".hidden" / "three.nrrd").touch()
    (scans / ".four.nrrd").touch()
    os.symlink(scans, scans / "more" / "again")
    assert len(listed(scans, scans / "one.nrrd", scans / "more")) == 3


def test_names_are_safe_for_files_and_pages(tmp_path):
    names = ["a<b>&'\"c.nrrd", "..nrrd", "=1+1.nii", "é" * 80 + ".mha"]
    for name in names:
        (tmp_path / name).touch()
    found = [scan.name for scan in find_scans(tmp_path / name for name in names)]
    assert found == ["a_b_c", "scan", "1+1", "é" * 80]


@pytest.mark.parametrize(
    ("name", "words"), [("gone", "does not exist"), ("empty", "contains no scan")]
)
def test_an_input_without_a_scan_is_refused(tmp_path, name, words):
    (tmp_path / "empty").mkdir()
    with pytest.raises(BadInputError, match=words):
        find_scans([tmp_path / name])
