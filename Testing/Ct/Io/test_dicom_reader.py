"""DICOM reading besides the inputs of the table in Testing/Reliability."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from dicom_factory import HEIGHTS, SERIES, enhanced_ct, write, write_slices
from PseudoCTDenoiseLib.ct.io.volume_files import check_same_grid, read_volume
from PseudoCTDenoiseLib.errors import BadInputError
from pydicom.data import get_testdata_file


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "scän 1"


@pytest.mark.slow
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


@pytest.mark.parametrize(
    "function", ["dicom_voxels.iter_pixels", "dicom_files.dcmread", "dicom_series.slice_of"]
)
def test_lack_of_memory_is_not_a_damaged_file(folder: Path, monkeypatch, function):
    def fail(*arguments, **options):
        raise MemoryError

    monkeypatch.setattr(f"PseudoCTDenoiseLib.ct.io.{function}", fail)
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


def test_long_lists_of_stacks_end_with_the_number_of_the_others(folder: Path):
    for number in range(12):
        write_slices(
            folder,
            HEIGHTS[:2],
            first=10 * number,
            SeriesInstanceUID=f"{SERIES}.9.{number}",
            SeriesNumber=number,
        )
    with pytest.raises(BadInputError) as caught:
        read_volume(folder)
    assert str(caught.value).count("'Thorax'") == 10
    assert str(caught.value).endswith(" and 2 more.")


def test_a_list_of_what_is_left_out_ends_with_the_number_of_the_others(folder: Path):
    write_slices(folder)
    for number in range(12):
        series = f"{SERIES}.9.{number}"
        write_slices(folder, [0.0], first=20 + number, SeriesInstanceUID=series, Modality="MR")
    (warning,) = read_volume(folder).warnings
    assert warning.count("'Thorax'") == 10
    assert warning.endswith(" and 2 more.")


def test_a_file_that_may_not_be_looked_at_is_no_dangling_link(folder: Path, monkeypatch):
    write_slices(folder)
    plain = Path.stat

    def stat(path: Path, **options) -> os.stat_result:
        if path.name.startswith("s00"):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
        return plain(path, **options)

    monkeypatch.setattr(Path, "stat", stat)
    with pytest.raises(BadInputError, match=r"s00_1\.dcm cannot be opened \(Permission denied\)"):
        read_volume(folder)


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
    with pytest.raises(BadInputError, match=f"3: '{text}', CT"):
        read_volume(folder, series="9")


UNEVEN = (0.0, 2.5, 5.0, 10.0, 12.5)


@pytest.mark.parametrize(
    ("heights", "offsets"), [(UNEVEN, UNEVEN), (HEIGHTS, ())], ids=["uneven", "even"]
)
def test_uneven_slices_have_offsets(heights: tuple[float, ...], offsets, folder: Path):
    volume = read_volume(write_slices(folder, heights), allow_uneven=True)
    assert volume.slice_offsets == pytest.approx(offsets)


def test_uneven_frames_have_offsets(folder: Path):
    write(enhanced_ct(UNEVEN), folder / "a.dcm")
    assert read_volume(folder, allow_uneven=True).slice_offsets == pytest.approx(UNEVEN)


def test_offsets_of_a_tilted_gantry_are_along_the_table(folder: Path):
    write_slices(folder, UNEVEN, ImageOrientationPatient=[1, 0, 0, 0, 0.8, 0.6])
    assert read_volume(folder, allow_uneven=True).slice_offsets == pytest.approx(UNEVEN)


def test_stacks_of_one_median_distance_but_other_positions_are_not_on_one_grid(tmp_path: Path):
    volumes = [
        read_volume(write_slices(tmp_path / str(gap), [0, 2.5, 5, gap, 12.5]), allow_uneven=True)
        for gap in (10.0, 7.0)
    ]
    check_same_grid(volumes[0], volumes[0])
    with pytest.raises(BadInputError, match="not on the same grid"):
        check_same_grid(*volumes)
