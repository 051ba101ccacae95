"""The index of scans: splits, patients, credits and errors."""

import numpy as np
import pytest
import SimpleITK as sitk
from dicom_factory import bodies, write_slices
from pseudoct_research.datasets.ct_dataset import index_splits, read_index
from PseudoCTDenoiseLib.errors import BadInputError

HEAD = "file,patient,split,licence,source\n"
STACK_HEAD = "index,patient,split,pixel_mm\n"
STACK = STACK_HEAD + "0,P3,train,0.5\n1,P4,val,0.6\n2,P5,train,0.8\n"


def write_scan(path, values, pixel_mm=0.7, column_mm=None):
    """Return uniform slices of these HU below a row of air."""
    slices = np.zeros((len(values), 16, 18), np.int16) + np.array(values, np.int16)[:, None, None]
    slices[:, 0] = -1000
    image = sitk.GetImageFromArray(slices)
    image.SetSpacing((column_mm or pixel_mm, pixel_mm, 3.0))
    sitk.WriteImage(image, str(path))


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "ct").mkdir()
    write_scan(tmp_path / "ct/one.nrrd", [10, 11])
    write_scan(tmp_path / "ct/two.nrrd", [20], pixel_mm=0.9)
    write_scan(tmp_path / "ct/stack.nii.gz", [30, 40, 50])
    (tmp_path / "ct/stack.csv").write_text(STACK)
    (tmp_path / "index.csv").write_text(
        HEAD
        + "ct/one.nrrd,P1,train,CC BY 4.0,Clinic\n"
        + "ct/two.nrrd,P2,val,,\n"
        + "ct/stack.nii.gz,many,see stack.csv,CC0,Atlas\n"
    )
    return tmp_path


def read(folder, split="train", patients=None):
    return read_index(folder / "index.csv", split, patients)


def test_a_split_holds_its_scans_and_the_slices_of_its_stacks(folder):
    scans = read(folder)
    assert [scan.patient for scan in scans] == ["P1", "P3", "P5"]
    assert [scan.hu.shape for scan in scans] == [(2, 16, 18), (1, 16, 18), (1, 16, 18)]
    assert [scan.hu[:, 1, 0].tolist() for scan in scans] == [[10, 11], [30], [50]]
    assert [scan.pixel_mm for scan in scans] == pytest.approx([0.7, 0.5, 0.8])
    assert [(scan.licence, scan.source) for scan in scans] == [
        ("CC BY 4.0", "Clinic"),
        ("CC0", "Atlas"),
        ("CC0", "Atlas"),
    ]
    assert all(scan.hu.dtype == np.int16 for scan in scans)


@pytest.mark.parametrize(
    ("row", "splits"),
    [("P1,test", "train and test"), ("P4,train", "train and val"), ("P2,test", "val and test")],
)
def test_a_patient_is_in_one_of_the_splits_to_learn_choose_and_measure_on(folder, row, splits):
    index = folder / "index.csv"
    index.write_text(index.read_text("utf-8") + f"ct/two.nrrd,{row},,\n", "utf-8")
    with pytest.raises(BadInputError, match=f"in the splits {splits}"):
        read(folder)


def test_a_scan_with_pixels_that_are_not_square_is_refused(folder):
    write_scan(folder / "ct/two.nrrd", [20], pixel_mm=0.9, column_mm=0.6)
    assert read(folder)  # it is in another split
    with pytest.raises(BadInputError, match=r"two.nrrd has pixels of 0\.6 x 0\.9 mm: resample"):
        read(folder, "val")


def test_a_patient_may_be_in_a_further_split(folder):
    index = folder / "index.csv"
    index.write_text(index.read_text("utf-8") + "ct/two.nrrd,P1,sharp-kernel,,\n", "utf-8")
    assert [scan.patient for scan in read(folder, "sharp-kernel")] == ["P1"]


def test_the_splits_are_those_of_scans_and_of_single_slices(folder):
    index = folder / "index.csv"
    splits = index_splits(index)
    assert len(splits) == len(set(splits)) and "see stack.csv" not in splits
    assert all(read_index(index, split) for split in splits)


def test_patients_can_be_chosen(folder):
    assert [scan.patient for scan in read(folder, patients=["P5", "P2"])] == ["P5"]


def test_only_requested_files_are_read(folder):
    for name in ("two.nrrd", "stack.nii.gz"):
        (folder / "ct" / name).unlink()
    assert [scan.patient for scan in read(folder, patients=["P1"])] == ["P1"]


def test_licence_and_source_may_be_missing(folder):
    (folder / "index.csv").write_text("file,patient,split\nct/one.nrrd,P1,train\n")
    assert (read(folder)[0].licence, read(folder)[0].source) == ("", "")


def test_a_byte_order_mark_is_not_part_of_a_column_name(folder):
    text = (folder / "index.csv").read_text("utf-8")
    (folder / "index.csv").write_text(text, encoding="utf-8-sig")
    assert len(read(folder)) == 3


@pytest.mark.parametrize(
    ("file", "text", "words"),
    [
        ("index.csv", "file,split\nct/one.nrrd,train\n", "lacks the columns patient"),
        ("index.csv", HEAD, "lacks the columns file, patient, split"),
        ("index.csv", "", "lacks the columns"),
        ("index.csv", HEAD + "ct/gone.nrrd,P1,train,,\n", "gone.nrrd"),
        ("index.csv", HEAD + "ct/one.nrrd,P1\n", "no scan of split 'train'"),
        ("index.csv", HEAD + "ct/gone.nii.gz,many,see gone.csv,,\n", "gone.csv"),
        ("ct/stack.csv", "index,patient,pixel_mm\n0,P3,1\n", "lacks the columns split"),
        ("ct/stack.csv", STACK_HEAD + "3,P3,train,1\n", "slice 3, but stack.nii.gz has 3"),
        ("ct/stack.csv", STACK_HEAD + "-1,P3,train,1\n", "slice -1"),
        ("ct/stack.csv", STACK_HEAD + "first,P3,train,1\n", "'first'"),
        ("ct/stack.csv", STACK_HEAD + "0,P3,train\n", "not both numbers"),
    ],
)
def test_errors_of_the_index_are_reported_in_one_line(folder, file, text, words):
    (folder / file).write_text(text)
    with pytest.raises(BadInputError) as caught:
        read(folder)
    assert words in str(caught.value) and "\n" not in str(caught.value)


def test_a_missing_or_binary_index_is_refused(folder):
    with pytest.raises(BadInputError, match=r"index\.csv"):
        read_index(folder / "nowhere/index.csv", "train")
    with pytest.raises(BadInputError, match="one.nrrd is not a CSV file"):
        (folder / "ct/one.nrrd").write_bytes(b"\xff\xfe\x00\x80" * 9)
        read_index(folder / "ct/one.nrrd", "train")


def test_an_unknown_split_or_patient_is_refused(folder):
    with pytest.raises(BadInputError, match="'test'"):
        read(folder, "test")
    with pytest.raises(BadInputError, match="no scan"):
        read(folder, patients=["P9"])


def test_series_and_slice_axis_of_a_scan_can_be_chosen(folder):
    for number, height in (("1", 0.0), ("2", 10.0)):
        values = {"SeriesInstanceUID": f"1.2.{number}", "SeriesNumber": number}
        values["PixelSpacing"] = [0.7, 0.7]
        write_slices(folder / "dicom", [height, height + 1], first=int(number), **values)
    image = sitk.ReadImage(str(folder / "ct/one.nrrd"))
    sitk.WriteImage(sitk.PermuteAxes(image, (2, 0, 1)), str(folder / "ct/turned.nrrd"))
    (folder / "index.csv").write_text(
        "file,patient,split,series,slice_axis\n"
        "dicom,P1,train,2,\n"
        "ct/turned.nrrd,P2,train,,i\n"
        "ct/one.nrrd,P3,train,,\n"
    )
    first, turned, plain = read(folder)
    np.testing.assert_array_equal(first.hu, bodies([10.0, 11.0]))
    np.testing.assert_array_equal(turned.hu, plain.hu)
