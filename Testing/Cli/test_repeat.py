"""`pseudoct repeat` makes a result again, compares it with the old one and says what differs."""

import json
import shutil
import sys

import numpy as np
import pytest
import SimpleITK as sitk
import torch
from dicom_factory import write_slices
from PseudoCTDenoiseLib.cli.main import main
from PseudoCTDenoiseLib.exit_codes import BAD_INPUT, DIFFERENT, DONE


def values(path):
    return sitk.GetArrayFromImage(sitk.ReadImage(str(path)))


def edit(path, **entries):
    """Change entries of a report; None removes one."""
    report = json.loads(path.read_text("utf-8")) | entries
    path.write_text(json.dumps({k: v for k, v in report.items() if v is not None}), "utf-8")


@pytest.fixture(scope="module")
def denoised(models, write, hu, tmp_path_factory):
    """Folder with a result that has a seed and a strength of its own, in one orientation."""
    folder = tmp_path_factory.mktemp("denoised")
    scan = write(folder / "scan.nrrd", hu)
    arguments = ["--models", models, "--device", "cpu", "--steps", "2"]
    arguments += ["--seed", "5", "--strength", "62.5", "--orientations", "1"]
    assert main(["denoise", *map(str, [scan, folder / "out.nrrd", *arguments])]) == DONE
    return folder


@pytest.fixture
def report(denoised, scan, tmp_path):
    """Report of the result, as if the scan of this test had been denoised."""
    for name in ("out.nrrd", "out.json"):
        shutil.copy(denoised / name, tmp_path)
    report = tmp_path / "out.json"
    edit(report, input_path=str(scan), output_path=str(tmp_path / "out.nrrd"))
    return report


def test_the_same_result_comes_again(pseudoct, report, tmp_path, listing):
    before = listing(tmp_path)
    ended = pseudoct("repeat", report)
    assert ended.code == DONE and "equals the old one in every voxel.\n" in ended.out
    assert np.array_equal(values(tmp_path / "out-again.nrrd"), values(tmp_path / "out.nrrd"))
    after = listing(tmp_path)
    assert after.keys() - before.keys() == {"out-again.nrrd", "out-again.json"}
    assert all(after[name] == content for name, content in before.items())
    settings = [json.loads(after[name])["settings"] for name in ("out.json", "out-again.json")]
    assert settings[0] == settings[1] | {"device": "cpu", "precision": "auto"}


@pytest.mark.slow
def test_every_repetition_has_a_name_of_its_own(pseudoct, report, tmp_path):
    for name in ("out-again", "out-again-2", "out-again-3"):
        assert pseudoct("repeat", report).code == DONE
        assert (tmp_path / f"{name}.nrrd").exists() and (tmp_path / f"{name}.json").exists()


def test_a_repetition_can_be_repeated_to_another_place(pseudoct, report, tmp_path):
    assert pseudoct("repeat", report, tmp_path / "second.nii.gz").code == DONE
    assert pseudoct("repeat", tmp_path / "second.json").code == DONE
    again = values(tmp_path / "second-again.nii.gz")
    assert np.array_equal(again, values(tmp_path / "out.nrrd"))


@pytest.mark.parametrize("name", ["out.nrrd", "scan.nrrd", "out.json"])
def test_nothing_that_exists_is_replaced(pseudoct, report, tmp_path, listing, name):
    before = listing(tmp_path)
    ended = pseudoct("repeat", report, tmp_path / name)
    assert ended.code == BAD_INPUT and "exists" in ended.err
    assert listing(tmp_path) == before


def test_a_moved_scan_is_given_or_found_beside_the_report(pseudoct, report, scan, tmp_path):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    moved = elsewhere / "other.nrrd"
    scan.rename(moved)
    ended = pseudoct("repeat", report)
    assert ended.code == BAD_INPUT and "scan.nrrd" in ended.err and "--input" in ended.err
    assert pseudoct("repeat", report, "--input", moved).code == DONE

    moved.rename(elsewhere / "scan.nrrd")
    shutil.move(report, elsewhere)
    assert pseudoct("repeat", elsewhere / "out.json").code == DONE


@pytest.mark.skipif(sys.platform != "linux", reason="needs links")
def test_a_scan_behind_a_link_is_repeated_under_the_name_of_the_link(
    pseudoct, scan, quick, tmp_path
):
    (tmp_path / "store").mkdir()
    scan.rename(tmp_path / "store" / "3f2a9c")
    scan.symlink_to(tmp_path / "store" / "3f2a9c")
    assert pseudoct("denoise", scan, tmp_path / "out.nrrd", *quick).code == DONE
    assert json.loads((tmp_path / "out.json").read_text("utf-8"))["input"] == "scan.nrrd"
    assert pseudoct("repeat", tmp_path / "out.json").code == DONE


@pytest.mark.slow
def test_a_series_is_found_again_beside_others(pseudoct, quick, tmp_path):
    folder = write_slices(tmp_path / "disk" / "one")
    assert pseudoct("denoise", folder.parent, tmp_path / "out.nrrd", *quick).code == DONE
    write_slices(tmp_path / "disk" / "two", SeriesInstanceUID="1.2.3", SeriesNumber=9)
    assert pseudoct("repeat", tmp_path / "out.json").code == DONE
    (tmp_path / "disk" / "DICOMDIR").touch()
    place = [tmp_path / "disk" / "DICOMDIR", tmp_path / "other.nrrd", *quick, "--series", "9"]
    assert pseudoct("denoise", *place).code == DONE
    assert pseudoct("repeat", tmp_path / "other.json").code == DONE


@pytest.mark.parametrize("choice", [["--series", "3"], ["--series", "3.2"], []])
def test_a_series_is_found_again_beside_another_of_its_number(pseudoct, untuned, tmp_path, choice):
    folder = write_slices(tmp_path / "disk" / "one")
    if choice == ["--series", "3.2"]:
        write_slices(folder / "thin", first=9, ConvolutionKernel="B70f")
    assert pseudoct("denoise", folder, tmp_path / "out.nrrd", *untuned, *choice).code == DONE
    write_slices(folder / "two", SeriesInstanceUID="1.2.3", offset=30)
    ended = pseudoct("repeat", tmp_path / "out.json")
    assert ended.code == DONE, ended.err


def test_another_scan_is_refused(pseudoct, report, scan, hu, write, tmp_path, listing):
    other = hu.copy()
    other[1, 20, 20] += 1
    write(scan, other)
    before = listing(tmp_path)
    ended = pseudoct("repeat", report)
    assert ended.code == BAD_INPUT and "voxels differ" in ended.err
    assert listing(tmp_path) == before


def test_the_same_voxels_in_another_place_are_told(pseudoct, report, scan):
    image = sitk.ReadImage(str(scan))
    image.SetOrigin((1.0, 2.0, 3.0))
    sitk.WriteImage(image, str(scan))
    ended = pseudoct("repeat", report)
    assert ended.code == DONE and "geometry of the input" in ended.out


def test_a_result_that_differs_is_measured_and_explained(pseudoct, report, tmp_path):
    content = json.loads(report.read_text("utf-8"))
    versions = content["versions"] | {"torch": "1.0"}
    edit(report, settings=content["settings"] | {"seed": 6}, versions=versions, output_hash=None)
    ended = pseudoct("repeat", report)
    assert ended.code == DIFFERENT
    assert f"torch 1.0 → {torch.__version__}" in ended.out
    old, new = (values(tmp_path / name).astype(float) for name in ("out.nrrd", "out-again.nrrd"))
    change = np.abs(new - old)
    assert change.max() > 0 and f"up to {change.max():g} HU" in ended.out
    assert f"{np.sqrt((change**2).mean()):.3g} HU RMS" in ended.out


def test_a_result_of_unevenly_spaced_slices_is_compared(pseudoct, quick, tmp_path):
    scan, out = write_slices(tmp_path / "scan", [0.0, 2.5, 10.0]), tmp_path / "out"
    arguments = [*quick, "--seed", "5"]
    assert pseudoct("denoise", scan, out, *arguments).code == DONE
    report = tmp_path / "out.json"
    edit(report, output_hash=None)
    ended = pseudoct("repeat", report)
    assert ended.code == DONE, ended


def test_a_difference_without_a_reason_is_told_as_such(pseudoct, report, tmp_path):
    image = sitk.ReadImage(str(tmp_path / "out.nrrd"))
    image[3, 4, 1] += 9
    sitk.WriteImage(image, str(tmp_path / "out.nrrd"))
    edit(report, output_hash={"voxels": "0" * 64})
    ended = pseudoct("repeat", report)
    assert ended.code == DIFFERENT and "up to 9 HU" in ended.out
    assert "Nothing that the report records has changed" in ended.out
    assert "out.nrrd was changed after it was made" in ended.err


@pytest.mark.parametrize("strength", ["62.5", "0"])
def test_an_old_result_that_was_changed_is_measured(
    pseudoct, report, scan, quick, tmp_path, strength
):
    out = tmp_path / "changed.nrrd"
    if strength == "0":  # the values of the scan are kept, with their fractions
        image = sitk.Cast(sitk.ReadImage(str(scan)), sitk.sitkFloat32) + 0.25
        sitk.WriteImage(image, str(scan))
    assert pseudoct("denoise", scan, out, *quick, "--strength", strength).code == DONE
    image, change = sitk.ReadImage(str(out)), 9 if strength != "0" else 0.125
    image[3, 4, 1] += change
    sitk.WriteImage(image, str(out))
    ended = pseudoct("repeat", tmp_path / "changed.json")
    assert ended.code == DIFFERENT and f"up to {change} HU" in ended.out
    if strength != "0":
        assert "changed.nrrd was changed after it was made. Its recorded hash equals" in ended.err


def test_an_old_result_that_cannot_be_read_is_told(pseudoct, report, tmp_path):
    (tmp_path / "out.nrrd").write_bytes(b"damaged")
    ended = pseudoct("repeat", report)
    assert ended.code == DIFFERENT
    assert "cannot be compared with the new one: out.nrrd cannot be read" in ended.out


def test_other_weights_of_the_model_are_told(pseudoct, report):
    edit(report, model={"name": "fast", "sha256": "0123456789" * 6})
    ended = pseudoct("repeat", report)
    assert "model fast (01234567) → fast (" in ended.out


@pytest.mark.parametrize(("known", "code"), [(True, DONE), (False, DIFFERENT)])
def test_a_result_that_was_deleted_is_compared_by_its_hash(pseudoct, report, tmp_path, known, code):
    (tmp_path / "out.nrrd").unlink()
    if not known:
        edit(report, output_hash=None)
    ended = pseudoct("repeat", report)
    assert ended.code == code
    assert ("equals the old one" if known else "is not there") in ended.out
    assert not known or "its recorded hash is compared" in ended.err


def test_a_result_under_the_name_of_the_lost_one_keeps_the_report(pseudoct, report, tmp_path):
    (tmp_path / "out.nrrd").unlink()
    before = report.read_bytes()
    ended = pseudoct("repeat", report, tmp_path / "out.nrrd")
    assert ended.code == BAD_INPUT and "choose another name for the new result" in ended.err
    assert report.read_bytes() == before and not (tmp_path / "out.nrrd").exists()


def test_a_new_result_is_not_compared_with_itself(pseudoct, report, tmp_path):
    (tmp_path / "out.nrrd").unlink()
    edit(report, output_hash={"voxels": "0" * 64})
    moved = report.rename(tmp_path / "kept.json")
    ended = pseudoct("repeat", moved, tmp_path / "out.nrrd")
    assert ended.code == DIFFERENT and "is not there" in ended.out


def test_the_report_of_an_earlier_version_gives_a_warning(pseudoct, report, scan):
    gone = ("input_path", "input_hash", "output_path", "output_hash", "slice_axis", "series")
    content = json.loads(report.read_text("utf-8"))
    device = {k: v for k, v in content["device"].items() if k not in ("threads", "processor")}
    edit(report, device=device, **dict.fromkeys(gone))
    ended = pseudoct("repeat", report)
    assert ended.code == DONE and "Warning: The report is of an older version" in ended.err
    assert "equals the old one in every voxel.\n" in ended.out


def test_precision_and_threads_are_those_of_the_report(pseudoct, report, monkeypatch):
    content = json.loads(report.read_text("utf-8"))
    other = {"float32": "bfloat16", "bfloat16": "float32"}[content["device"]["precision"]]
    threads = []
    monkeypatch.setattr(torch, "set_num_threads", threads.append)
    edit(report, device=content["device"] | {"precision": other, "threads": 3})
    pseudoct("repeat", report)
    again = json.loads(report.with_name("out-again.json").read_text("utf-8"))
    assert again["device"]["precision"] == other and threads == [3]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "is not JSON"),
        (b"\xff\xfe", "is not JSON"),
        (b"[1]", "JSON object"),
        (b'{"SeriesNumber": 3}', "not a complete report"),
        (b'{"steps": 3}', "not a complete report"),
    ],
)
def test_a_foreign_or_damaged_report_is_refused(pseudoct, tmp_path, content, words):
    path = tmp_path / "report.json"
    path.write_bytes(content)
    ended = pseudoct("repeat", path)
    assert ended.code == BAD_INPUT and words in ended.err and ended.err.count("\n") == 1


@pytest.mark.parametrize(
    "damage",
    [
        {"notice": "Made by another program."},
        {"settings": {"stepps": 3}},
        {"settings": {"steps": "many"}},
        {"settings": [1]},
        {"model": {"sha256": "0"}},
        {"model": {"name": "../fast", "sha256": "0"}},
        {"model": {"name": 7}},
        {"device": "cpu"},
        {"versions": 3},
        {"input": 5},
        {"output": None},
    ],
)
def test_a_damaged_entry_is_refused(pseudoct, report, listing, tmp_path, damage):
    edit(report, **damage)
    before = listing(tmp_path)
    ended = pseudoct("repeat", report)
    assert ended.code == BAD_INPUT and ended.err.splitlines()[-1].startswith("pseudoct: ")
    assert listing(tmp_path) == before


def test_a_report_that_is_missing(pseudoct, tmp_path):
    ended = pseudoct("repeat", tmp_path / "none.json")
    assert ended.code == BAD_INPUT and "none.json" in ended.err
