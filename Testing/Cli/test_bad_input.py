"""Bad input of `pseudoct denoise`: exit code 2, a one-line message and no new files."""

from __future__ import annotations

import json
import os
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
import torch
from PseudoCTDenoiseLib.models.networks import UNet


@pytest.fixture
def refused(pseudoct, listing, tmp_path, models):
    """Run `pseudoct denoise` in the folder of the test; return its one-line message."""

    def refused(*arguments) -> str:
        before = listing(tmp_path)
        if "--models" not in arguments:
            arguments = (*arguments, "--models", models)
        ended = pseudoct("denoise", *arguments)
        assert ended.code == 2, ended
        assert ended.out == ""
        assert ended.err.startswith("pseudoct: ") and ended.err.endswith(".\n")
        assert ended.err.count("\n") == 1
        assert listing(tmp_path) == before
        return ended.err

    return refused


# ------------------------------------------------------------------- images that are not CT


def segmentation(hu):
    return (hu > -500).astype(np.uint8) * 3


def with_one_voxel(value):
    def values(hu):
        hu = hu.astype(np.float32)
        hu[1, 20, 30] = value
        return hu

    return values


@pytest.mark.parametrize(
    "values, said",
    [
        (segmentation, "segmentation"),
        (with_one_voxel(np.nan), "NaN or infinity"),
        (with_one_voxel(np.inf), "NaN or infinity"),
        (with_one_voxel(1e9), "outside the range of HU"),
        (lambda hu: hu[:1, :1, :1], "too small"),
        (lambda hu: hu[:, :8], "too small"),
        (np.zeros_like, "everywhere"),
    ],
)
@pytest.mark.parametrize("suffix", [".nrrd", ".nii.gz", ".mha"])
def test_an_image_that_is_not_a_ct(refused, write, hu, tmp_path, values, said, suffix):
    scan = write(tmp_path / f"odd{suffix}", values(hu))
    assert said in refused(scan, tmp_path / "out.nrrd")


def test_colour_images_and_4d_images(refused, write, hu, tmp_path):
    colour = write(tmp_path / "colour.nrrd", np.stack([hu] * 3, axis=-1), vector=True)
    assert "3 numbers per voxel" in refused(colour, tmp_path / "out.nrrd")
    phases = write(tmp_path / "phases.nrrd", np.stack([hu, hu]))
    assert "4-D" in refused(phases, tmp_path / "out.nrrd")


def test_files_that_are_missing_empty_truncated_or_of_another_format(refused, scan, tmp_path):
    assert "does not exist" in refused(tmp_path / "none.nrrd", tmp_path / "out.nrrd")
    whole = scan.read_bytes()
    for name, content in (
        ("empty.nrrd", b""),
        ("cut.nrrd", whole[: len(whole) // 2]),
        ("header.nrrd", whole[:200]),
        ("text.mha", b"This is not a volume.\n"),
    ):
        (tmp_path / name).write_bytes(content)
        assert name in refused(tmp_path / name, tmp_path / "out.nrrd")
    (tmp_path / "scan.png").write_bytes(b"\x89PNG")
    assert "suffix of a format that can be read" in refused(
        tmp_path / "scan.png", tmp_path / "out.nrrd"
    )


def test_a_truncated_nifti(refused, write, hu, tmp_path):
    path = write(tmp_path / "scan.nii.gz", hu)
    path.write_bytes(path.read_bytes()[:-2000])
    assert "damaged" in refused(path, tmp_path / "out.nrrd")


def test_a_folder_without_dicom(refused, tmp_path):
    folder = tmp_path / "folder"
    folder.mkdir()
    assert "no DICOM" in refused(folder, tmp_path / "out.nrrd")
    (folder / "notes.txt").write_text("no image")
    assert "no DICOM" in refused(folder, tmp_path / "out.nrrd")


def test_a_series_option_with_a_file(refused, scan, tmp_path):
    assert "--series" in refused(scan, tmp_path / "out.nrrd", "--series", "3")


# ------------------------------------------------------------------- where to write


@pytest.mark.parametrize(
    "output, said",
    [
        ("missing/out.nrrd", "does not exist"),
        ("folder.nrrd", "is not DICOM"),
        ("out.png", "does not have the suffix"),
        ("out.dcm", "does not have the suffix"),
        ("out", "is not DICOM"),
        (".nrrd", "does not have the suffix"),
        ("scan.nrrd/out.nrrd", "does not exist"),
        ("scan.nrrd", "is an input"),
        ("folder.nrrd/../scan.nrrd", "is an input"),
        ("link.nrrd", "is an input"),
        ("n" * 300 + ".nrrd", "too long"),
    ],
)
def test_an_output_that_cannot_be_written(refused, scan, tmp_path, monkeypatch, output, said):
    monkeypatch.chdir(tmp_path)
    Path("folder.nrrd").mkdir()
    Path("link.nrrd").symlink_to("scan.nrrd")
    assert said in refused("scan.nrrd", output)


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="only Linux takes any bytes for a name")
def test_names_that_are_not_utf_8(pseudoct, refused, scan, tmp_path, quick):
    odd = os.fsdecode(b"sc\xe4n")
    said = "not UTF-8: rename"
    folder = tmp_path / odd
    folder.mkdir()
    shutil.copy(scan, tmp_path / f"{odd}.nrrd")
    (folder / "slice.dcm").touch()
    assert said in refused(tmp_path / f"{odd}.nrrd", tmp_path / "out.nrrd")
    assert "slice.dcm is empty" in refused(folder, tmp_path / "out.nrrd")
    assert said in refused(scan, folder / "out.nrrd")
    # SimpleITK does not see this name, so it may have any bytes.
    assert pseudoct("denoise", scan, tmp_path / f"{odd} out.nrrd", *quick).code == 0
    report = json.loads((tmp_path / f"{odd} out.json").read_text(encoding="utf-8"))
    assert report["output"] == f"{odd} out.nrrd"


def test_a_folder_in_which_no_file_can_be_created(refused, scan, tmp_path):
    if not Path("/proc/self").is_dir():
        pytest.skip("this system has no /proc")
    assert "cannot be written to" in refused(scan, "/proc/out.nrrd")
    for flag, name in (("--report", "x.json"), ("--picture", "x.png"), ("--noise-dir", "x")):
        said = refused(scan, tmp_path / "out.nrrd", flag, f"/proc/{name}")
        assert "cannot be written to" in said


def test_a_device_is_not_replaced_by_a_file(refused, scan, tmp_path):
    device = Path("/dev/null")
    if not device.is_char_device():
        pytest.skip("this system has no /dev/null")
    assert "is a device" in refused(scan, tmp_path / "out.nrrd", "--report", device)
    assert device.is_char_device()


@pytest.mark.parametrize(
    "arguments, said",
    [
        (["--report", "missing/report.json"], "does not exist"),
        (["--report", "folder"], "is a folder"),
        (["--report", "scan.nrrd"], "is an input"),
        (["--report", "out.nrrd"], "Two results"),
        (["--picture", "missing/picture.png"], "does not exist"),
        (["--picture", "picture.jpg"], ".png"),
        (["--picture", "folder.png"], "is a folder"),
        (["--noise-dir", "missing/noise"], "does not exist"),
        (["--noise-dir", "scan.nrrd"], "is a file"),
        (["--reference", "ndct.nrrd", "--report", "ndct.nrrd"], "is an input"),
    ],
)
def test_other_outputs_that_cannot_be_written(
    refused, scan, tmp_path, monkeypatch, arguments, said
):
    monkeypatch.chdir(tmp_path)
    Path("folder").mkdir()
    Path("folder.png").mkdir()
    shutil.copy(scan, "ndct.nrrd")
    assert said in refused("scan.nrrd", "out.nrrd", *arguments)


SIDECAR = '{"Modality": "CT", "ConvolutionKernel": "B30f"}'


@pytest.mark.parametrize("arguments", [[], ["--report", "out.json"], ["--report", "other.txt"]])
@pytest.mark.parametrize(
    "content", [SIDECAR, "[1]", "7", '{"notice": null}', "{", "Notes", b"\xff\xfe", "[" * 100000]
)
def test_the_report_does_not_replace_a_file_that_is_no_report(
    refused, scan, tmp_path, monkeypatch, arguments, content
):
    monkeypatch.chdir(tmp_path)
    path = Path(arguments[-1] if arguments else "out.json")
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    said = refused("scan.nrrd", "out.nrrd", *arguments)
    assert f"{path} exists and is not a result of pseudoct" in said
    assert ("--overwrite" if arguments else "--report") in said


def test_noise_maps_do_not_replace_the_scan(refused, write, hu, tmp_path):
    folder = tmp_path / "noise"
    folder.mkdir()
    scan = write(folder / "pseudo_ldct.nrrd", hu)
    assert "is an input" in refused(scan, tmp_path / "out.nrrd", "--noise-dir", folder)
    other = write(tmp_path / "scan.nrrd", hu)
    output = folder / "noise_noise-a.nrrd"
    assert "Two results" in refused(other, output, "--noise-dir", folder)


# ------------------------------------------------------------------- models


@pytest.fixture
def own_models(models, tmp_path) -> Path:
    return shutil.copytree(models, tmp_path / "models")


@pytest.mark.parametrize(
    "name, said",
    [("none", "Available: fast, other"), ("../fast", "No model"), ("noise-a", "noise model")],
)
def test_a_model_that_does_not_exist_or_is_not_a_denoiser(refused, scan, name, said):
    assert said in refused(scan, scan.with_name("out.nrrd"), "--model", name)


@pytest.mark.parametrize("name", ["fast", "noise-b"])
def test_modified_or_missing_weights(refused, scan, own_models, name):
    weights = own_models / f"PseudoCTDenoise_{name}.npz"
    content = bytearray(weights.read_bytes())
    content[len(content) // 2] ^= 1
    weights.write_bytes(content)
    options = ["--models", own_models, "--noise-dir", scan.with_name("noise")]
    said = refused(scan, scan.with_name("out.nrrd"), *options)
    assert f"'{name}' are damaged" in said
    weights.unlink()
    said = refused(scan, scan.with_name("out.nrrd"), *options)
    assert f"'{name}' are missing" in said


def test_an_invalid_manifest(refused, scan, own_models):
    (own_models / "PseudoCTDenoise_fast.json").write_text("{")
    said = refused(scan, scan.with_name("out.nrrd"), "--models", own_models)
    assert "not a manifest of a model" in said


def test_a_folder_without_models_or_without_noise_models(refused, scan, own_models):
    output = scan.with_name("out.nrrd")
    assert "Available: none" in refused(scan, output, "--models", scan.with_name("nowhere"))
    for path in own_models.glob("*_noise-*"):
        path.unlink()
    said = refused(scan, output, "--models", own_models, "--noise-dir", scan.with_name("noise"))
    assert "noise models" in said and "pseudoct pretrain" in said


# ------------------------------------------------------------------- settings


@pytest.mark.parametrize(
    "arguments, said",
    [
        (["--steps", "-1"], "steps"),
        (["--strength", "101"], "strength"),
        (["--strength", "-1"], "strength"),
        (["--strength", "nan"], "strength"),
        (["--seed", "-3"], "seed"),
    ],
)
def test_a_flag_out_of_range(refused, scan, arguments, said):
    assert said in refused(scan, scan.with_name("out.nrrd"), *arguments)


@pytest.mark.parametrize(
    "content, said",
    [
        (b'{"stepps": 3}', "Unknown setting 'stepps'"),
        (b'{"settings": {"colour": "red"}}', "Unknown setting 'colour'"),
        (b"{", "not JSON"),
        (b"", "not JSON"),
        (b"\xff\xfe\x00", "not JSON"),
        (b"[1, 2]", "does not contain values by name"),
        (b"3", "does not contain values by name"),
        (b'{"settings": 3}', "does not contain settings"),
        (b'{"steps": "ten"}', "steps"),
        (b'{"steps": 1.5}', "steps"),
        (b'{"strength": NaN}', "strength"),
        (b'{"rescale": [2, 1]}', "rescale"),
        (b'{"rescale": 2}', "rescale"),
        (b'{"method": {}}', "method"),
        (b'{"method": "magic"}', "method"),
        (b'{"learning_rate": -1}', "learning_rate"),
        (b"[" * 100000, "not JSON"),
    ],
)
def test_invalid_settings(refused, scan, tmp_path, content, said):
    (tmp_path / "mine.json").write_bytes(content)
    assert said in refused(scan, tmp_path / "out.nrrd", "--settings", tmp_path / "mine.json")


def test_a_settings_file_that_is_missing(refused, scan, tmp_path):
    said = refused(scan, tmp_path / "out.nrrd", "--settings", tmp_path / "none.json")
    assert "none.json" in said and "does not exist" in said


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device here")
def test_a_device_that_does_not_exist(refused, scan):
    said = refused(scan, scan.with_name("out.nrrd"), "--device", "cuda")
    assert "'cuda' does not work" in said


# ------------------------------------------------------------------- reference


def test_a_reference_of_another_scan(refused, scan, write, hu, tmp_path):
    shorter = write(tmp_path / "shorter.nrrd", hu[:2])
    said = refused(scan, tmp_path / "out.nrrd", "--reference", shorter)
    assert "3×48×64 and 2×48×64" in said
    moved = sitk.ReadImage(str(scan))
    moved.SetOrigin((0, 0, 0))
    sitk.WriteImage(moved, str(tmp_path / "moved.nrrd"))
    said = refused(scan, tmp_path / "out.nrrd", "--reference", tmp_path / "moved.nrrd")
    assert "not on the same grid" in said
    assert "does not exist" in refused(
        scan, tmp_path / "out.nrrd", "--reference", tmp_path / "none.nrrd"
    )


def test_an_internal_error_leaves_no_files(pseudoct, listing, scan, quick, tmp_path, monkeypatch):
    def broken(*arguments):
        raise RuntimeError("odd")

    before = listing(tmp_path)
    monkeypatch.setattr(UNet, "forward", broken)
    ended = pseudoct("denoise", scan, tmp_path / "out.nrrd", *quick)
    assert ended.code == 1 and "Traceback" in ended.err
    assert listing(tmp_path) == before
