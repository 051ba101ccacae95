"""X.nii.gz and X.nii in one folder are two scans."""

import os

import numpy as np
import pytest
import SimpleITK as sitk
from PseudoCTDenoiseLib.ct.io.nifti_namesakes import apart_from_namesake
from PseudoCTDenoiseLib.ct.io.volume_files import read_volume, write_volume
from PseudoCTDenoiseLib.errors import BadInputError


def scan(level):
    return np.random.default_rng(0).normal(level, 20, (4, 16, 20)).round().astype(np.int16)


@pytest.fixture
def save(tmp_path):
    def write(name, level=0):
        """Write a NIfTI through a name of its own and return its path."""
        suffix = ".nii.gz" if name.lower().endswith(".gz") else ".nii"
        (tmp_path / "new").mkdir(exist_ok=True)
        path = tmp_path / "new" / f"volume{suffix}"
        sitk.WriteImage(sitk.GetImageFromArray(scan(level)), path)
        return path.rename(tmp_path / name)

    return write


@pytest.mark.parametrize("letters", [str.lower, str.upper])
def test_a_compressed_scan_keeps_its_voxels_beside_an_uncompressed_one(save, letters):
    compressed, plain = save(letters("a.nii.gz"), 0), save(letters("a.nii"), 300)
    assert np.array_equal(read_volume(compressed).hu, scan(0))
    assert np.array_equal(read_volume(plain).hu, scan(300))


@pytest.mark.parametrize("make", [os.mkdir, lambda path: open(path, "w").close()])
def test_a_folder_or_an_empty_file_beside_it_changes_nothing(save, tmp_path, make):
    compressed = save("a.nii.gz")
    make(tmp_path / "a.nii")
    assert np.array_equal(read_volume(compressed).hu, scan(0))


def test_the_suffix_may_mix_capital_and_small_letters(save):
    for name in ("A.Nii.gz", "B.Nii"):
        volume = read_volume(save(name))
        assert np.array_equal(volume.hu, scan(0)) and volume.name == name[0]


def test_the_link_lies_in_a_folder_that_a_later_run_recognises(save):
    save("a.nii")
    with apart_from_namesake(save("a.nii.gz")) as link:
        folder = link.parent
        assert folder.name.startswith(".pseudoct-") and link.is_symlink()
    assert not folder.exists()


@pytest.mark.parametrize(
    "names", [("a.nii.gz", "a.nii"), ("a.nii", "a.nii.gz"), ("A.NII.GZ", "A.NII")]
)
def test_no_namesake_is_written(save, tmp_path, names):
    volume = read_volume(save(names[0]))
    with pytest.raises(BadInputError, match=f"{names[0]} lies in the same folder"):
        write_volume(tmp_path / names[1], volume.hu, volume)
    assert not (tmp_path / names[1]).exists()
    write_volume(tmp_path / names[0], volume.hu, volume)  # replaces itself


def test_without_links_a_scan_with_a_namesake_is_refused(save, monkeypatch):
    compressed = save("a.nii.gz")
    monkeypatch.setattr(os, "symlink", refuse)
    assert np.array_equal(read_volume(compressed).hu, scan(0))
    save("a.nii", 300)
    with pytest.raises(BadInputError, match="rename it"):
        read_volume(compressed)


def refuse(*paths):
    raise OSError("no links")
