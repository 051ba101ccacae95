"""`pseudoct phantom` writes consistent volumes, and Slicer's sample volume is its output."""

from __future__ import annotations

import json

import numpy as np
import pytest
import SimpleITK as sitk
from pseudoct_research.phantom import phantom_command as command
from pseudoct_research.phantom.phantom_scan import scan_phantom
from pseudoct_research.phantom.torso import SUBSLICES, axial_plane
from PseudoCTDenoiseLib.cli.main import BAD_INPUT, DONE, main

NAMES = ("clean", "ndct", "ldct")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Make three slices instead of 24; the middle slice shows eight lesions."""
    folder = tmp_path_factory.mktemp("phantom") / "new"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(command, "SLICES", 3)
        assert main(["phantom", str(folder), "--seed", "3"]) == DONE
    return folder


@pytest.mark.slow
def test_three_volumes_share_one_geometry(folder):
    images = [sitk.ReadImage(folder / f"phantom_{name}.nrrd") for name in NAMES]
    for image in images:
        assert image.GetSize() == (512, 512, 3)
        assert image.GetSpacing() == (0.75, 0.75, 3.0)
        assert image.GetDirection() == (1, 0, 0, 0, 1, 0, 0, 0, 1)
        assert image.GetPixelIDValue() == sitk.sitkInt16
        centre = image.TransformContinuousIndexToPhysicalPoint([255.5, 255.5, 1])
        assert centre == pytest.approx((0, 0, 0))


def test_the_patient_is_oriented_in_lps(folder):
    """The liver is on the patient's right, at negative x; the spine behind, at positive y."""
    image = sitk.ReadImage(folder / "phantom_clean.nrrd")
    assert 100 < image[image.TransformPhysicalPointToIndex((-85, 0, 0))] < 110
    assert 100 < image[image.TransformPhysicalPointToIndex((-8, 24, 0))] < 320


def test_a_lower_dose_gives_more_noise(folder):
    clean, ndct, ldct = (
        sitk.GetArrayFromImage(sitk.ReadImage(folder / f"phantom_{name}.nrrd")).astype(float)
        for name in NAMES
    )
    liver = np.s_[:, 223:287, 111:175]
    normal, low = ((hu - clean)[liver].std() for hu in (ndct, ldct))
    assert normal == pytest.approx(12, rel=0.1)
    assert low == pytest.approx(24, rel=0.1)


def test_lesions_are_at_the_positions_in_the_file(folder):
    lesions = json.loads((folder / "lesions.json").read_text(encoding="utf-8"))
    image = sitk.ReadImage(folder / "phantom_clean.nrrd")
    hu = sitk.GetArrayFromImage(image).astype(float)
    assert len(lesions) == 8
    for lesion in lesions:
        index = tuple(lesion["index_slice_row_column"])
        at = image.TransformIndexToPhysicalPoint(index[::-1])
        assert np.abs(np.subtract(at, lesion["position_lps_mm"])).max() <= 0.375
        assert hu[index] == pytest.approx(105 + lesion["contrast_hu"], abs=5)
        assert lesion["diameter_mm"] in (3, 5, 7, 10)


@pytest.mark.parametrize("dose", ["0", "2", "nan"])
def test_invalid_doses_are_refused_before_the_computation(tmp_path, capsys, dose):
    assert main(["phantom", str(tmp_path / "new"), "--dose", dose]) == BAD_INPUT
    assert "--dose" in capsys.readouterr().err
    assert not (tmp_path / "new").exists()


def test_a_file_with_the_name_of_the_folder_is_refused(tmp_path, capsys):
    (tmp_path / "taken").write_text("")
    assert main(["phantom", str(tmp_path / "taken")]) == BAD_INPUT
    assert "taken cannot be created" in capsys.readouterr().err


# --------------------------------------------------------------- Slicer's sample volume


@pytest.fixture(scope="module")
def sample(repository):
    return repository / "PseudoCTDenoise" / "Resources" / "SampleData" / command.SAMPLE


def test_sample_volume_is_small(sample):
    assert sample.stat().st_size <= 6_000_000


@pytest.mark.slow
def test_the_sample_volume_equals_the_output_of_the_command(sample):
    """Compare four slices with `pseudoct phantom PseudoCTDenoise/Resources/SampleData --sample`."""
    image = sitk.ReadImage(sample)
    size, spacing = image.GetSize(), image.GetSpacing()
    assert size == (512, 512, command.SMALL_SLICES)
    across = (np.arange(size[0]) - (size[0] - 1) / 2) * spacing[0]
    parts = ((np.arange(SUBSLICES) + 0.5) / SUBSLICES - 0.5) * spacing[2]
    heights = (np.arange(4) - (size[2] - 1) / 2) * spacing[2]
    clean = [np.mean([axial_plane(across, h + p, spacing[0]) for p in parts], 0) for h in heights]
    again = scan_phantom(np.rint(clean).astype(np.int16), spacing[0]).ldct
    difference = sitk.GetArrayFromImage(image)[:4].astype(int) - again
    assert np.abs(difference).max() <= 1
