"""The scans of a cohort are found in files and folders."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from dicom_factory import ct_slice, write, write_slices
from PseudoCTDenoiseLib.cohort.command import _left_out as warnings_of
from PseudoCTDenoiseLib.cohort.command import _suffix as suffix_of
from PseudoCTDenoiseLib.cohort.scan_list import Scan, find_scans, fingerprint
from PseudoCTDenoiseLib.errors import BadInputError


def dose_report():
    report = ct_slice()
    report.SOPClassUID = "1.2.840.10008.5.1.4.1.1.88.67"
    report.Modality = "SR"
    del report.PixelData, report.Rows, report.Columns
    return report


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
    (scan,) = find_scans([patient])
    assert scan.left_out == (patient / "series" / "copy.nrrd",)
    (warning,) = warnings_of([scan])
    assert "left out (1, such as" in warning and "copy.nrrd" in warning
    os.symlink(patient / "series", tmp_path / "link")
    assert not warnings_of(find_scans([tmp_path / "link", patient / "series" / "copy.nrrd"]))
    (patient / "series" / "rest" / "other.nrrd").touch()
    assert "left out (2, such as" in warnings_of(find_scans([patient]))[0]


def test_other_dicom_objects_hide_no_volumes_and_damaged_files_are_listed(tmp_path, scans):
    report = write(dose_report(), scans / "dose.dcm")
    listed_alone = [(name, path) for name, path, _ in listed(scans)]
    assert len(listed_alone) == 3 and report not in dict(listed_alone).values()
    damaged = scans / "damaged.dcm"
    damaged.write_bytes(bytes(128) + b"DICM" + b"junk" * 20)
    assert listed(scans)[0] == ("damaged.dcm", damaged, True) and len(listed(scans)) == 4


def test_each_scan_is_listed_once_and_hidden_ones_are_left_out(scans):
    (scans / ".hidden").mkdir()
    (scans / ".hidden" / "three.nrrd").touch()
    (scans / ".four.nrrd").touch()
    (scans / "__MACOSX").mkdir()  # of a ZIP archive from macOS
    (scans / "__MACOSX" / "one.nrrd").touch()
    os.symlink(scans, scans / "more" / "again")
    assert len(listed(scans, scans / "one.nrrd", scans / "more")) == 3


def test_the_fingerprint_changes_with_the_files_that_are_read(tmp_path):
    folder = write_slices(tmp_path / "patient")
    first = min(folder.iterdir())
    scan = Scan("patient", folder, True)
    known = fingerprint(scan)
    (folder / ".DS_Store").touch()
    (folder / "copy.nrrd").touch()
    assert fingerprint(scan) == known
    first.rename(folder / ".hidden")
    assert fingerprint(scan) != known
    (folder / ".hidden").rename(first)
    assert fingerprint(scan) == known
    os.utime(first, ns=(0, 0))
    assert fingerprint(scan) != known
    assert fingerprint(Scan("gone", tmp_path / "gone.nrrd", False)) is None


def test_names_are_safe_for_files_and_pages(tmp_path):
    names = ["a<b>&'\"c.nrrd", "..nrrd", "=1+1.nii", "é" * 80 + ".mha"]
    for name in names:
        (tmp_path / name).touch()
    found = [scan.name for scan in find_scans(tmp_path / name for name in names)]
    assert found == ["a_b_c", "scan", "1+1", "é" * 80]


def test_long_names_fit_into_a_folder_and_are_not_hidden(tmp_path):
    long = [
        tmp_path / ("患者" * 20) / ("胸部" * 20) / "a.nrrd",
        tmp_path / ("1.2840" * 30 + ".nrrd"),
    ]
    for path in long:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    names = [scan.name for scan in find_scans([tmp_path])]
    assert all(60 < len(name.encode()) <= 160 and name[0] not in "._" for name in names)


@pytest.mark.parametrize(
    ("name", "wanted", "suffix"),
    [
        ("a.nhdr", None, ".nrrd"),  # not a header and a file of pixels
        ("a.MHD", None, ".mha"),
        ("a.nii.gz", None, ".nii.gz"),
        ("a.mhd", "nii.gz", ".nii.gz"),
        ("a.nrrd", "dicom", ""),
    ],
)
def test_the_format_of_a_denoised_scan_is_one_file_or_the_wanted_one(name, wanted, suffix):
    assert suffix_of(Scan("a", Path(name), False), wanted) == suffix


@pytest.mark.parametrize(
    ("name", "words"), [("gone", "does not exist"), ("empty", "contains no scan")]
)
def test_an_input_without_a_scan_is_refused(tmp_path, name, words):
    (tmp_path / "empty").mkdir()
    with pytest.raises(BadInputError, match=words):
        find_scans([tmp_path / name])


def test_a_folder_that_cannot_be_opened_is_not_left_out(scans, tmp_path, monkeypatch):
    walk = os.walk

    def closed(place, onerror, **options):
        yield from walk(place, **options)
        onerror(PermissionError(13, "Permission denied", str(tmp_path / "secret")))

    monkeypatch.setattr(os, "walk", closed)
    with pytest.raises(BadInputError, match=r"secret cannot be opened \(Permission denied\)"):
        listed(tmp_path)
