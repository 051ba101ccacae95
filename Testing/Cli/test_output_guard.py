"""No command replaces a file that it reads, or a file of another program without `--overwrite`."""

from __future__ import annotations

import gzip
import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from PseudoCTDenoiseLib.cli import denoise
from PseudoCTDenoiseLib.cli.output_guard import Output, check_outputs
from PseudoCTDenoiseLib.ct.io.derived_note import NOTICE
from PseudoCTDenoiseLib.errors import BadInputError

RESULT = "is not a result of pseudoct"


@pytest.fixture
def refused(pseudoct, listing, tmp_path, monkeypatch, models):
    """Run a command in the folder of the test; return its one-line message."""
    monkeypatch.chdir(tmp_path)

    def refused(command, *arguments) -> str:
        before = listing(tmp_path)
        if command == "denoise" and "--models" not in arguments:
            arguments = (*arguments, "--models", models)
        ended = pseudoct(command, *arguments)
        assert ended.code == 2, ended
        assert ended.err.startswith("pseudoct: ") and ended.err.count("\n") == 1
        assert listing(tmp_path) == before
        return ended.err

    return refused


def dicom_folder(write_dicom, hu) -> Path:
    write_dicom(Path("dicom"), hu, [0, 3, 6])
    return Path("dicom")


# ------------------------------------------------------------------- inputs


@pytest.mark.parametrize("command", ["simulate", "denoise"])
@pytest.mark.parametrize("overwrite", [[], ["--overwrite"]])
@pytest.mark.parametrize("way", ["same", "dots", "symbolic link", "hard link", "linked folder"])
def test_the_scan_is_never_replaced(refused, scan, command, overwrite, way):
    output = Path("scan.nrrd")
    if way == "dots":
        Path("folder").mkdir()
        output = Path("folder/../scan.nrrd")
    elif way == "symbolic link":
        output = Path("link.nrrd")
        output.symlink_to("scan.nrrd")
    elif way == "hard link":
        output = Path("link.nrrd")
        os.link("scan.nrrd", output)
    elif way == "linked folder":
        Path("here").symlink_to(".")
        output = Path("here/scan.nrrd")
    assert f"{output} is an input" in refused(command, "scan.nrrd", output, *overwrite)


@pytest.mark.parametrize("option", ["--report", "--picture"])
@pytest.mark.parametrize("kind", ["slice", "link"])
def test_a_dicom_slice_is_never_replaced(
    refused, tmp_path, write_dicom, hu, monkeypatch, option, kind
):
    folder = dicom_folder(write_dicom, hu)
    output = sorted(folder.iterdir())[1]
    if option == "--picture" or kind == "link":
        os.link(output, "picture.png")
        output = Path("picture.png")
    said = refused("denoise", folder, "out.nrrd", option, output, "--overwrite")
    assert f"{output} is an input" in said
    (folder / "DICOMDIR").touch()
    assert "is an input" in refused("denoise", folder / "DICOMDIR", "out.nrrd", option, output)


def headers(hu):
    """Write headers whose voxels are in other files; yield each with one of these files."""
    values = np.ascontiguousarray(hu).tobytes()
    for number, part in enumerate(hu):
        Path(f"part{number}.raw").write_bytes(part.tobytes())
    Path("whole.raw").write_bytes(values)
    Path("whole.raw.gz").write_bytes(gzip.compress(values))
    nrrd = (
        "NRRD0004\ntype: short\ndimension: 3\nsizes: 64 48 3\nendian: little\n"
        "space: left-posterior-superior\nspace directions: (1,0,0) (0,1,0) (0,0,1)\n"
    )
    meta = "ObjectType = Image\nNDims = 3\nDimSize = 64 48 3\nElementType = MET_SHORT\n"
    names = "part0.raw\npart1.raw\npart2.raw\n"
    for header, text, data in [
        ("one.nhdr", nrrd + "encoding: raw\ndata file: whole.raw\n", "whole.raw"),
        ("absolute.nhdr", nrrd + f"encoding: raw\ndata file: {os.path.abspath('whole.raw')}\n",
         "whole.raw"),
        ("gzip.nrrd", nrrd + "encoding: gzip\nDataFile: whole.raw.gz\n", "whole.raw.gz"),
        ("list.nhdr", nrrd + f"encoding: raw\ndata file: LIST\n{names}", "part1.raw"),
        ("pattern.nhdr", nrrd + "encoding: raw\ndata file: part%d.raw 0 2 1\n", "part2.raw"),
        ("one.mhd", meta + "ElementDataFile = whole.raw\n", "whole.raw"),
        ("colon.mhd", meta + " ElementDataFile : = whole.raw\n", "whole.raw"),
        ("list.mhd", meta + f"ElementDataFile = LIST\n{names}", "part1.raw"),
        ("pattern.mhd", meta + "ElementDataFile = part%d.raw 0 2 1\n", "part2.raw"),
        ("windows.mhd", (meta + "ElementDataFile = whole.raw\n").replace("\n", "\r\n"),
         "whole.raw"),
    ]:  # fmt: skip
        Path(header).write_bytes(text.encode())
        yield header, data


def test_the_data_file_of_a_header_is_never_replaced(refused, tmp_path, hu):
    for header, data in list(headers(hu)):
        for overwrite in ([], ["--overwrite"]):
            said = refused("denoise", header, "out.nrrd", "--report", data, *overwrite)
            assert f"{data} is an input" in said, header


def test_the_reference_is_never_replaced(refused, scan):
    shutil.copy(scan, "ndct.nrrd")
    said = refused("denoise", scan, "ndct.nrrd", "--reference", "ndct.nrrd", "--overwrite")
    assert "ndct.nrrd is an input" in said


@pytest.mark.parametrize("arguments", [[], ["--report", "out.json"]])
@pytest.mark.parametrize(
    "content", ['{"steps": 2}', '{"notice": "Derived by PseudoCTDenoise", "settings": {}}']
)
def test_the_settings_are_never_replaced(refused, scan, arguments, content):
    Path("out.json").write_text(content)
    settings = ["--settings", "out.json", "--overwrite"]
    said = refused("denoise", scan, "out.nrrd", *settings, *arguments)
    assert "out.json is an input" in said
    assert arguments or "--report" in said


def test_models_are_never_replaced(refused, scan, models):
    own = shutil.copytree(models, "models")
    for report, output in [
        ("PseudoCTDenoise_fast.json", "out.nrrd"),
        ("PseudoCTDenoise_noise-a.npz", "out.nrrd"),
        (None, f"{own}/PseudoCTDenoise_fast.nrrd"),  # the report is the manifest of the model
    ]:
        arguments = ["--report", f"{own}/{report}"] if report else []
        said = refused("denoise", scan, output, *arguments, "--models", own, "--overwrite")
        assert "is an input" in said


def test_two_results_never_share_a_file(refused, scan):
    Path("out.nrrd").touch()
    os.link("out.nrrd", "link.nrrd")
    for report in ("out.nrrd", "link.nrrd", "OUT.nrrd", "./out.nrrd"):
        assert "Two results" in refused("denoise", scan, "out.nrrd", "--report", report)
    said = refused("denoise", scan, "other.nrrd", "--report", "p.png", "--picture", "P.png")
    assert "Two results" in said


# ------------------------------------------------------------------- files of other programs


@pytest.mark.parametrize("suffix", [".nrrd", ".nii.gz", ".nii", ".mha"])
@pytest.mark.parametrize("command", ["simulate", "denoise"])
def test_another_scan_is_kept(refused, write, hu, tmp_path, suffix, command):
    scan = write(tmp_path / "scan.nrrd", hu)
    other = write(tmp_path / f"other{suffix}", hu)
    said = refused(command, scan, other)
    assert f"other{suffix} exists and {RESULT}" in said and "--overwrite" in said


@pytest.mark.parametrize("content", [b"text", b"NRRD", b"\x1f\x8b damaged", b"\xff\xfe"])
def test_files_that_cannot_be_recognised_are_kept(refused, scan, content):
    Path("out.nrrd").write_bytes(content)
    assert RESULT in refused("simulate", scan, "out.nrrd")


def test_pictures_and_noise_maps_of_others_are_kept(refused, scan):
    sitk.WriteImage(sitk.GetImageFromArray(np.zeros((9, 9), np.uint8)), "picture.png")
    assert RESULT in refused("denoise", scan, "out.nrrd", "--picture", "picture.png")
    Path("noise").mkdir()
    shutil.copy(scan, "noise/noise_ensemble.nrrd")
    said = refused("denoise", scan, "out.nrrd", "--noise-dir", "noise")
    assert f"noise_ensemble.nrrd exists and {RESULT}" in said


def test_a_converters_json_beside_the_scan_is_kept_even_with_overwrite(refused, scan):
    Path("ct.json").write_text('{"Modality": "CT"}')
    said = refused("denoise", scan, "ct.nrrd", "--overwrite")
    assert "ct.json" in said and "--report" in said and "--overwrite" not in said


def test_overwrite_replaces_a_file_of_another_program(pseudoct, scan, tmp_path):
    output = tmp_path / "out.nrrd"
    output.write_text("another program's")
    image = sitk.ReadImage(str(scan))
    image.SetSpacing((0.7, 1.4, 2.5))  # a refusal
    sitk.WriteImage(image, str(scan))
    arguments = ["simulate", scan, output, "--device", "cpu"]
    assert "square" in pseudoct(*arguments, "--overwrite").err
    assert output.read_text() == "another program's"


@pytest.mark.parametrize("appears", ["out.nrrd", "out.json", "out.png"])
def test_a_file_that_appears_during_the_run_is_kept(
    pseudoct, scan, untuned, tmp_path, monkeypatch, appears
):
    precious, plan = tmp_path / appears, denoise._print_plan

    def other_program(*arguments):
        precious.write_text("another program's")
        plan(*arguments)

    monkeypatch.setattr(denoise, "_print_plan", other_program)
    picture = ["--picture", tmp_path / "out.png"]
    ended = pseudoct("denoise", scan, tmp_path / "out.nrrd", *untuned, *picture)
    assert precious.read_text() == "another program's"
    assert (tmp_path / f"new-{appears}").is_file()
    assert f"{precious} appeared or changed during this run" in ended.err
    assert ended.code == (2 if appears == "out.nrrd" else 5)
    assert (tmp_path / "out.nrrd").is_file()


@pytest.mark.parametrize("command", ["simulate", "denoise"])
def test_the_target_of_a_link_is_written_and_the_link_stays(
    pseudoct, scan, quick, tmp_path, command
):
    (tmp_path / "far").mkdir()
    target, link = tmp_path / "far" / "real.nrrd", tmp_path / "link.nrrd"
    options = [*quick, "--method", "pretrained"] if command == "denoise" else ["--device", "cpu"]
    if command == "simulate":
        image = sitk.ReadImage(str(scan))
        image.SetSpacing((0.7, 0.7, 2.5))
        sitk.WriteImage(image, str(scan))
    link.symlink_to(target)
    assert pseudoct(command, scan, link, *options).code == 0  # the target does not exist yet
    first = target.read_bytes()
    # The report of the older result may lie beside the target.
    stale = tmp_path / "far" / "real.json"
    stale.write_text(json.dumps({"notice": NOTICE, "output": "real.nrrd"}))
    options += ["--strength", "50"] if command == "denoise" else ["--seed", "1"]
    assert pseudoct(command, scan, link, *options).code == 0
    assert link.is_symlink() and target.read_bytes() != first and not stale.exists()
    other = sitk.ReadImage(str(scan)) + 1
    sitk.WriteImage(other, str(target))  # another program's
    assert RESULT in pseudoct(command, scan, link, *options).err


def test_the_target_of_a_linked_report_and_picture_is_written(pseudoct, scan, untuned, tmp_path):
    (tmp_path / "far").mkdir()
    for name in ("out.json", "out.png"):
        (tmp_path / name).symlink_to(tmp_path / "far" / name)
    command = ["denoise", scan, tmp_path / "out.nrrd", *untuned, "--picture", tmp_path / "out.png"]
    for _ in range(2):
        ended = pseudoct(*command)
        assert ended.code == 0, ended.err
    for name in ("out.json", "out.png"):
        assert (tmp_path / name).is_symlink() and (tmp_path / "far" / name).stat().st_size


def test_links_that_cannot_be_written_are_refused(refused, scan):
    Path("out.nrrd").symlink_to("gone/out.nrrd")
    assert "gone does not exist" in refused("denoise", scan, "out.nrrd")
    Path("loop.nrrd").symlink_to("loop.nrrd")
    assert "leads back to itself" in refused("denoise", scan, "loop.nrrd")
    Path("other.nrrd").symlink_to("other.nii.gz")
    assert "has another suffix" in refused("denoise", scan, "other.nrrd")
    Path("one.nrrd").symlink_to("two.nrrd")
    said = refused("denoise", scan, "one.nrrd", "--report", "two.nrrd", "--overwrite")
    assert "Two results" in said


def test_an_earlier_result_beside_dicom_slices_is_replaced(
    pseudoct, tmp_path, write_dicom, hu, quick, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    folder = dicom_folder(write_dicom, hu)
    arguments = [folder, folder / "out.nrrd", *quick, "--method", "pretrained"]
    assert pseudoct("denoise", *arguments).code == 0
    assert pseudoct("denoise", *arguments, "--strength", "0").code == 0
    report = json.loads((folder / "out.json").read_text("utf-8"))
    assert report["settings"]["strength"] == 0


def test_own_csv_and_json_files_are_recognised_by_their_fields(tmp_path):
    table, values = tmp_path / "table.csv", tmp_path / "values.json"
    table.write_text("patient,method\na,b\n")
    values.write_text('[{"organ": "liver", "contrast_hu": 40}]')
    check_outputs([Output(table, ("method",)), Output(values, ("organ",))], [], overwrite=False)
    for path, fields in ((table, ("method", "gain")), (values, ("noise",)), (table, ())):
        with pytest.raises(BadInputError, match=RESULT):
            check_outputs([Output(path, fields)], [], overwrite=False)
        check_outputs([Output(path, fields)], [], overwrite=True)
