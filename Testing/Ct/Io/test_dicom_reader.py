"""DICOM reading besides the inputs of the table in Testing/Reliability."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from dicom_factory import SERIES, write_slices
from PseudoCTDenoiseLib.ct.io.dicom_series import list_stacks
from PseudoCTDenoiseLib.ct.io.volume_files import read_volume
from PseudoCTDenoiseLib.errors import BadInputError
from pydicom.data import get_testdata_file


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "scän 1"


def test_a_file_cut_anywhere_is_refused(folder: Path):
    write_slices(folder)
    path = min(folder.iterdir())
    content = path.read_bytes()
    accepted = []
    for length in range(0, len(content), 13):
        path.write_bytes(content[:length])
        try:
            read_volume(folder)
        except BadInputError:
            continue
        accepted.append(length)
    assert len(content) > 1500 and accepted == []


def test_a_plain_scan_has_uids_and_no_warning(folder: Path):
    volume = read_volume(write_slices(folder))
    assert volume.warnings == ()
    assert volume.uids == {
        "study_uid": f"{SERIES[:-2]}.1",
        "series_uid": SERIES,
        "frame_of_reference_uid": f"{SERIES[:-2]}.3",
    }


def test_lack_of_memory_is_not_a_damaged_file(folder: Path, monkeypatch):
    def fail(*arguments, **options):
        raise MemoryError

    monkeypatch.setattr("PseudoCTDenoiseLib.ct.io.dicom_voxels.iter_pixels", fail)
    with pytest.raises(MemoryError):
        read_volume(write_slices(folder))


@pytest.mark.parametrize("name", ["CT_small.dcm", "J2K_pixelrep_mismatch.dcm", "693_J2KI.dcm"])
def test_files_of_scanners_have_the_hu_of_simpleitk(name: str):
    path = get_testdata_file(name, download=False)
    if path is None:
        pytest.skip(f"pydicom came without its test file {name}")
    image = sitk.ReadImage(path)
    volume = read_volume(path)
    np.testing.assert_array_equal(volume.hu, np.rint(sitk.GetArrayViewFromImage(image)))
    assert volume.origin == image.GetOrigin()
    assert volume.direction == pytest.approx(image.GetDirection(), abs=1e-14)


@pytest.mark.parametrize(
    ("charset", "encoded_text", "text"),
    [
        ("ISO_IR 100", "Schädel".encode("latin-1"), "Schädel"),
        (None, "Schädel".encode("latin-1"), "Schädel"),
        (None, "Schädel".encode(), "Schädel"),
        ("ISO_IR 192", "頭部".encode(), "頭部"),
        ("GB18030", "头部".encode("gb18030"), "头部"),
        ("\\ISO 2022 IR 87", b"\x1b$BF,It\x1b(B", "頭部"),
        ("\\ISO 2022 IR 149", b"\x1b$)C" + "두부".encode("euc_kr"), "두부"),
    ],
)
def test_descriptions_are_readable_in_every_character_set(charset, encoded_text, text, folder):
    mark = "MARK" * 8
    values = {} if charset is None else {"SpecificCharacterSet": charset.split("\\")}
    (path,) = write_slices(folder, [0.0], SeriesDescription=mark, **values).iterdir()
    padded = encoded_text.ljust(len(mark))
    path.write_bytes(path.read_bytes().replace(mark.encode(), padded))
    (stack,) = list_stacks(folder)
    assert stack.description == text
