"""`pseudoct denoise` with a folder as output writes a DICOM series, all of it or nothing."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest
from dicom_factory import write_slices
from PseudoCTDenoiseLib.cli import denoise
from PseudoCTDenoiseLib.ct.io.derived_note import ALREADY_DENOISED
from PseudoCTDenoiseLib.ct.io.volume_files import read_volume
from pydicom import dcmread


@pytest.fixture
def dicom(tmp_path, write_dicom, hu) -> Path:
    """Folder of the scan as a DICOM series."""
    write_dicom(tmp_path / "scan", hu, [0, 3, 6])
    return tmp_path / "scan"


@pytest.mark.parametrize("prepare", [lambda path: None, Path.mkdir], ids=["new", "empty"])
def test_a_folder_gets_the_series_that_a_file_gets(pseudoct, dicom, untuned, tmp_path, prepare):
    folder, file = tmp_path / "denoised", tmp_path / "out.nrrd"
    prepare(folder)
    assert pseudoct("denoise", dicom, folder, *untuned).code == 0
    assert pseudoct("denoise", dicom, file, *untuned).code == 0
    written, expected = read_volume(folder), read_volume(file)
    assert np.array_equal(written.hu, expected.hu)
    assert written.origin == expected.origin and written.spacing == expected.spacing
    assert sorted(path.name for path in folder.iterdir()) == ["0001.dcm", "0002.dcm", "0003.dcm"]
    note = dcmread(folder / "0001.dcm").DerivationDescription
    assert "model fast, strength 100 %" in note


def test_the_report_and_the_picture_are_beside_the_folder(pseudoct, dicom, untuned, tmp_path):
    picture = tmp_path / "picture.png"
    options = [*untuned, "--strength", "70", "--picture", picture]
    assert pseudoct("denoise", dicom, tmp_path / "denoised", *options).code == 0
    report = json.loads((tmp_path / "denoised.json").read_text("utf-8"))
    assert report["output"] == "denoised" and report["settings"]["strength"] == 70
    assert picture.is_file()
    assert "strength 70 %" in dcmread(tmp_path / "denoised" / "0001.dcm").DerivationDescription


def test_a_folder_with_hidden_files_only_is_empty(pseudoct, dicom, untuned, tmp_path):
    folder = tmp_path / "denoised"
    (folder / ".pseudoct-0123456789abcdef" / "new").mkdir(parents=True)  # of a killed run
    (folder / ".DS_Store").write_bytes(b"Bud1")
    assert pseudoct("denoise", dicom, folder, *untuned).code == 0
    assert read_volume(folder).hu.shape[0] == 3


def test_the_current_folder(pseudoct, dicom, untuned, tmp_path, monkeypatch):
    (tmp_path / "denoised").mkdir()
    monkeypatch.chdir(tmp_path / "denoised")
    assert pseudoct("denoise", dicom, ".", *untuned).code == 0
    assert len(list(Path().iterdir())) == 3
    assert (tmp_path / "denoised.json").is_file()


def test_a_name_with_a_suffix_is_a_folder_if_the_format_says_so(pseudoct, dicom, untuned, tmp_path):
    folder = tmp_path / "2026.11"
    assert pseudoct("denoise", dicom, folder, *untuned, "--format", "dicom").code == 0
    assert len(list(folder.iterdir())) == 3
    assert (tmp_path / "2026.11.json").is_file()


def test_a_single_slice_becomes_a_series_of_one(pseudoct, dicom, untuned, tmp_path):
    slice_ = sorted(dicom.iterdir())[1]
    assert pseudoct("denoise", slice_, tmp_path / "denoised", *untuned).code == 0
    (path,) = (tmp_path / "denoised").iterdir()
    source, image = dcmread(slice_), dcmread(path)
    (item,) = image.SourceImageSequence
    assert item.ReferencedSOPInstanceUID == source.SOPInstanceUID
    assert image.ImagePositionPatient == source.ImagePositionPatient


def test_the_noise_is_a_series_for_each_image(pseudoct, dicom, untuned, tmp_path):
    folder, noise = tmp_path / "denoised", tmp_path / "noise"
    assert pseudoct("denoise", dicom, folder, *untuned, "--noise-dir", noise).code == 0
    series = {path.name: dcmread(path / "0002.dcm") for path in noise.iterdir()}
    assert set(series) == {"noise_ensemble", "noise_noise-a", "noise_noise-b", "pseudo_ldct"}
    headers = [*series.values(), dcmread(folder / "0002.dcm")]
    assert len({header.SeriesInstanceUID for header in headers}) == 5
    assert len({header.SeriesNumber for header in headers}) == 5
    assert len({header.StudyInstanceUID for header in headers}) == 1
    maps = [header for name, header in series.items() if name.startswith("noise_")]
    assert {header.ImageType[3] for header in maps} == {"NOISE_MAP"}
    for model in ("noise-a", "noise-b"):
        assert f": model {model}." in series[f"noise_{model}"].DerivationDescription
    # Only the denoised image depends on the strength.
    assert [h for h in headers if "strength" in h.DerivationDescription] == headers[-1:]


def test_control_characters_of_a_header_do_not_reach_the_terminal(
    pseudoct, dicom, untuned, tmp_path
):
    other = dcmread(min(dicom.iterdir()))
    other.SeriesDescription, other.SeriesInstanceUID = "x\x1b[1A\x1b[2KOK", "1.2.3.4"
    other.SeriesNumber = 9
    other.save_as(dicom / "other.dcm")
    given = dicom.rename(tmp_path / "scan\x1b[2K")
    ended = pseudoct("denoise", given, tmp_path / "out\x1b[2K.nrrd", *untuned)
    assert ended.code == 0 and "\x1b" not in ended.err + ended.out
    assert "are left out: 9: 'x?[1A?[2KOK'" in ended.err


def test_a_denoised_series_is_recognised_as_input(pseudoct, dicom, untuned, tmp_path):
    assert pseudoct("denoise", dicom, tmp_path / "denoised", *untuned).code == 0
    ended = pseudoct("denoise", tmp_path / "denoised", tmp_path / "again", *untuned)
    assert ended.code == 0
    assert f"Warning: {ALREADY_DENOISED}" in ended.err


def test_slices_that_are_denoised_along_another_axis_keep_their_order(pseudoct, untuned, tmp_path):
    scan = write_slices(tmp_path / "scan", [2.5 * number for number in range(18)])
    folder, file = tmp_path / "denoised", tmp_path / "out.nrrd"
    for output in (folder, file):
        assert pseudoct("denoise", scan, output, *untuned, "--slice-axis", "j").code == 0
    assert np.array_equal(read_volume(folder).hu, read_volume(file).hu)


def test_slices_of_another_patient_that_appear_during_the_run(
    pseudoct, dicom, untuned, tmp_path, monkeypatch
):
    folder, plan = tmp_path / "denoised", denoise._print_plan

    def other_run(*arguments):
        folder.mkdir()
        (folder / "0007.dcm").write_text("other patient")
        plan(*arguments)

    monkeypatch.setattr(denoise, "_print_plan", other_run)
    ended = pseudoct("denoise", dicom, folder, *untuned)
    assert ended.code == 2 and f"kept as {tmp_path / 'new-denoised'}." in ended.err
    assert [path.name for path in folder.iterdir()] == ["0007.dcm"]
    assert read_volume(tmp_path / "new-denoised").hu.shape[0] == 3
    assert not (tmp_path / "denoised.json").exists()


# ------------------------------------------------------------------- refused


@pytest.fixture
def refused(pseudoct, listing, tmp_path, models):
    """Run `pseudoct denoise`; return its last line after a check that no file is new."""

    def refused(*arguments) -> str:
        before = listing(tmp_path)
        ended = pseudoct("denoise", *arguments, "--models", models)
        assert (ended.code, ended.out) == (2, "")
        assert listing(tmp_path) == before
        return ended.err.splitlines()[-1]

    return refused


def test_a_volume_file_has_no_patient_data_to_copy(refused, scan, tmp_path):
    said = refused(scan, tmp_path / "denoised")
    assert "scan.nrrd is not DICOM" in said and ".nrrd" in said


def test_a_scan_without_uids(refused, dicom, tmp_path):
    for path in dicom.iterdir():
        image = dcmread(path)
        image.StudyInstanceUID = ""
        image.save_as(path)
    assert "has no Study Instance UID" in refused(dicom, tmp_path / "denoised")


def test_a_folder_that_holds_files(refused, dicom, tmp_path):
    (tmp_path / "denoised").mkdir()
    (tmp_path / "denoised" / "0001.dcm").write_bytes(b"earlier")
    assert "holds files" in refused(dicom, tmp_path / "denoised")
    assert "holds files" in refused(dicom, dicom)


def test_a_folder_for_noise_that_holds_files(refused, dicom, tmp_path):
    (tmp_path / "noise" / "pseudo_ldct").mkdir(parents=True)
    (tmp_path / "noise" / "pseudo_ldct" / "0001.dcm").write_bytes(b"earlier")
    said = refused(dicom, tmp_path / "denoised", "--noise-dir", tmp_path / "noise")
    assert "pseudo_ldct holds files" in said


def test_a_folder_inside_another_series(refused, dicom, tmp_path):
    out = tmp_path / "out"
    assert "several series" in refused(dicom, dicom / "denoised")
    assert "several series" in refused(dicom, out, "--noise-dir", dicom / "noise")
    out.mkdir()
    assert "several series" in refused(dicom, out, "--noise-dir", out)
    (dicom / "DICOMDIR").touch()
    assert "several series" in refused(dicom / "DICOMDIR", dicom / "denoised")


def test_a_folder_inside_another_series_under_a_name_in_other_case(refused, dicom, tmp_path):
    said = refused(dicom, tmp_path / "Result", "--noise-dir", tmp_path / "result")
    assert "several series" in said


def test_the_folder_of_the_scan_is_recognised_where_case_does_not_matter(
    refused, dicom, tmp_path, monkeypatch
):
    real = os.stat

    def stat(path, *arguments, **options):
        if isinstance(path, Path):
            path = str(path).replace("CASE", "case")
        return real(path, *arguments, **options)

    scan = dicom.rename(tmp_path / "case")
    monkeypatch.setattr(os, "stat", stat)
    assert "several series" in refused(scan, tmp_path / "CASE" / "denoised")


def test_a_file_in_the_place_of_the_folder(refused, dicom, tmp_path):
    (tmp_path / "denoised").write_text("text")
    assert "is a file" in refused(dicom, tmp_path / "denoised")
    assert "does not exist: create it" in refused(dicom, tmp_path / "missing" / "denoised")


def test_an_error_leaves_neither_slices_nor_folders(
    pseudoct, dicom, untuned, listing, tmp_path, monkeypatch
):
    write, written = Path.write_bytes, []

    def on_full_disk(path, content):
        if len(written) == 2:
            raise OSError(28, "No space left on device", str(path))
        written.append(path)
        return write(path, content)

    before = listing(tmp_path)
    monkeypatch.setattr(Path, "write_bytes", on_full_disk)
    ended = pseudoct("denoise", dicom, tmp_path / "denoised", *untuned)
    assert ended.code == 2 and written
    place = tmp_path / "denoised" / "0003.dcm"
    assert f"{place} could not be written (No space left on device)" in ended.err
    assert listing(tmp_path) == before
