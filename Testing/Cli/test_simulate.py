"""`pseudoct simulate` writes a low-dose scan with the geometry of the normal-dose scan."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
import SimpleITK as sitk
from dicom_factory import ct_slice, store, write
from PseudoCTDenoiseLib.cli import simulate as command
from PseudoCTDenoiseLib.cli.main import BAD_INPUT, DONE, main
from PseudoCTDenoiseLib.ct.io.derived_note import NOTICE, simulation_note
from PseudoCTDenoiseLib.simulation.low_dose import LowDoseSimulator, simulate_low_dose
from PseudoCTDenoiseLib.simulation.reconstruction_kernels import KERNELS, SOFT

PIXEL_MM = 3.0


@pytest.fixture(scope="module")
def scan(tmp_path_factory):
    """Write two noisy slices of a water-like disc with a non-trivial geometry."""
    across = (np.arange(128) - 63.5) * PIXEL_MM
    disc = np.where(np.hypot(across, across[:, None]) < 150, 60.0, -1000.0).astype(np.float32)
    clean = np.stack([disc, disc])
    scanner = LowDoseSimulator(PIXEL_MM, 2e5)
    image = sitk.GetImageFromArray(
        simulate_low_dose(clean, scanner, 1.0, SOFT, image_dose=math.inf, seed=9)
    )
    image.SetSpacing((PIXEL_MM, PIXEL_MM, 2.5))
    image.SetOrigin((-190.0, -180.0, 40.0))
    path = tmp_path_factory.mktemp("simulate") / "ndct.nrrd"
    sitk.WriteImage(image, path)
    return path


def arrays(*paths):
    return [sitk.GetArrayFromImage(sitk.ReadImage(path)).astype(float) for path in paths]


def test_the_low_dose_scan_has_twice_the_noise_and_the_same_geometry(scan, tmp_path, capsys):
    output = tmp_path / "ldct.nrrd"
    assert main(["simulate", str(scan), str(output), "--device", "cpu"]) == DONE
    before, after = (sitk.ReadImage(path) for path in (scan, output))
    for get in ("GetSpacing", "GetOrigin", "GetDirection", "GetSize"):
        assert getattr(before, get)() == getattr(after, get)()
    ndct, ldct = arrays(scan, output)
    middle = np.s_[:, 40:88, 40:88]
    assert ldct[middle].std() / ndct[middle].std() == pytest.approx(2, rel=0.1)
    said = capsys.readouterr().out
    for words in ("N0 = ", "HU at 25 % dose", "dB", str(output)):
        assert words in said


@pytest.mark.slow
def test_pixels_that_no_ct_has_give_a_warning_and_the_noise_of_larger_ones(scan, tmp_path, capsys):
    image = sitk.ReadImage(scan)
    low_dose = []
    for size in (0.1, 0.0007):
        image.SetSpacing((size, size, 2.5))
        sitk.WriteImage(image, tmp_path / "scan.nrrd")
        output = tmp_path / "ldct.nrrd"
        arguments = ["simulate", str(tmp_path / "scan.nrrd"), str(output), "--device", "cpu"]
        assert main(arguments) == DONE
        low_dose += arrays(output)
    assert "Warning: scan has pixels of 0.0007 mm" in capsys.readouterr().err
    np.testing.assert_array_equal(*low_dose)


def test_noise_that_cannot_be_measured_is_said_and_no_error(scan, tmp_path, capsys):
    output = tmp_path / "ldct.nrrd"
    arguments = ["simulate", str(scan), str(output), "--device", "cpu", "--dose", "0.000001"]
    assert main(arguments) == DONE and output.is_file()
    assert "it cannot be measured" in capsys.readouterr().out


def test_seed_and_dose_determine_the_noise(scan, tmp_path):
    def low_dose(name, *options):
        output = tmp_path / f"{name}.nrrd"
        assert main(["simulate", str(scan), str(output), "--device", "cpu", *options]) == DONE
        return arrays(output)[0]

    first = low_dose("first", "--dose", "0.5")
    np.testing.assert_array_equal(first, low_dose("again", "--dose", "0.5"))
    assert (first != low_dose("other", "--dose", "0.5", "--seed", "1")).any()
    np.testing.assert_array_equal(low_dose("full", "--dose", "1"), arrays(scan)[0])


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ([], "input"),
        (["SCAN"], "output"),
        (["SCAN", "OUT.xyz"], "suffix"),
        (["SCAN", "missing/out.nrrd"], "does not exist"),
        (["SCAN", "OUT.nrrd", "--dose", "0"], "--dose 0"),
        (["SCAN", "OUT.nrrd", "--seed", "-1"], "--seed -1"),
        (["SCAN", "OUT.nrrd", "--seed", "99999999999999999999"], "out of range"),
        (["missing.nrrd", "OUT.nrrd"], "does not exist"),
    ],
)
def test_bad_arguments_are_reported_before_the_computation(
    scan, tmp_path, monkeypatch, capsys, arguments, complaint
):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delattr(command, "simulate_low_dose")
    given = [a.replace("SCAN", str(scan)).replace("OUT", str(tmp_path / "out")) for a in arguments]
    assert main(["simulate", *given]) == BAD_INPUT
    assert complaint in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_pixels_that_are_not_square_are_refused(scan, tmp_path, capsys):
    image = sitk.ReadImage(scan)
    image.SetSpacing((3.0, 2.0, 2.5))
    sitk.WriteImage(image, tmp_path / "flat.nrrd")
    assert main(["simulate", str(tmp_path / "flat.nrrd"), str(tmp_path / "out.nrrd")]) == BAD_INPUT
    assert "3 x 2 mm" in capsys.readouterr().err


@pytest.mark.parametrize("dose", [0.3, 1.23456789e-3])
@pytest.mark.parametrize("kernel", KERNELS)
def test_the_note_of_a_simulation_fits_into_a_nifti_header(dose, kernel):
    """A seed that is cut off would be another seed."""
    note = simulation_note(dose, kernel, 2**63 - 1)
    assert f"dose {dose:.5g}, {kernel}, seed {2**63 - 1}" in note[:79]


@pytest.mark.parametrize("suffix", [".nrrd", ".nii.gz", ".mha"])
def test_note_and_summary_state_what_was_simulated(scan, tmp_path, capsys, suffix):
    output, seed = tmp_path / f"ldct{suffix}", 2**63 - 1
    options = ["--dose", "0.3", "--kernel", "sharp", "--seed", str(seed), "--device", "cpu"]
    for _ in range(2):  # the second run recognises the file as its own
        assert main(["simulate", str(scan), str(output), *options]) == DONE
    note = sitk.ReadImage(output).GetMetaData("ITK_FileNotes")
    assert f"dose 0.3, sharp, seed {seed}" in note
    assert f"Low-dose scan (sharp kernel, seed {seed})" in capsys.readouterr().out


@pytest.mark.parametrize("other", ["x.nii.gz", None])
def test_the_report_of_a_denoised_scan_is_removed_with_it(scan, tmp_path, other):
    output, report = tmp_path / "x.nrrd", tmp_path / "x.json"
    name = other or output.name
    (tmp_path / name).touch()
    values = {"notice": NOTICE, "output": name, "output_path": str(tmp_path / name)}
    report.write_text(json.dumps(values))
    assert main(["simulate", str(scan), str(output), "--device", "cpu"]) == DONE
    assert report.exists() == bool(other)


@pytest.mark.parametrize("fill", [-3024, -1024, 0, 3071])
def test_padding_comes_back_exactly(scan, tmp_path, fill):
    hu = sitk.GetArrayFromImage(sitk.ReadImage(scan))
    plain, outside = hu.copy(), np.zeros(hu.shape, bool)
    outside[:, :24] = outside[:, 30:50, 100:120] = True
    hu[outside] = fill
    image = sitk.GetImageFromArray(hu)
    image.CopyInformation(sitk.ReadImage(scan))
    sitk.WriteImage(image, tmp_path / "padded.nrrd")
    output = tmp_path / "ldct.nrrd"
    assert main(["simulate", str(tmp_path / "padded.nrrd"), str(output), "--device", "cpu"]) == DONE
    (low_dose,) = arrays(output)
    assert (low_dose[outside] == fill).all()
    assert (low_dose[:, 50:78, 50:78] != plain[:, 50:78, 50:78]).mean() > 0.9


def test_tissue_padding_does_not_change_the_noise(scan, tmp_path):
    low_dose = []
    for fill in (-1024, 0):
        hu = sitk.GetArrayFromImage(sitk.ReadImage(scan))
        hu[:, :12] = fill
        image = sitk.GetImageFromArray(hu)
        image.CopyInformation(sitk.ReadImage(scan))
        sitk.WriteImage(image, tmp_path / "padded.nrrd")
        output = tmp_path / "ldct.nrrd"
        arguments = ["simulate", str(tmp_path / "padded.nrrd"), str(output), "--device", "cpu"]
        assert main(arguments) == DONE
        low_dose += arrays(output)
    np.testing.assert_array_equal(low_dose[0][:, 12:], low_dose[1][:, 12:])


def test_series_and_slice_axis_of_the_scan_are_chosen(scan, tmp_path, capsys):
    hu = sitk.GetArrayFromImage(sitk.ReadImage(scan))
    for number in (1, 2):
        for index, part in enumerate(hu):
            image = ct_slice(2.5 * index, 10 * number + index)
            image.SeriesInstanceUID, image.SeriesNumber = f"1.2.{number}", number
            image.Rows, image.Columns = part.shape
            image.PixelSpacing = [PIXEL_MM, PIXEL_MM]
            store(image, part)
            write(image, tmp_path / "dicom" / f"{number}{index}.dcm")
    output = tmp_path / "ldct.nrrd"
    assert main(["simulate", str(tmp_path / "dicom"), str(output)]) == BAD_INPUT
    assert "choose one with --series" in capsys.readouterr().err
    arguments = ["--series", "2", "--slice-axis", "k", "--device", "cpu"]
    assert main(["simulate", str(tmp_path / "dicom"), str(output), *arguments]) == DONE
    assert arrays(output)[0].shape == hu.shape
