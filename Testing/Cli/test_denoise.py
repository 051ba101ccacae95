"""`pseudoct denoise` from end to end: outputs, repeated runs and cancellation."""

from __future__ import annotations

import contextlib
import inspect
import json
import math
import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from dicom_factory import ct_slice, store, write_slices
from PseudoCTDenoiseLib.cli import cancelling
from PseudoCTDenoiseLib.cli import denoise as command
from PseudoCTDenoiseLib.cli import main as entry
from PseudoCTDenoiseLib.ct.comparison_figure import side_by_side
from PseudoCTDenoiseLib.ct.io import volume_files
from PseudoCTDenoiseLib.ct.io.derived_note import ALREADY_DENOISED, IS_PSEUDO_LDCT
from PseudoCTDenoiseLib.ct.io.volume_files import read_volume
from PseudoCTDenoiseLib.ct.reference_metrics import psnr_4096
from PseudoCTDenoiseLib.denoising import job_run as denoising
from PseudoCTDenoiseLib.denoising.job import DenoisingJob
from PseudoCTDenoiseLib.denoising.map_choice import ALL_MAPS
from PseudoCTDenoiseLib.denoising.settings import DenoisingSettings
from PseudoCTDenoiseLib.errors import BadInputError
from PseudoCTDenoiseLib.exit_codes import INCOMPLETE
from PseudoCTDenoiseLib.models.catalog import DENOISER
from PseudoCTDenoiseLib.models.networks import build_network
from PseudoCTDenoiseLib.models.store import (
    Manifest,
    load_model,
    load_models,
    load_noise_models,
    save_model,
)
from pydicom import dcmread

posix = pytest.mark.skipif(os.name != "posix", reason="signals and limits are POSIX's")


def values(path: Path) -> np.ndarray:
    return sitk.GetArrayFromImage(sitk.ReadImage(str(path)))


def geometry(path: Path) -> tuple:
    image = sitk.ReadImage(str(path))
    return image.GetSize(), image.GetSpacing(), image.GetOrigin(), image.GetDirection()


def report_of(path: Path) -> dict:
    return json.loads(path.read_text(encoding="utf-8"))


def test_the_output_equals_the_result_of_the_engine(pseudoct, scan, models, quick, hu):
    output = scan.with_name("out.nrrd")
    ended = pseudoct("denoise", scan, output, *quick, "--seed", "5")
    assert ended.code == 0
    noise_models = [network for network, _ in load_noise_models(models)]
    settings = DenoisingSettings(device="cpu", steps=2, seed=5)
    rows_mm, columns_mm = read_volume(scan).pixel_size
    pixel_mm = math.sqrt(rows_mm * columns_mm)
    job = DenoisingJob(hu, load_model("fast", models)[0], noise_models, settings, pixel_mm=pixel_mm)
    assert np.array_equal(values(output), job.run().hu)


def test_the_engine_receives_what_belongs_to_the_model(
    pseudoct, tmp_path, write_dicom, hu, untuned
):
    folder = tmp_path / "models"
    domain = {"noise_hu": [100, 200]}
    manifest = Manifest("fast", DENOISER, "UNet", {"widths": [4, 8]}, domain=domain)
    save_model(build_network("UNet", manifest.parameters), manifest, folder)
    write_dicom(tmp_path / "scan", hu, [0, 3, 6])
    given = [tmp_path / "scan", tmp_path / "out", *untuned, "--models", folder]
    assert pseudoct("denoise", *given).code == 0
    report = report_of(tmp_path / "out.json")
    assert any("100 to 200 HU that the network was trained on" in w for w in report["warnings"])
    note = dcmread(tmp_path / "out" / "0001.dcm").DerivationDescription
    assert "model fast, strength 100 %." in note


@pytest.mark.parametrize("spacing", [(0.7, 0.7, 3.0), (0.68359375, 1 / 3, 2.5)])
def test_the_engine_receives_the_same_pixel_size_from_every_format(
    pseudoct, tmp_path, hu, models, monkeypatch, spacing
):
    given = []

    def job(*_, pixel_mm, **__):
        given.append(pixel_mm)
        raise BadInputError("Enough is known.")

    monkeypatch.setattr(command, "DenoisingJob", job)
    image = sitk.GetImageFromArray(hu)
    image.SetSpacing(spacing)
    for suffix in (".nrrd", ".nii.gz", ".mha"):
        sitk.WriteImage(image, str(tmp_path / f"scan{suffix}"))
        out = tmp_path / "out.nrrd"
        pseudoct("denoise", tmp_path / f"scan{suffix}", out, "--models", models)
    assert len(given) == 3 and len(set(given)) == 1
    assert given[0] == pytest.approx(math.sqrt(spacing[0] * spacing[1]), rel=1e-7)


@pytest.mark.parametrize("suffix", [".nrrd", ".mha"])
def test_the_output_has_exactly_the_geometry_of_the_input(pseudoct, scan, untuned, suffix):
    output = scan.with_name("out" + suffix)
    assert pseudoct("denoise", scan, output, *untuned).code == 0
    assert geometry(output) == geometry(scan)
    assert sitk.ReadImage(str(output)).GetPixelID() == sitk.sitkInt16


def test_an_oblique_output_has_the_geometry_of_the_input(pseudoct, tmp_path, write, hu, untuned):
    oblique = (1.0, 0.0, 0.0, 0.0, 0.96, -0.28, 0.0, 0.28, 0.96)
    scan, output = write(tmp_path / "scan.nrrd", hu, direction=oblique), tmp_path / "out.nrrd"
    assert pseudoct("denoise", scan, output, *untuned).code == 0
    for ours, theirs in zip(geometry(output), geometry(scan), strict=True):
        assert ours == pytest.approx(theirs, rel=1e-14)


def test_nifti_output_has_the_geometry_of_nifti_input(pseudoct, tmp_path, write, hu, untuned):
    scan, output = write(tmp_path / "scan.nii.gz", hu), tmp_path / "out.nii.gz"
    assert pseudoct("denoise", scan, output, *untuned).code == 0
    for ours, theirs in zip(geometry(output), geometry(scan), strict=True):
        assert ours == pytest.approx(theirs, abs=1e-6)
    assert (tmp_path / "out.json").is_file()


def test_a_single_slice_and_slices_along_another_axis_are_denoised(
    pseudoct, tmp_path, write, hu, untuned
):
    image = sitk.GetImageFromArray(hu[1])
    image.SetSpacing((0.7, 0.8))
    sitk.WriteImage(image, str(tmp_path / "lone.nrrd"))
    write(tmp_path / "axis.nrrd", np.moveaxis(hu, 0, 2))
    assert pseudoct("denoise", tmp_path / "lone.nrrd", tmp_path / "out.nrrd", *untuned).code == 0
    assert geometry(tmp_path / "out.nrrd") == geometry(tmp_path / "lone.nrrd")
    arguments = [tmp_path / "axis.nrrd", tmp_path / "axes.nrrd", *untuned, "--slice-axis", "i"]
    arguments += ["--reference", tmp_path / "axis.nrrd"]
    assert pseudoct("denoise", *arguments).code == 0
    assert geometry(tmp_path / "axes.nrrd") == geometry(tmp_path / "axis.nrrd")
    assert report_of(tmp_path / "axes.json")["slices"] == 3


def test_the_header_states_derived_and_research_use(pseudoct, scan, untuned):
    output = scan.with_name("out.nrrd")
    pseudoct("denoise", scan, output, *untuned)
    note = sitk.ReadImage(str(output)).GetMetaData("ITK_FileNotes")
    assert "Derived" in note and "Research use only" in note


@pytest.mark.parametrize("suffix", [".nrrd", ".nii.gz", ".mha"])
def test_the_note_says_which_files_are_no_ct(pseudoct, scan, untuned, suffix, tmp_path, listing):
    folder, out = tmp_path / "noise", tmp_path / "out.nrrd"
    assert pseudoct("denoise", scan, out, *untuned, "--noise-dir", folder).code == 0
    given = {}
    for name in ("noise_ensemble", "noise_noise-a", "pseudo_ldct"):
        given[name] = tmp_path / f"{name}{suffix}"
        sitk.WriteImage(sitk.ReadImage(str(folder / f"{name}.nrrd")), str(given[name]))
    before = listing(tmp_path)
    for name in ("noise_ensemble", "noise_noise-a"):
        ended = pseudoct("denoise", given[name], tmp_path / "again.nrrd", *untuned)
        assert ended.code == 2 and f"{name}{suffix} is a noise map" in ended.err
    assert listing(tmp_path) == before
    ended = pseudoct("denoise", given["pseudo_ldct"], tmp_path / "again.nrrd", *untuned)
    assert ended.code == 0
    assert f"Warning: {IS_PSEUDO_LDCT}" in ended.err and ALREADY_DENOISED not in ended.err
    assert pseudoct("denoise", scan, out, *untuned, "--noise-dir", folder).code == 0  # its own


def test_a_denoised_scan_is_denoised_again_with_a_warning(pseudoct, scan, untuned):
    once, twice = scan.with_name("once.nrrd"), scan.with_name("twice.nrrd")
    assert "Warning" not in pseudoct("denoise", scan, once, *untuned).err
    assert report_of(once.with_suffix(".json"))["warnings"] == []
    assert report_of(once.with_suffix(".json"))["dicom"] is None
    ended = pseudoct("denoise", once, twice, *untuned)
    assert ended.code == 0
    assert "Warning: The scan is denoised already: use the original" in ended.err
    (warning,) = report_of(twice.with_suffix(".json"))["warnings"]
    assert warning in ended.err


def test_pixels_that_are_not_square_are_reported(pseudoct, scan, untuned):
    image = sitk.ReadImage(str(scan))
    image.SetSpacing((0.7, 1.4, 2.5))
    sitk.WriteImage(image, str(scan))
    ended = pseudoct("denoise", scan, scan.with_name("out.nrrd"), *untuned)
    (warning,) = report_of(scan.with_name("out.json"))["warnings"]
    assert ended.code == 0 and f"Warning: {warning}\n" in ended.err
    assert "pixels of 0.7×1.4 mm" in warning


def write_series(folder: Path, hu: np.ndarray, heights, first=1, **values) -> Path:
    def fill(index: int, image) -> None:
        image.Rows, image.Columns = hu[index].shape
        image.PixelSpacing = [0.7, 0.7]
        store(image, hu[index])

    return write_slices(folder, heights, fill, first, **values)


def test_unevenly_spaced_slices_need_a_permission_and_are_reported(pseudoct, tmp_path, hu, untuned):
    folder, output = tmp_path / "series", tmp_path / "out.nrrd"
    write_series(folder, hu, [0.0, 2.0, 7.0])
    ended = pseudoct("denoise", folder, output, *untuned)
    assert ended.code == 2
    assert "unevenly spaced (distances from 2 to 5 mm: " in ended.err
    assert "or add --allow-uneven" in ended.err and not output.exists()
    ended = pseudoct("denoise", folder, output, *untuned, "--allow-uneven")
    assert ended.code == 0
    report = report_of(tmp_path / "out.json")
    assert report["uneven_slice_offsets_mm"] == [0, 2, 7]
    (warning,) = report["warnings"]
    assert f"Warning: {warning}" in ended.err
    places = [f"{mm} mm after slice {n} (Instance Number {n})" for n, mm in ((1, 2), (2, 5))]
    assert ", ".join(places) in warning
    check = report["removed_noise"]
    assert check["spot_slice"] is None and check["spot_slice_label"] is None
    assert "median distance of 3.5 mm, so slices lie up to 1.5 mm from their true place" in warning
    assert geometry(output)[1] == (0.7, 0.7, 3.5)


def test_unevenly_spaced_slices_are_denoised_like_others(pseudoct, tmp_path, hu, untuned):
    results = []
    for name, heights in (("even", [0.0, 2.5, 5.0]), ("uneven", [0.0, 2.0, 7.0])):
        write_series(tmp_path / name, hu, heights)
        output = tmp_path / f"{name}.nrrd"
        assert pseudoct("denoise", tmp_path / name, output, *untuned, "--allow-uneven").code == 0
        results.append(values(output))
    assert np.array_equal(*results)
    assert report_of(tmp_path / "even.json")["warnings"] == []


def test_the_series_of_the_reference_is_chosen(pseudoct, tmp_path, hu, untuned):
    folder, output = tmp_path / "series", tmp_path / "out.nrrd"
    for number, part in ((1, hu), (2, hu + np.int16(5))):
        tags = {"SeriesNumber": number, "SeriesInstanceUID": f"1.2.{number}"}
        write_series(folder, part, [0, 2, 4], first=10 * number, **tags)
    given = ["denoise", folder, output, *untuned, "--series", "1", "--reference", folder]
    ended = pseudoct(*given)
    assert ended.code == 2 and "contains 2 DICOM series" in ended.err
    assert pseudoct(*given, "--reference-series", "2").code == 0
    metrics = report_of(tmp_path / "out.json")["against_reference"]["input"]
    assert metrics["rmse_hu"] == pytest.approx(5)


def test_a_reference_of_another_scan_gives_warnings(pseudoct, tmp_path, hu, untuned):
    scan, same, other = (tmp_path / name for name in ("scan", "same", "other"))
    who = {"PatientID": "A1", "PatientName": "Doe^Jane", "FrameOfReferenceUID": "1.2.1"}
    write_series(scan, hu, [0, 2, 4], **who)
    write_series(same, hu, [0, 2, 4], **who | {"PatientName": "Doe^Jane^"})
    stranger = {"PatientID": "B2", "FrameOfReferenceUID": "1.2.2", "BurnedInAnnotation": "YES"}
    write_series(other, hu, [0, 2, 4], **who | stranger)
    command = ["denoise", scan, tmp_path / "out.nrrd", *untuned, "--reference"]
    ended = pseudoct(*command, same)
    assert ended.code == 0 and "Reference:" not in ended.err
    assert report_of(tmp_path / "out.json")["warnings"] == []
    ended = pseudoct(*command, other)
    assert ended.code == 0
    warnings = re.findall("^Warning: (Reference: .*)$", ended.err, re.MULTILINE)
    report = report_of(tmp_path / "out.json")
    assert report["warnings"] == warnings
    expected = ("contain burned-in text", "another patient", "another Frame of Reference")
    assert all(words in text for words, text in zip(expected, warnings, strict=True))
    assert not any(name in text for text in warnings for name in ("Doe", "A1", "B2"))
    assert report["reference_path"] == str(other) and report["reference_series"] is None
    assert report["reference_hash"]["voxels"] == report["input_hash"]["voxels"]
    assert report["reference_dicom"]["frame_of_reference_uid"] == "1.2.2"


def test_warnings_and_uids_of_a_dicom_series_are_in_the_report(pseudoct, tmp_path, hu, untuned):
    write_series(tmp_path / "series", hu, [0, 2.5, 5], BurnedInAnnotation="YES")
    output = tmp_path / "out.nrrd"
    ended = pseudoct("denoise", tmp_path / "series", output, *untuned)
    assert ended.code == 0
    assert "Warning: The images contain burned-in text" in ended.err
    report = report_of(tmp_path / "out.json")
    assert report["warnings"] == [
        "The images contain burned-in text, which is denoised like tissue."
    ]
    image = ct_slice()
    assert report["dicom"] == {
        "study_uid": image.StudyInstanceUID,
        "series_uid": image.SeriesInstanceUID,
        "frame_of_reference_uid": image.FrameOfReferenceUID,
    }


def test_the_command_prints_time_device_and_noise(pseudoct, scan, quick):
    ended = pseudoct("denoise", scan, scan.with_name("out.nrrd"), *quick)
    assert "scan: 3 slices of 48×64, about " in ended.err and "(selected by the user)" in ended.err
    assert "Noise in soft tissue" in ended.out and "research use only" in ended.out
    assert "Check: not judged. The removed noise was not judged: no slice" in ended.out
    check = report_of(scan.with_name("out.json"))["removed_noise"]
    assert check["light"] == "not judged" and check["slices_judged"] == 0
    assert ended.err.count("\n") == 1  # no bar, as standard error is not a terminal


def test_an_increase_of_noise_is_reported_as_an_increase(pseudoct, scan, quick):
    # Networks that were never trained add noise.
    ended = pseudoct("denoise", scan, scan.with_name("out.nrrd"), *quick)
    noise = report_of(scan.with_name("out.json"))["noise"]
    before, after = noise["soft_tissue_before_hu"], noise["soft_tissue_after_hu"]
    change = -noise["reduction_percent"]
    assert change > 1
    assert f": {before:.1f} HU → {after:.1f} HU (+{change:.0f} %)." in ended.out
    ended = pseudoct("denoise", scan, scan.with_name("out.nrrd"), *quick, "--strength", "0")
    assert " HU (−0 %)." in ended.out


@pytest.mark.slow
@pytest.mark.parametrize(
    ("change", "spacing", "said"),
    [
        (lambda hu: hu + np.int16(1024), 0.7, "1024 too high"),
        (lambda hu: hu[:, 10:38, 10:54], 0.7, "no air or fat below -50 HU"),
        (lambda hu: hu, 0.0007, "pixels of 0.0007 mm"),
        (lambda hu: hu, 40.0, "pixels of 40 mm"),
    ],
    ids=["offset", "crop", "small pixels", "large pixels"],
)
def test_an_unlikely_scan_is_denoised_with_a_warning(
    pseudoct, tmp_path, hu, quick, change, spacing, said
):
    image = sitk.GetImageFromArray(change(hu))
    image.SetSpacing((spacing, spacing, 3.0))
    sitk.WriteImage(image, str(tmp_path / "scan.nrrd"))
    ended = pseudoct("denoise", tmp_path / "scan.nrrd", tmp_path / "out.nrrd", *quick)
    assert ended.code == 0
    (line,) = [line for line in ended.err.splitlines() if said in line]
    assert line.startswith("Warning: The scan ")
    warnings = report_of(tmp_path / "out.json")["warnings"]
    assert warnings[0] == line.removeprefix("Warning: ")
    # Doubts that arise during the run are in the summary.
    assert all(f"Warning: {text}\n" in ended.err for text in warnings)


def test_the_report_is_written_beside_the_output_or_to_the_given_path(pseudoct, scan, quick):
    output = scan.with_name("out.nrrd")
    pseudoct("denoise", scan, output, *quick)
    beside = report_of(scan.with_name("out.json"))
    pseudoct("denoise", scan, output, *quick, "--report", scan.with_name("elsewhere.json"))
    elsewhere = report_of(scan.with_name("elsewhere.json"))
    assert beside["settings"] == elsewhere["settings"]
    assert (beside["input"], beside["output"]) == ("scan.nrrd", "out.nrrd")
    assert beside["model"]["name"] == "fast"
    assert beside["noise_models"] == []
    assert beside["steps_done"] == 2
    assert beside["warnings"] == []
    assert set(beside["seconds"]) == {"tuning", "denoising"}


def test_the_noise_folder_holds_every_map_and_the_pseudo_ldct(pseudoct, scan, models, quick, hu):
    output, folder = scan.with_name("out.nrrd"), scan.with_name("noise")
    assert pseudoct("denoise", scan, output, *quick, "--noise-dir", folder).code == 0
    names = ["noise_ensemble", "noise_noise-a", "noise_noise-b", "pseudo_ldct"]
    assert sorted(path.name for path in folder.iterdir()) == [f"{name}.nrrd" for name in names]
    assert all(geometry(path) == geometry(scan) for path in folder.iterdir())
    report = report_of(scan.with_name("out.json"))
    assert [model["name"] for model in report["noise_models"]] == ["noise-a", "noise-b"]
    mixed, a, b, pseudo_ldct = (values(folder / f"{name}.nrrd") for name in names)
    assert ((mixed == a) | (mixed == b)).all() and not np.array_equal(a, b)
    expected = np.maximum(values(scan).astype(int) - 2 * mixed, -1024)
    assert np.array_equal(pseudo_ldct, expected)
    (denoiser, _), noise_models = load_models("fast", models)
    networks = [network for network, _ in noise_models]
    settings = DenoisingSettings(device="cpu", method="pretrained")
    of_engine = DenoisingJob(hu, denoiser, networks, settings, pixel_mm=0.7, maps=ALL_MAPS)
    assert np.array_equal([a, b], of_engine.run_at_once().noise_maps)


def test_an_existing_noise_folder_keeps_its_files(pseudoct, scan, untuned):
    folder = scan.with_name("noise")
    folder.mkdir()
    (folder / "mine.txt").write_text("mine")
    arguments = ["denoise", scan, scan.with_name("out.nrrd"), *untuned, "--noise-dir", folder]
    assert pseudoct(*arguments).code == 0
    assert pseudoct(*arguments).code == 0
    assert (folder / "mine.txt").read_text("utf-8") == "mine"
    assert len(list(folder.iterdir())) == 5


def test_the_picture_is_a_png_of_scan_result_and_reference(
    pseudoct, scan, write, hu, untuned, monkeypatch
):
    given = {}

    def draw(*images, **options):
        given.update(inspect.signature(side_by_side).bind(*images, **options).arguments)
        side_by_side(*images, **options)

    monkeypatch.setattr(command, "side_by_side", draw)
    picture, output = scan.with_name("picture.png"), scan.with_name("out.nrrd")
    reference = write(scan.with_name("ndct.nrrd"), hu + np.int16(3))
    arguments = ["denoise", scan, output, *untuned, "--picture", picture]
    assert pseudoct(*arguments, "--reference", reference).code == 0
    viewed = np.s_[:, ::-1, ::-1]  # the scan counts its rows and its columns from left posterior
    assert np.array_equal(given["original"], hu[viewed])
    assert np.array_equal(given["denoised"], values(output)[viewed])
    assert np.array_equal(given["reference"], hu[viewed] + 3)
    assert given["pixel_mm"] == pytest.approx(0.7125, abs=1e-4)  # pixels of 0.71 × 0.715 mm
    assert picture.read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"
    assert min(sitk.ReadImage(str(picture)).GetSize()) > 500
    assert not [path for path in scan.parent.iterdir() if path.name.startswith(".")]


def test_the_picture_is_the_same_for_every_order_of_the_voxels(pseudoct, hu, untuned, tmp_path):
    scan = sitk.GetImageFromArray(hu)
    pictures = []
    for flips in ([False] * 3, [False, True, False], [True, True, False]):
        folder = tmp_path / str(len(pictures))
        folder.mkdir()
        sitk.WriteImage(sitk.Flip(scan, flips), str(folder / "scan.nii.gz"))
        arguments = [folder / "scan.nii.gz", folder / "out.nrrd", *untuned, "--strength", "0"]
        assert pseudoct("denoise", *arguments, "--picture", folder / "picture.png").code == 0
        pictures.append(sitk.GetArrayFromImage(sitk.ReadImage(str(folder / "picture.png"))))
    assert np.array_equal(pictures[1], pictures[0]) and np.array_equal(pictures[2], pictures[0])


def test_a_reference_adds_metrics_to_the_report(pseudoct, scan, write, hu, untuned):
    reference = write(scan.with_name("ndct.nrrd"), hu + np.int16(3))
    output = scan.with_name("out.nrrd")
    assert pseudoct("denoise", scan, output, *untuned, "--reference", reference).code == 0
    metrics = report_of(scan.with_name("out.json"))["against_reference"]
    assert metrics["input"]["psnr_4096"] == psnr_4096(hu, hu + np.int16(3))
    assert metrics["result"]["psnr_4096"] == psnr_4096(values(output), hu + np.int16(3))


@pytest.mark.slow
def test_an_earlier_report_repeats_the_run_bit_for_bit(pseudoct, scan, models, quick, tmp_path):
    first, again, other = (tmp_path / f"{name}.nrrd" for name in ("first", "again", "other"))
    flags = ["--seed", "11", "--orientations", "3", "--strength", "80", "--tuning", "slice"]
    assert pseudoct("denoise", scan, first, *quick, *flags).code == 0
    repeat = ["--models", models, "--settings", tmp_path / "first.json"]
    ended = pseudoct("denoise", scan, again, *repeat)
    assert ended.code == 0 and "Note" not in ended.err
    assert np.array_equal(values(first), values(again))
    earlier, later = report_of(tmp_path / "first.json"), report_of(tmp_path / "again.json")
    assert earlier["settings"] == later["settings"]
    assert earlier["tuning_loss"] == later["tuning_loss"]

    assert pseudoct("denoise", scan, other, *repeat, "--seed", "12").code == 0  # flags win
    assert not np.array_equal(values(first), values(other))


@pytest.mark.parametrize("suffix", [".nrrd", ".nii.gz", ".nii", ".mha"])
def test_the_same_command_replaces_its_own_results(pseudoct, scan, untuned, suffix):
    picture, noise = scan.with_name("picture.png"), scan.with_name("noise")
    arguments = [scan, scan.with_name(f"out{suffix}"), *untuned]
    arguments += ["--picture", picture, "--noise-dir", noise]
    assert pseudoct("denoise", *arguments, "--strength", "0").code == 0
    assert report_of(scan.with_name("out.json"))["mean_absolute_change_hu"] == 0
    assert pseudoct("denoise", *arguments).code == 0
    assert report_of(scan.with_name("out.json"))["mean_absolute_change_hu"] > 0
    assert not np.array_equal(values(scan.with_name(f"out{suffix}")), values(scan))


def test_the_report_of_another_result_is_not_replaced(pseudoct, scan, untuned, tmp_path):
    assert pseudoct("denoise", scan, tmp_path / "out.nrrd", *untuned).code == 0
    ended = pseudoct("denoise", scan, tmp_path / "out.mha", *untuned)
    assert ended.code == 2 and "report of out.nrrd" in ended.err
    assert not (tmp_path / "out.mha").exists()
    assert pseudoct("denoise", scan, tmp_path / "out.mha", *untuned, "--overwrite").code == 0
    (tmp_path / "out.mha").unlink()
    assert pseudoct("denoise", scan, tmp_path / "out.nrrd", *untuned).code == 0
    (tmp_path / "link").symlink_to(tmp_path)
    assert pseudoct("denoise", scan, tmp_path / "link" / "out.nrrd", *untuned).code == 0


@pytest.mark.parametrize("is_input", [True, False])
def test_the_report_of_the_replaced_result_goes_with_it(
    pseudoct, scan, untuned, tmp_path, is_input
):
    output, old, new = (tmp_path / name for name in ("out.nrrd", "out.json", "new.json"))
    assert pseudoct("denoise", scan, output, *untuned).code == 0
    options = ["--report", new, *(["--settings", old] if is_input else [])]
    assert pseudoct("denoise", scan, output, *untuned, *options).code == 0
    assert new.is_file() and old.exists() == is_input


def test_an_empty_file_can_become_the_report(pseudoct, scan, untuned, tmp_path):
    report = tmp_path / "report.json"
    report.touch()
    arguments = ["denoise", scan, tmp_path / "out.nrrd", *untuned, "--report", report]
    assert pseudoct(*arguments).code == 0
    assert report_of(report)["output"] == "out.nrrd"


def test_a_repeated_run_with_other_models_prints_a_note(pseudoct, scan, models, quick):
    output = scan.with_name("out.nrrd")
    assert pseudoct("denoise", scan, output, *quick, "--model", "other").code == 0
    repeat = ["--models", models, "--settings", scan.with_name("out.json")]
    ended = pseudoct("denoise", scan, scan.with_name("again.nrrd"), *repeat)
    assert ended.code == 0 and "Note: " in ended.err and "model other (" in ended.err


def test_noise_models_are_needed_for_noise_maps_only(pseudoct, scan, models, quick, tmp_path):
    folder = tmp_path / "models without noise"
    shutil.copytree(models, folder)
    for path in folder.glob("*_noise-*"):
        path.unlink()
    first, again = tmp_path / "first.nrrd", tmp_path / "again.nrrd"
    assert pseudoct("denoise", scan, first, *quick, "--models", folder).code == 0
    maps = ["--noise-dir", tmp_path / "noise", "--settings", tmp_path / "first.json"]
    ended = pseudoct("denoise", scan, again, "--models", models, *maps)
    assert ended.code == 0 and "Note: " not in ended.err
    assert np.array_equal(values(first), values(again))


@pytest.mark.parametrize(
    ("flag", "setting"),
    [
        ("--method=pretrained", {"method": "pretrained"}),
        ("--steps=7", {"steps": 7}),
        ("--strength=30", {"strength": 30.0}),
        ("--device=cpu", {"device": "cpu"}),
        ("--seed=5", {"seed": 5}),
        ("--tuning=slice", {"tuning": "slice"}),
        ("--orientations=3", {"orientations": 3}),
    ],
)
def test_every_flag_changes_its_setting(flag, setting):
    arguments = command.parse_arguments(["scan.nrrd", "out.nrrd", flag])
    assert command.read_settings(arguments) == DenoisingSettings(**setting)


def test_settings_can_be_written_by_hand(pseudoct, scan, quick, tmp_path):
    settings = tmp_path / "mine.json"
    text = '{"noise_sign": "random", "rescale": [0.5, 2], "seed": 3, "steps": 50}'
    settings.write_text(text, "utf-8-sig")  # as Windows' Notepad writes it
    assert (
        pseudoct("denoise", scan, tmp_path / "out.nrrd", *quick, "--settings", settings).code == 0
    )
    used = report_of(tmp_path / "out.json")["settings"]
    assert (used["noise_sign"], used["rescale"], used["seed"]) == ("random", [0.5, 2], 3)
    assert used["steps"] == 2  # the flag


def test_a_file_of_another_program_is_replaced_on_demand_and_the_input_never(
    pseudoct, scan, untuned
):
    before = scan.read_bytes()
    output = scan.with_name("out.nrrd")
    output.write_text("another program's")
    arguments = ["denoise", scan, output, *untuned, "--strength", "0"]
    ended = pseudoct(*arguments)
    assert ended.code == 2 and "--overwrite" in ended.err
    assert output.read_text() == "another program's"
    assert pseudoct(*arguments, "--overwrite").code == 0
    assert scan.read_bytes() == before
    assert np.array_equal(values(output), values(scan))


@pytest.mark.parametrize("kind", [np.float32, np.float64, np.int32])
@pytest.mark.parametrize("suffix", [".nrrd", ".nii.gz", ".mha"])
def test_strength_0_writes_the_values_and_the_type_of_the_input(
    pseudoct, tmp_path, write, hu, untuned, kind, suffix
):
    fractions = np.random.default_rng(0).uniform(-0.49, 0.49, hu.shape) if kind != np.int32 else 0
    scan = write(tmp_path / f"scan{suffix}", (hu + fractions).astype(kind))
    output = tmp_path / f"out{suffix}"
    assert pseudoct("denoise", scan, output, *untuned, "--strength", "0").code == 0
    assert values(output).dtype == kind
    assert np.array_equal(values(output), values(scan))


@pytest.mark.slow
def test_relative_paths_spaces_and_accents_in_a_separate_process(
    tmp_path, write, hu, models, program, listing
):
    folder = tmp_path / "Zürich scän 1"
    folder.mkdir()
    write(folder / "scän 1.nrrd", hu)
    arguments = ["Zürich scän 1/scän 1.nrrd", "Zürich scän 1/résult.nrrd", "--device", "cpu"]
    arguments += ["--steps", "2", "--models", str(models), "--picture", "pictüre.png"]
    # A terminal without accents, arrows and minus sign.
    environment = {**os.environ, "PYTHONIOENCODING": "ascii"}
    ended = subprocess.run(
        [*program, "denoise", *arguments], cwd=tmp_path, capture_output=True, env=environment
    )
    assert ended.returncode == 0, ended.stderr
    assert set(listing(tmp_path)) == {
        *("Zürich scän 1", "Zürich scän 1/scän 1.nrrd", "pictüre.png"),
        *("Zürich scän 1/résult.nrrd", "Zürich scän 1/résult.json"),
    }
    assert report_of(folder / "résult.json")["input"] == "scän 1.nrrd"
    assert geometry(folder / "résult.nrrd") == geometry(folder / "scän 1.nrrd")


# ------------------------------------------------------------------- errors and cancellation


@pytest.fixture
def limit_file_size():
    """Function that limits the size of new files in bytes, as a full disk would."""
    resource = pytest.importorskip("resource")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    yield lambda size: resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_full_disk_is_noticed_before_the_fine_tuning_and_leaves_no_files(
    pseudoct, scan, quick, listing, monkeypatch, limit_file_size
):
    monkeypatch.setattr(denoising, "fine_tune", lambda *a, **k: pytest.fail("the job has begun"))
    before = listing(scan.parent)
    arguments = ["--picture", scan.with_name("picture.png"), "--noise-dir", scan.with_name("noise")]
    limit_file_size(4096)
    ended = pseudoct("denoise", scan, scan.with_name("out.nrrd"), *quick, *arguments)
    assert ended.code == 2
    _, line = ended.err.splitlines()
    assert line.startswith(f"pseudoct: The scan could not be written to {scan.parent}")
    assert listing(scan.parent) == before


def test_a_report_or_picture_without_room_costs_a_warning_and_not_the_result(
    pseudoct, scan, untuned, listing, limit_file_size, monkeypatch
):
    output, report, picture = (scan.with_name(n) for n in ("out.nrrd", "out.json", "p.png"))
    arguments = ["denoise", scan, output, *untuned, "--picture", picture]
    assert pseudoct(*arguments, "--strength", "0").code == 0
    limit_file_size(65536)
    ended = pseudoct(*arguments)
    assert ended.code == INCOMPLETE
    _, line = ended.err.splitlines()
    assert line.startswith(f"Warning: {picture} could not be written (File too large)")
    assert "Done in" in ended.out
    assert not np.array_equal(values(output), values(scan))
    assert set(listing(scan.parent)) == {"scan.nrrd", "out.nrrd", "out.json"}

    monkeypatch.setattr(command, "job_report", lambda *a: {"warnings": ["long"] * 100000})
    ended = pseudoct(*arguments, "--strength", "0")
    assert ended.code == INCOMPLETE
    assert f"Warning: {report} could not be written" in ended.err
    assert np.array_equal(values(output), values(scan))
    assert not report.exists()  # the older report does not describe the new result


@pytest.mark.parametrize("part", ["side_by_side", "job_report"])
@pytest.mark.parametrize("error", [ValueError("odd"), MemoryError(), BadInputError("Odd.")])
def test_an_error_in_the_picture_or_the_report_leaves_the_result(
    pseudoct, scan, untuned, monkeypatch, part, error
):
    def fail(*arguments, **options):
        raise error

    output = scan.with_name("out.nrrd")
    monkeypatch.setattr(command, part, fail)
    arguments = [*untuned, "--picture", scan.with_name("picture.png")]
    ended = pseudoct("denoise", scan, output, *arguments)
    assert ended.code == INCOMPLETE
    assert ended.err.count("Warning: ") == 1 and "Traceback" not in ended.err
    assert np.ptp(values(output)) > 0
    assert scan.with_name("picture.png").exists() == (part == "job_report")
    assert scan.with_name("out.json").exists() == (part == "side_by_side")


@pytest.mark.parametrize(
    "name", [r"$\frac{x}$", "a$b$c", "_^{$", "100 % & #1 ~\\", "CT\nof\ttoday", "扫描 🫁"]
)
def test_every_file_name_can_be_the_title_of_the_picture(
    pseudoct, tmp_path, write, hu, untuned, name
):
    name = name.replace("/", "_")
    scan, picture = write(tmp_path / f"{name}.nrrd", hu), tmp_path / f"{name}.png"
    arguments = [*untuned, "--picture", picture]
    ended = pseudoct("denoise", scan, tmp_path / f"{name} out.nrrd", *arguments)
    assert ended.code == 0, ended.err
    assert picture.read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux takes any bytes for a name")
def test_a_dicom_folder_with_any_bytes_in_its_name_has_a_picture(pseudoct, tmp_path, hu, untuned):
    odd = write_series(tmp_path / os.fsdecode(b"sc\xe4n"), hu, [0, 2.5, 5])
    arguments = [*untuned, "--picture", tmp_path / "picture.png"]
    assert pseudoct("denoise", odd, tmp_path / "out.nrrd", *arguments).code == 0
    assert (tmp_path / "picture.png").exists()


@pytest.mark.parametrize("written", range(4))
@pytest.mark.parametrize("end, code", [(KeyboardInterrupt(), 3), (OSError(28, "No space"), 2)])
def test_an_interrupted_write_leaves_no_files(
    pseudoct, scan, quick, listing, monkeypatch, written, end, code
):
    output = scan.with_name("out.nrrd")
    output.write_text("older")
    before = listing(scan.parent)
    calls = []

    def write_some(path, *arguments, **options):
        if len(calls) == written:
            raise end
        calls.append(path)
        volume_files.write_volume(path, *arguments, **options)

    monkeypatch.setattr(command, "write_volume", write_some)
    arguments = ["--noise-dir", scan.with_name("noise"), "--overwrite"]
    ended = pseudoct("denoise", scan, output, *quick, *arguments)
    assert (ended.code, len(calls)) == (code, written)
    assert "Traceback" not in ended.err
    assert listing(scan.parent) == before


def interrupt_after_mkdir(monkeypatch, prefix: str, number: int) -> list[Path]:
    """Raise KeyboardInterrupt after the last of some folders is created; return the folders."""
    mkdir, made = os.mkdir, []

    def interrupted(path, *arguments, **options):
        mkdir(path, *arguments, **options)
        if Path(path).name.startswith(prefix):
            made.append(Path(path))
            if len(made) == number:
                raise KeyboardInterrupt

    monkeypatch.setattr(os, "mkdir", interrupted)
    return made


@pytest.mark.parametrize("prefix, number", [(".pseudoct-", n) for n in (1, 2, 3)] + [("noise", 1)])
def test_ctrl_c_after_the_creation_of_a_folder_leaves_no_files(
    pseudoct, scan, quick, listing, monkeypatch, prefix, number
):
    before = listing(scan.parent)
    made = interrupt_after_mkdir(monkeypatch, prefix, number)
    output, noise = scan.with_name("out.nrrd"), scan.with_name("noise")
    ended = pseudoct("denoise", scan, output, *quick, "--noise-dir", noise)
    assert (ended.code, len(made)) == (3, number)
    assert listing(scan.parent) == before


class Running:
    """A run that would take hours, to be stopped during fine-tuning."""

    def __init__(self, program, scan, models):
        arguments = ["denoise", scan.name, "out.nrrd", "--noise-dir", "noise", "--picture", "p.png"]
        arguments += ["--steps", "10000000", "--device", "cpu", "--models", str(models)]
        self.process = subprocess.Popen(
            [*program, *arguments],
            cwd=scan.parent,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            encoding="utf-8",
            # A test process in the background of a shell would pass on that it ignores signals.
            preexec_fn=lambda: [
                signal.signal(number, signal.SIG_DFL) for number in cancelling.SIGNALS
            ],
        )

    def __enter__(self):
        assert "3 slices" in self.process.stderr.readline()
        return self.process

    def __exit__(self, *error):
        self.process.kill()
        self.process.communicate()


@posix
def test_ctrl_c_ends_the_command_with_3_and_leaves_no_files(program, scan, models, listing):
    before = listing(scan.parent)
    with Running(program, scan, models) as process:
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=300)
    assert (process.returncode, out, err) == (3, "", "pseudoct: cancelled.\n")
    assert listing(scan.parent) == before


@pytest.mark.slow
@posix
def test_repeated_signals_do_not_prevent_the_cleanup(program, scan, models, listing):
    before = listing(scan.parent)
    with Running(program, scan, models) as process:
        process.send_signal(signal.SIGTERM)
        out = None
        while out is None:
            process.send_signal(signal.SIGINT)
            with contextlib.suppress(subprocess.TimeoutExpired):
                out, err = process.communicate(timeout=0.02)
    assert (process.returncode, out, err) == (3, "", "pseudoct: cancelled.\n")
    assert listing(scan.parent) == before


def test_a_second_signal_does_not_interrupt_the_cleanup(monkeypatch):
    now = [1000.0]
    monkeypatch.setattr(cancelling.time, "monotonic", lambda: now[0])
    press = cancelling.CancelHandler()
    with pytest.raises(KeyboardInterrupt):
        press(signal.SIGINT, None)
    now[0] += cancelling.REPEAT_SECONDS / 2
    press(signal.SIGINT, None)
    now[0] += 2 * cancelling.REPEAT_SECONDS  # the first signal had no effect
    with pytest.raises(KeyboardInterrupt):
        press(signal.SIGTERM, None)


@pytest.mark.parametrize(
    ("option", "package"), [("--picture", "matplotlib"), ("--reference", "skimage")]
)
def test_a_missing_package_is_reported_before_the_computation(
    pseudoct, scan, quick, monkeypatch, option, package
):
    monkeypatch.setitem(sys.modules, package, None)
    value = scan if option == "--reference" else scan.with_name("picture.png")
    ended = pseudoct("denoise", scan, scan.with_name("out.nrrd"), *quick, option, value)
    assert ended.code == entry.BAD_INPUT
    assert ended.err == (
        f"pseudoct: {option} needs the package {package}. Install it: "
        'pip install "pseudoctdenoise[tools]".\n'
    )
    assert [path.name for path in scan.parent.iterdir()] == [scan.name]


def test_the_command_runs_without_tqdm(pseudoct, scan, quick, monkeypatch):
    monkeypatch.setitem(sys.modules, "tqdm", None)
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)  # otherwise there is no bar
    assert pseudoct("denoise", scan, scan.with_name("out.nrrd"), *quick).code == entry.DONE


def test_a_tuning_that_diverges_gives_the_pre_trained_result_and_says_so(
    pseudoct, scan, quick, tmp_path
):
    settings = tmp_path / "mine.json"
    settings.write_text(json.dumps({"learning_rate": 1e6, "patience": None}))
    diverged, pretrained = tmp_path / "diverged.nrrd", tmp_path / "pretrained.nrrd"
    ended = pseudoct("denoise", scan, diverged, *quick, "--settings", settings)
    assert ended.code == 0
    assert ended.err.count("Warning: The tuning diverged") == 1
    assert pseudoct("denoise", scan, pretrained, *quick, "--method", "pretrained").code == 0
    assert diverged.read_bytes() == pretrained.read_bytes()

    def refuse(constant):
        raise AssertionError(f"the report contains {constant}")

    report = json.loads(diverged.with_suffix(".json").read_text(), parse_constant=refuse)
    assert "diverged" in report["warnings"][-1] and report["tunings"][0]["diverged"]
