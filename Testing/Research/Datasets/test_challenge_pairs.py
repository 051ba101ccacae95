"""Layout of the AAPM challenge: both doses of every patient, matched by slice position."""

import numpy as np
import pytest
from pseudoct_research.datasets.challenge_pairs import (
    FULL,
    QUARTER,
    find_patients,
    read_dose_pair,
)
from PseudoCTDenoiseLib.errors import BadInputError


@pytest.fixture
def write_dose(write_dicom):
    """Write slices; the slice at height k·3 mm holds 100·k + offset HU, surrounded by air."""

    def write(folder, offset=0, heights=range(4), columns=40, spacing=0.7, uid="1"):
        hu = np.full((len(heights), 40, columns), -1000, np.int16)
        for part, height in zip(hu, heights, strict=True):
            part[5:-5, 5:-5] = 100 * height + offset
        write_dicom(folder, hu, [3.0 * height for height in heights], spacing, uid)

    return write


@pytest.fixture
def write_patient(write_dose):
    def write(root, patient, full=None, quarter=None):
        write_dose(root / patient / FULL, **(full or {}))
        write_dose(root / patient / QUARTER, **{"offset": 7, "uid": "2", **(quarter or {})})

    return write


def refusal(call, *arguments):
    with pytest.raises(BadInputError) as caught:
        call(*arguments)
    return str(caught.value)


def read(root, patient):
    return read_dose_pair(patient, *find_patients(root)[patient])


def test_both_doses_are_found_with_matching_slices(write_patient, tmp_path):
    root = tmp_path / "Tätä 1"
    for patient in ("L096", "L067"):
        write_patient(root, patient)
    (root / "readme.txt").write_text("other files")
    assert list(find_patients(root)) == ["L067", "L096"]
    pair = read(root, "L067")
    assert pair.full.shape == pair.quarter.shape == (4, 40, 40)
    assert pair.full[:, 20, 20].tolist() == [0, 100, 200, 300]
    assert pair.quarter[:, 20, 20].tolist() == [7, 107, 207, 307]


def test_the_layout_of_the_unpacked_archive_is_found(write_dose, tmp_path):
    write_dose(tmp_path / "3mm B30" / FULL / "L067" / FULL)
    write_dose(tmp_path / "3mm B30" / QUARTER / "L067" / QUARTER)
    assert list(find_patients(tmp_path)) == ["L067"]


def test_links_and_other_spellings_are_found_and_hidden_folders_are_not(
    write_patient, write_dose, tmp_path
):
    write_patient(tmp_path / "elsewhere", "L067")
    root = tmp_path / "root"
    (root / "loop").mkdir(parents=True)
    (root / "L067").symlink_to(tmp_path / "elsewhere" / "L067")
    (root / "loop" / "again").symlink_to(root)
    write_dose(root / "L096" / "Full_3mm")
    write_dose(root / "L096" / "QUARTER_3MM")
    (root / "L096" / "Full_3mm" / ".DS_Store").write_bytes(b"")
    write_patient(root / ".trash", "L333")
    write_patient(root / "__MACOSX", "L067")
    assert list(find_patients(root)) == ["L067", "L096"]
    assert len(read(root, "L096").full) == 4


def test_the_error_names_the_patient_of_an_unreadable_folder(write_patient, write_dose, tmp_path):
    write_patient(tmp_path, "L067")
    write_dose(tmp_path / "more", uid="9")
    for path in (tmp_path / "more").iterdir():
        path.rename(tmp_path / "L067" / FULL / f"other_{path.name}")
    text = refusal(read, tmp_path, "L067")
    assert "Patient L067" in text and "2 DICOM series" in text


@pytest.mark.parametrize(
    ("full", "quarter", "shared"),
    [(range(5), range(2, 8), [2, 3, 4]), (range(3, 7), range(0, 5), [3, 4])],
    ids=str,
)
def test_slices_are_matched_by_position(write_patient, tmp_path, full, quarter, shared):
    write_patient(tmp_path, "L067", {"heights": full}, {"heights": quarter})
    pair = read(tmp_path, "L067")
    assert pair.full[:, 20, 20].tolist() == [100 * height for height in shared]
    assert pair.quarter[:, 20, 20].tolist() == [100 * height + 7 for height in shared]


@pytest.mark.parametrize(
    "other",
    [{"columns": 44}, {"spacing": 0.8}, {"heights": [0.5, 1.5, 2.5, 3.5]}, {"heights": [0, 2, 4]}],
    ids=str,
)
def test_doses_on_different_grids_are_refused(write_patient, tmp_path, other):
    write_patient(tmp_path, "L067", quarter=other)
    assert "L067 are on different grids" in refusal(read, tmp_path, "L067")


def test_doses_without_a_common_slice_are_refused(write_patient, tmp_path):
    write_patient(tmp_path, "L067", quarter={"heights": range(10, 14)})
    assert "have no slice position in common" in refusal(read, tmp_path, "L067")


def test_a_gap_in_one_dose_is_refused(write_patient, tmp_path):
    write_patient(tmp_path, "L067", quarter={"heights": [0, 1, 3, 4]})
    assert "lacks slices" in refusal(read, tmp_path, "L067")


def test_a_missing_dose_is_named(write_patient, write_dose, tmp_path):
    write_patient(tmp_path, "L067")
    write_dose(tmp_path / "L096" / FULL)
    text = refusal(find_patients, tmp_path)
    assert "L096" in text and QUARTER in text


def test_a_duplicate_patient_is_refused(write_patient, tmp_path):
    write_patient(tmp_path / "one", "L067")
    write_patient(tmp_path / "two", "L067")
    assert "two folders" in refusal(find_patients, tmp_path)


def test_empty_and_missing_folders_are_refused(tmp_path):
    (tmp_path / "L067" / FULL).mkdir(parents=True)
    assert "lacks the folder" in refusal(find_patients, tmp_path)
    (tmp_path / "L067" / QUARTER).mkdir()
    assert "Patient L067" in refusal(read, tmp_path, "L067")
    (tmp_path / "empty").mkdir()
    assert f"PATIENT/{FULL}" in refusal(find_patients, tmp_path / "empty")
    assert "does not exist" in refusal(find_patients, tmp_path / "nowhere")


def test_files_other_than_dicom_are_refused(write_patient, tmp_path):
    write_patient(tmp_path, "L067")
    for path in (tmp_path / "L067" / QUARTER).iterdir():
        path.write_bytes(b"not a slice")
    assert "no DICOM" in refusal(read, tmp_path, "L067")
