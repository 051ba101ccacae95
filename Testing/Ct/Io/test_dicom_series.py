"""DICOM folders written by SimpleITK: one series, several series, and geometry."""

from pathlib import Path

import numpy as np
import pydicom
import pytest
import SimpleITK as sitk
from PseudoCTDenoiseLib.ct.io.volume_files import read_volume, write_volume
from PseudoCTDenoiseLib.errors import BadInputError

SHARED = Path(__file__).parents[4] / "shared" / "data" / "dicom"
UID = "1.2.826.0.1.3680043.10.1"


def body(rows=40, columns=48):
    """Return a slice with air and a different value, −150 to 1289 HU, at every other pixel."""
    hu = np.arange(rows * columns, dtype=np.int16).reshape(1, rows, columns) - 150
    hu[:, :10] = -1000
    return hu


def write_series(
    folder,
    uid=UID,
    number="3",
    heights=(5.0, 7.5, 10.0, 12.5),
    tilt=0.0,
    shape=(40, 48),
    **tags,
):
    """Write a DICOM series at the given table heights in mm, in shuffled file order."""
    folder.mkdir(parents=True, exist_ok=True)
    writer = sitk.ImageFileWriter()
    writer.KeepOriginalImageUIDOn()
    down = (0.0, float(np.cos(tilt)), float(np.sin(tilt)))
    for index, height in enumerate(heights):
        image = sitk.GetImageFromArray(body(*shape) + np.int16(index))
        image.SetSpacing((0.7, 0.8, 2.5))
        values = {
            "0008|0060": tags.get("modality", "CT"),
            "0008|0008": tags.get("image_type", "ORIGINAL\\PRIMARY\\AXIAL"),
            "0020|000d": "1.2.826.0.1.3680043.10",
            "0020|000e": uid,
            "0008|103e": tags.get("description", "Thorax B40f"),
            "0020|0011": number,
            "0020|0013": str(index + 1),
            "0020|0032": f"-10.5\\-20.25\\{height}",
            "0020|0037": "\\".join(map(repr, (1.0, 0.0, 0.0, *down))),
            "0028|1052": "-1024",
            "0028|1053": "1",
        }
        for key, value in values.items():
            image.SetMetaData(key, value)
        writer.SetFileName(str(folder / f"s{uid[-2:]}_{(index * 7) % 10}_{index}.dcm"))
        writer.Execute(image)
    return folder


def refusal(folder, **choice):
    with pytest.raises(BadInputError) as caught:
        read_volume(folder, **choice)
    text = str(caught.value)
    assert "\n" not in text
    return text


@pytest.mark.parametrize("as_type", [Path, str])
def test_a_folder_with_spaces_and_accents_is_read(tmp_path, as_type):
    folder = write_series(tmp_path / "Zürich scän 1")
    volume = read_volume(as_type(folder))
    assert volume.name == "Zürich scän 1"
    assert volume.hu.shape == (4, 40, 48)
    assert volume.spacing == (0.7, 0.8, 2.5)
    assert volume.origin == (-10.5, -20.25, 5.0)
    assert volume.pixel_size == (0.8, 0.7)
    assert volume.spacing[volume.slice_axis] == 2.5
    for index in range(4):
        np.testing.assert_array_equal(volume.hu[index], body()[0] + index)


def test_a_single_slice_file_is_a_volume_of_one_slice(tmp_path):
    folder = write_series(tmp_path / "scan", heights=(5.0,))
    (file,) = folder.iterdir()
    volume = read_volume(file)
    np.testing.assert_array_equal(volume.hu, body())
    np.testing.assert_array_equal(read_volume(folder).hu, body())


def test_several_series_are_listed_and_one_is_chosen_by_number_or_uid(tmp_path):
    write_series(tmp_path, uid=UID + ".11", number="12", description="Leber")
    write_series(tmp_path, uid=UID + ".22", number="3", heights=(0.0, 1.0))
    text = refusal(tmp_path)
    assert text.index("3: 'Thorax") < text.index("12: 'Leber")
    assert "contains 2 DICOM series: choose one with --series NUMBER|UID" in text
    for part in ("3: 'Thorax B40f', CT, 2 slices", "12: 'Leber', CT, 4 slices", UID + ".22"):
        assert part in text
    assert read_volume(tmp_path, series="3").hu.shape[0] == 2
    assert read_volume(tmp_path, series="12").hu.shape[0] == 4
    assert read_volume(tmp_path, series=UID + ".11").hu.shape[0] == 4
    assert "has no series 7" in refusal(tmp_path, series="7")


def test_a_list_of_stacks_does_not_name_their_patients(tmp_path):
    """It gets into the log of the node, which names no patients."""
    write_series(tmp_path, number="3")
    files = sorted(tmp_path.iterdir())
    for file, number in zip(files, ("123456", "123456", "77", "77"), strict=True):
        image = pydicom.dcmread(file)
        image.PatientName, image.PatientID = "Doe^Jane", number
        image.save_as(file)
    text = refusal(tmp_path)
    for number, own in enumerate((files[:2], files[2:]), start=1):
        words = f"3.{number}: 'Thorax B40f', CT, 2 slices, patient {number} (such as "
        assert any(f"{words}{file.name})" in text for file in own)
    assert "Doe" not in text and "123456" not in text


def test_a_number_that_two_series_share_is_ambiguous(tmp_path):
    write_series(tmp_path, uid=UID + ".11", number="3")
    write_series(tmp_path, uid=UID + ".22", number="3")
    assert "has several series 3" in refusal(tmp_path, series="3")
    assert read_volume(tmp_path, series=UID + ".22").hu.shape[0] == 4


def test_the_only_ct_beside_a_scout_and_an_mr_needs_no_choice(tmp_path):
    write_series(tmp_path, uid=UID + ".11", number="1", image_type="ORIGINAL\\PRIMARY\\LOCALIZER")
    write_series(tmp_path, uid=UID + ".22", number="2")
    write_series(tmp_path, uid=UID + ".33", number="3", modality="MR", heights=(0.0, 1.0))
    assert read_volume(tmp_path).hu.shape[0] == 4
    assert "is a scout" in refusal(tmp_path, series="1")
    assert "the modality MR" in refusal(tmp_path, series="3")


def test_another_modality_is_refused_as_folder_and_as_file(tmp_path):
    folder = write_series(tmp_path / "mr", modality="MR")
    assert "the modality MR" in refusal(folder)
    assert "the modality MR" in refusal(next(folder.iterdir()))


def test_a_latin_1_description_can_be_printed(tmp_path):
    folder = write_series(tmp_path, description="Schaedel", heights=(5.0,))
    (file,) = folder.iterdir()
    file.write_bytes(file.read_bytes().replace(b"Schaedel", b"Sch\xe4del "))
    assert "'Schädel'" in refusal(folder, series="9")


def test_a_tilted_gantry_keeps_its_slices_where_they_are(tmp_path):
    folder = write_series(tmp_path / "head", tilt=np.deg2rad(20))
    volume = read_volume(folder)
    direction = np.reshape(volume.direction, (3, 3))
    np.testing.assert_allclose(direction[:, 2], (0, 0, 1), atol=1e-12)
    np.testing.assert_allclose(direction[:, 1], (0, np.cos(0.349066), np.sin(0.349066)), atol=1e-6)
    assert volume.spacing[volume.slice_axis] == pytest.approx(2.5, abs=1e-12)
    assert volume.slice_axis == 2

    out = tmp_path / "head.nrrd"
    write_volume(out, volume.hu, volume)
    np.testing.assert_allclose(read_volume(out).direction, volume.direction, atol=1e-15)
    with pytest.raises(BadInputError, match=r"skewed axes .* write \.nrrd or \.mha"):
        write_volume(tmp_path / "head.nii.gz", volume.hu, volume)


def test_a_missing_slice_is_refused(tmp_path):
    text = refusal(write_series(tmp_path, heights=(0.0, 2.5, 7.5, 10.0)))
    assert "lacks slices" in text and "from 2.5 to 5 mm" in text


def test_rounded_slice_positions_are_accepted(tmp_path):
    assert read_volume(write_series(tmp_path, heights=(0, 0.67, 1.33, 2.0))).hu.shape[0] == 4


def test_several_images_at_one_position_are_refused(tmp_path):
    assert "at one position" in refusal(write_series(tmp_path, heights=(0.0, 0.0, 2.5, 2.5)))


def test_a_folder_without_dicom_is_refused(tmp_path, capfd):
    (tmp_path / "readme.txt").write_text("no image")
    assert "contains no DICOM files" in refusal(tmp_path)
    with pytest.raises(BadInputError, match="does not exist"):
        read_volume(tmp_path / "missing")
    assert capfd.readouterr() == ("", "")


def test_a_truncated_slice_is_refused_without_output(tmp_path, capfd):
    folder = write_series(tmp_path / "scan", heights=(5.0,))
    (file,) = folder.iterdir()
    file.write_bytes(file.read_bytes()[:-500])
    text = refusal(file)
    assert "cannot be read: it holds 3340 bytes of pixels, and its header describes 3840" in text
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("folder", "slices", "spacing"),
    [("lungdx-a0002_b40f", 30, 8.0), ("totalseg-example_jpeg2000", 20, 2.0)],
)
def test_real_series_are_read_as_simpleitk_reads_them(folder, slices, spacing):
    path = SHARED / folder
    if not path.is_dir():
        pytest.skip(f"needs the shared reference data {path}")
    volume = read_volume(path)
    reader = sitk.ImageSeriesReader()
    reader.SetFileNames(reader.GetGDCMSeriesFileNames(str(path)))
    image = reader.Execute()
    np.testing.assert_array_equal(volume.hu, sitk.GetArrayViewFromImage(image))
    assert volume.hu.shape == (slices, 512, 512)
    assert volume.spacing[volume.slice_axis] == spacing
    assert volume.spacing == image.GetSpacing()
    assert volume.origin == image.GetOrigin()
    assert volume.direction == image.GetDirection()
