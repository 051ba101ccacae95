"""Volume files: geometry and voxels are preserved, writing is complete, bad files are rejected."""

import gzip
import math
import os
import re
import struct
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from PseudoCTDenoiseLib import output_paths
from PseudoCTDenoiseLib.ct.io.nifti_header import read_nifti_header
from PseudoCTDenoiseLib.ct.io.nifti_position import read_position
from PseudoCTDenoiseLib.ct.io.volume_files import (
    OUTPUT_SUFFIXES,
    check_output_path,
    check_same_grid,
    read_volume,
    split_suffix,
    write_volume,
)
from PseudoCTDenoiseLib.errors import BadInputError

SPACING = (0.7421875123456789, 1 / 3, np.pi)
ORIGIN = (-123.45678901234567, 1 / 7e3, 1e3 / 3)
EXACT = (".nrrd", ".mha")
NIFTI = (".nii", ".nii.gz")


def rotation(x, y, z):
    """Return the direction cosines of a volume rotated about x, y and z, in degrees."""
    cosines = np.eye(3)
    for axis, angle in enumerate(np.deg2rad((x, y, z))):
        a, b = (axis + 1) % 3, (axis + 2) % 3
        turn = np.eye(3)
        turn[a, a] = turn[b, b] = np.cos(angle)
        turn[a, b], turn[b, a] = -np.sin(angle), np.sin(angle)
        cosines = turn @ cosines
    return cosines


def stored_array(shape=(18, 20, 22)):
    """Return (k, j, i) int16 with a different value at every voxel."""
    return (np.arange(np.prod(shape)).reshape(shape) - 1024).astype(np.int16)


def write_image(path, array=None, direction=None, **kwargs):
    array = stored_array() if array is None else array
    image = sitk.GetImageFromArray(array, **kwargs)
    dimension = image.GetDimension()
    if dimension <= 3:
        image.SetSpacing(SPACING[:dimension])
        image.SetOrigin(ORIGIN[:dimension])
    if direction is not None:
        image.SetDirection(np.ravel(direction).tolist())
    sitk.WriteImage(image, str(path), useCompression=True)
    return path


def geometry(volume):
    return volume.spacing, volume.origin, volume.direction


def refusal(path, **choice):
    with pytest.raises(BadInputError) as caught:
        read_volume(path, **choice)
    text = str(caught.value)
    assert "\n" not in text and len(text) < 250
    return text


OBLIQUE = rotation(7.123456789, -11.987654321, 23.55555)


@pytest.mark.parametrize("suffix", EXACT)
def test_oblique_geometry_is_preserved_to_the_last_digit(tmp_path, suffix):
    source = read_volume(write_image(tmp_path / f"in{suffix}", direction=OBLIQUE))
    np.testing.assert_allclose(source.direction, OBLIQUE.ravel(), rtol=0, atol=1e-15)
    write_volume(tmp_path / f"out{suffix}", source.hu, source)
    result = read_volume(tmp_path / f"out{suffix}")
    np.testing.assert_array_equal(result.hu, source.hu)
    # NRRD stores spacing times direction; the division changes the last bit of a double.
    for kept, given in zip(geometry(result), geometry(source), strict=True):
        np.testing.assert_allclose(kept, given, rtol=4e-16, atol=4e-16)


def test_mha_keeps_every_bit_of_the_geometry(tmp_path):
    source = read_volume(write_image(tmp_path / "in.mha", direction=OBLIQUE))
    assert (source.spacing, source.origin) == (SPACING, ORIGIN)
    write_volume(tmp_path / "out.mha", source.hu, source)
    assert geometry(read_volume(tmp_path / "out.mha")) == geometry(source)


@pytest.mark.parametrize("suffix", NIFTI)
@pytest.mark.parametrize("seed", range(5))
def test_nifti_rounds_geometry_only_at_the_first_write(tmp_path, suffix, seed):
    angles = np.random.default_rng(seed).uniform(-20, 20, 3)
    first = read_volume(write_image(tmp_path / f"in{suffix}", direction=rotation(*angles)))
    np.testing.assert_allclose(first.spacing, SPACING, rtol=1e-7)
    np.testing.assert_allclose(first.origin, ORIGIN, rtol=1e-7)
    write_volume(tmp_path / f"out{suffix}", first.hu, first)
    second = read_volume(tmp_path / f"out{suffix}")
    np.testing.assert_array_equal(second.hu, first.hu)
    assert (second.spacing, second.origin) == (first.spacing, first.origin)
    np.testing.assert_allclose(second.direction, first.direction, rtol=0, atol=2e-7)


@pytest.mark.parametrize("suffix", NIFTI)
def test_nifti_stores_axis_aligned_geometry_exactly(tmp_path, suffix):
    first = read_volume(write_image(tmp_path / f"in{suffix}", direction=np.diag((-1.0, -1.0, 1.0))))
    write_volume(tmp_path / f"out{suffix}", first.hu, first)
    assert geometry(read_volume(tmp_path / f"out{suffix}")) == geometry(first)


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("a.b.nii.gz", ("a.b", ".nii.gz")),
        ("a.NII.GZ", ("a", ".NII.GZ")),
        ("a.nrrd", ("a", ".nrrd")),
        (".nrrd", (".nrrd", "")),
        ("a.dcm", ("a.dcm", "")),
    ],
)
def test_a_name_is_split_into_its_stem_and_the_suffix_of_a_volume(name, parts):
    assert split_suffix(name) == parts


@pytest.mark.parametrize("suffix", [*OUTPUT_SUFFIXES, ".nhdr", ".mhd", ".NRRD", ".MHA", ".NII.GZ"])
def test_every_format_is_read_by_its_suffix_in_any_case(tmp_path, suffix):
    path = write_image(tmp_path / f"scän 1.v2{suffix.lower()}")
    path = path.rename(tmp_path / f"scän 1.v2{suffix}")
    for given in (path, str(path)):
        volume = read_volume(given)
        assert volume.name == "scän 1.v2"
        np.testing.assert_array_equal(volume.hu, stored_array())


@pytest.mark.parametrize("suffix", [*OUTPUT_SUFFIXES, ".NII.GZ"])
def test_every_format_is_written_as_int16_under_the_name_given(tmp_path, suffix):
    source = read_volume(write_image(tmp_path / "in.nrrd"))
    folder = tmp_path / "Zürich scän 1"
    folder.mkdir()
    out = folder / f"out{suffix}"
    write_volume(str(out), source.hu + 0.4, source)
    assert [path.name for path in folder.iterdir()] == [out.name]
    reader = sitk.ImageFileReader()
    reader.SetFileName(str(out))
    reader.ReadImageInformation()
    assert reader.GetPixelID() == sitk.sitkInt16
    np.testing.assert_array_equal(read_volume(out).hu, source.hu)


# Orientations with axial slices along k, j (coronal) and i (sagittal).
REFORMATS = {
    0: np.array([[0, 1, 0], [0, 0, -1], [1, 0, 0]], float),
    1: np.array([[1, 0, 0], [0, 0, 1], [0, -1, 0]], float),
    2: np.eye(3),
}


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_the_slice_axis_is_moved_to_the_front_and_back(tmp_path, axis):
    source = read_volume(write_image(tmp_path / "in.nrrd", direction=REFORMATS[axis]))
    assert source.slice_axis == axis
    expected = {0: (2, 0, 1), 1: (1, 0, 2), 2: (0, 1, 2)}[axis]
    np.testing.assert_array_equal(source.hu, stored_array().transpose(expected))
    assert source.spacing[source.slice_axis] == pytest.approx(SPACING[axis])
    rows, columns = sorted(set(range(3)) - {axis}, reverse=True)
    assert source.pixel_size == pytest.approx((SPACING[rows], SPACING[columns]))

    write_volume(tmp_path / "out.nrrd", source.hu, source)
    image = sitk.ReadImage(str(tmp_path / "out.nrrd"))
    np.testing.assert_array_equal(sitk.GetArrayViewFromImage(image), stored_array())


@pytest.mark.parametrize("tilt", [-30, 30])
@pytest.mark.parametrize("axis", [0, 1, 2])
def test_thirty_degrees_of_tilt_are_still_axial(tmp_path, axis, tilt):
    direction = rotation(tilt, 0, 0) @ REFORMATS[axis]
    assert read_volume(write_image(tmp_path / "in.nrrd", direction=direction)).slice_axis == axis


def test_an_oblique_volume_requires_a_slice_axis(tmp_path):
    path = write_image(tmp_path / "in.nrrd", direction=rotation(45, 0, 0))
    text = refusal(path)
    assert "oblique by 45 degrees" in text and "--slice-axis i|j|k" in text
    for index, axis in enumerate("ijk"):
        volume = read_volume(path, slice_axis=axis)
        assert volume.slice_axis == index
        assert volume.hu.shape[0] == (22, 20, 18)[index]
    assert "set --slice-axis to i, j or k" in refusal(path, slice_axis="x")


def test_a_single_plane_is_one_slice_in_any_direction(tmp_path):
    plane = stored_array((1, 20, 22))
    volume = read_volume(write_image(tmp_path / "in.nrrd", plane, direction=REFORMATS[1]))
    assert (volume.slice_axis, volume.hu.shape) == (2, (1, 20, 22))


@pytest.mark.parametrize("suffix", OUTPUT_SUFFIXES)
def test_a_two_dimensional_image_is_one_slice_and_stays_two_dimensional(tmp_path, suffix):
    array = stored_array((20, 22))
    volume = read_volume(write_image(tmp_path / f"in{suffix}", array))
    np.testing.assert_array_equal(volume.hu, array[np.newaxis])
    assert volume.pixel_size == pytest.approx((SPACING[1], SPACING[0]))
    assert volume.pixel_mm**2 == pytest.approx(SPACING[0] * SPACING[1])
    write_volume(tmp_path / f"out{suffix}", volume.hu, volume)
    image = sitk.ReadImage(str(tmp_path / f"out{suffix}"))
    assert image.GetSize() == (22, 20)
    for kept, given in zip(
        geometry(read_volume(tmp_path / f"out{suffix}")), geometry(volume), strict=True
    ):
        np.testing.assert_allclose(kept, given, rtol=4e-16)


def test_float_hu_are_rounded_when_read(tmp_path):
    array = stored_array().astype(np.float32) + 0.25
    np.testing.assert_array_equal(
        read_volume(write_image(tmp_path / "in.nrrd", array)).hu, stored_array()
    )


def test_a_missing_file_and_an_unknown_suffix_are_refused(tmp_path):
    assert "does not exist" in refusal(tmp_path / "missing.nrrd")
    for name in ("scan.jpg", "scan", ".nrrd", "scan.gz"):
        (tmp_path / name).write_bytes(b"no image")
        assert "suffix of a format that can be read" in refusal(tmp_path / name)


def test_a_series_is_not_chosen_in_a_file(tmp_path):
    assert "omit --series" in refusal(write_image(tmp_path / "a.mha"), series="3")


@pytest.mark.parametrize("suffix", [*OUTPUT_SUFFIXES, ".mhd", ".nhdr", ".dcm"])
@pytest.mark.parametrize("content", [b"", b"no image at all", b"NRRD0004\n", b"\x1f\x8b\x08"])
def test_an_invalid_file_is_refused_without_output(tmp_path, capfd, suffix, content):
    path = tmp_path / f"scan{suffix}"
    path.write_bytes(content)
    assert f"scan{suffix} cannot be read: it is damaged" in refusal(path)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("suffix", [*OUTPUT_SUFFIXES, ".mhd", ".nhdr"])
def test_a_truncated_volume_is_refused_without_output(tmp_path, capfd, suffix):
    path = write_image(tmp_path / f"scan{suffix}")
    data = max(tmp_path.iterdir(), key=lambda file: file.stat().st_size)
    data.write_bytes(data.read_bytes()[:-100])
    assert "damaged" in refusal(path)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("suffix", [".nrrd", ".mha", ".nii.gz"])
def test_a_flipped_bit_in_compressed_voxels_is_refused(tmp_path, capfd, suffix):
    path = write_image(tmp_path / f"scan{suffix}")
    data = bytearray(path.read_bytes())
    data[len(data) - 40] ^= 0x10
    path.write_bytes(data)
    assert "damaged" in refusal(path)
    assert capfd.readouterr() == ("", "")


def test_a_read_leaves_the_standard_error_and_the_open_files_as_they_were(tmp_path, capfd):
    def free_numbers():
        numbers = [os.dup(2) for _ in range(4)]
        for number in numbers:
            os.close(number)
        return numbers

    before = free_numbers()
    read_volume(write_image(tmp_path / "scan.nrrd"))
    assert free_numbers() == before
    os.write(2, b"a later message")
    assert capfd.readouterr().err == "a later message"


def test_an_uncompressed_nifti_with_the_suffix_gz_is_read(tmp_path):
    write_image(tmp_path / "in.nii").rename(tmp_path / "in.nii.gz")
    assert read_volume(tmp_path / "in.nii.gz").hu.shape == (18, 20, 22)


def test_a_truncated_nifti_in_valid_gzip_is_refused(tmp_path):
    data = write_image(tmp_path / "in.nii").read_bytes()
    (tmp_path / "cut.nii.gz").write_bytes(gzip.compress(data[:-2]))
    assert "damaged" in refusal(tmp_path / "cut.nii.gz")


@pytest.mark.parametrize("suffix", NIFTI)
@pytest.mark.parametrize("kind", [np.float32, np.float64])
@pytest.mark.parametrize("value", [np.nan, -np.inf])
@pytest.mark.parametrize("index", [0, -1])
def test_a_nifti_with_nan_or_infinity_is_refused(tmp_path, suffix, kind, value, index):
    array = stored_array((17, 19, 21)).astype(kind)
    assert read_volume(write_image(tmp_path / f"whole{suffix}", array)).hu.shape == array.shape
    array.flat[index] = value
    assert "NaN or infinity" in refusal(write_image(tmp_path / f"in{suffix}", array))


def test_a_big_endian_nifti_is_checked_in_its_byte_order(tmp_path):
    array = stored_array((17, 19, 21)).astype(">f4")
    header = bytearray(344)
    for at, layout, *values in (
        *((0, ">i", 348), (40, ">8h", 3, 21, 19, 17, 1, 1, 1, 1), (70, ">2h", 16, 32)),
        *((76, ">8f", 1, 1, 1, 1, 0, 0, 0, 0), (108, ">2f", 352, 1)),
    ):
        struct.pack_into(layout, header, at, *values)
    start = bytes(header) + b"n+1\0" + bytes(4)
    (tmp_path / "in.nii").write_bytes(start + array.tobytes())
    read = read_volume(tmp_path / "in.nii", slice_axis="k").hu
    assert np.array_equal(read, array.astype(np.int16))
    array[0, 0, 1] = np.nan
    (tmp_path / "in.nii").write_bytes(start + array.tobytes())
    assert "NaN or infinity" in refusal(tmp_path / "in.nii", slice_axis="k")


@pytest.mark.parametrize("suffix", [".nrrd", ".nii.gz", ".mha"])
def test_no_bit_of_compressed_voxels_may_be_wrong(tmp_path, suffix):
    """ITK reads some damaged streams without an error."""
    rng = np.random.default_rng(0)
    array = rng.integers(-200, 200, (4, 40, 40)).astype(np.int16)
    image = sitk.GetImageFromArray(array)
    sitk.WriteImage(image, str(tmp_path / f"whole{suffix}"), useCompression=True)
    whole = (tmp_path / f"whole{suffix}").read_bytes()
    path = tmp_path / f"in{suffix}"
    for place in rng.integers(1000, len(whole), 60):
        damaged = bytearray(whole)
        damaged[place] ^= 1 << int(rng.integers(8))
        path.write_bytes(damaged)
        with pytest.raises(BadInputError):
            read_volume(path)


@pytest.mark.parametrize("lines", [0, 2])
@pytest.mark.parametrize("parts", [1, 2])
@pytest.mark.parametrize("tail", [b"", b"\n", bytes(16), b"PADPAD"])
def test_compressed_voxels_of_an_nrrd_may_follow_lines_and_have_parts(tmp_path, lines, parts, tail):
    array = stored_array((4, 20, 24))
    voxels = array.tobytes()
    half = len(voxels) // 2 if parts == 2 else len(voxels)
    stream = gzip.compress(voxels[:half]) + (gzip.compress(voxels[half:]) if parts == 2 else b"")
    (tmp_path / "in.raw.gz").write_bytes(b"A line.\n" * lines + stream + tail)
    (tmp_path / "in.nhdr").write_text(
        "NRRD0004\ntype: short\ndimension: 3\nspace: left-posterior-superior\nsizes: 24 20 4\n"
        "space directions: (0.7,0,0) (0,0.7,0) (0,0,2)\nspace origin: (0,0,0)\nencoding: gzip\n"
        f"endian: little\nline skip: {lines}\ndata file: in.raw.gz\n"
    )
    np.testing.assert_array_equal(read_volume(tmp_path / "in.nhdr").hu, array)


AXES_WITH_TIME = "(0.7,0,0,0) (0,0.7,0,0) (0,0,2,0) (0,0,0,1)"


@pytest.mark.parametrize(
    "lines, said",
    [
        (["space: LPS"], ""),
        (["space: ras"], ""),
        (["space: left anterior superior"], ""),
        (["space: left-posterior-superior-time"], ""),
        (["space: right-anterior-superior-time"], "its space is right-anterior-superior-time"),
        (["space: scanner-xyz"], "its space is scanner-xyz"),
        (["space: 3D-right-handed"], "its space is 3D-right-handed"),
        (["space dimension: 3"], "it has no space"),
        (["spacings: 0.7 0.7 2"], "it has no space"),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else "",
)
def test_an_nrrd_whose_space_becomes_lps_by_assumption_gives_a_warning(tmp_path, lines, said):
    array, path = stored_array((4, 20, 24)), tmp_path / "in.nrrd"
    with_time = lines[0].endswith("-time")
    axes = AXES_WITH_TIME if with_time else "(0.7,0,0) (0,0.7,0) (0,0,2)"
    directions = [] if lines[0].startswith("spacings") else [f"space directions: {axes}"]
    dimension, sizes = (4, "24 20 4 1") if with_time else (3, "24 20 4")
    shape = [f"dimension: {dimension}", f"sizes: {sizes}"]
    header = ["NRRD0004", "type: short", *shape, *lines, *directions, "encoding: raw"]
    content = "\n".join([*header, "endian: little", "", ""]).encode()
    path.write_bytes(content + array.astype("<i2").tobytes())
    volume = read_volume(path)
    np.testing.assert_array_equal(volume.hu, array)
    assert len(volume.warnings) == bool(said)
    assert all(f"how the patient lies ({said})" in warning for warning in volume.warnings)
    write_volume(tmp_path / "out.nrrd", volume.hu, volume)
    assert read_volume(tmp_path / "out.nrrd").warnings == ()


def test_an_nrrd_of_two_axes_that_was_written_here_gives_no_warning(tmp_path):
    volume = read_volume(write_image(tmp_path / "in.nrrd", stored_array((20, 22))))
    write_volume(tmp_path / "out.nrrd", volume.hu, volume)
    assert read_volume(tmp_path / "out.nrrd").warnings == volume.warnings == ()


TILT = 3 * np.tan(np.radians(15))
SQUARE = [(0.7, 0, 0, 5), (0, 0.7, 0, -6), (0, 0, 3, 7)]
TILTED = [(0.7, 0, 0, 5), (0, 0.7, TILT, -6), (0, 0, 3, 7)]


def write_nifti(
    path,
    srow,
    *,
    qform=1,
    sform=1,
    pixdim=(0.7, 0.7, 3),
    order="<",
    quaternion=(0, 0, 0),
    origin=(5, -6, 7),
    qfac=1,
    units=2,
    slices=None,
):
    """Write stored_array(), or its first slices, under the positions given."""
    array = stored_array()[:slices]
    header = bytearray(352)
    for at, layout, *values in (
        *((0, "i", 348), (40, "8h", 3, *array.shape[::-1], 1, 1, 1, 1), (70, "2h", 4, 16)),
        *((76, "4f", qfac, *pixdim), (108, "2f", 352, 1), (123, "b", units)),
        *((252, "2h", qform, sform), (256, "6f", *quaternion, *origin)),
        (280, "12f", *np.ravel(srow)),
    ):
        struct.pack_into(order + layout, header, at, *values)
    header[344:348] = b"n+1\0"
    data = bytes(header) + array.astype(f"{order}i2").tobytes()
    path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)
    return path


@pytest.mark.parametrize(
    "stored",
    [
        {},
        {"qform": 0},
        {"sform": 4},
        {"order": ">"},
        {"pixdim": (0.7, 0.7, math.hypot(3, TILT))},
        {"qform": 0, "pixdim": (0.7, 0.7, math.hypot(3, TILT))},
    ],
)
@pytest.mark.parametrize("suffix", NIFTI)
def test_a_nifti_of_a_tilted_gantry_keeps_its_shear(tmp_path, suffix, stored):
    volume = read_volume(write_nifti(tmp_path / f"in{suffix}", TILTED, **stored))
    np.testing.assert_array_equal(volume.hu, stored_array())
    steps = np.reshape(volume.direction, (3, 3)) * volume.spacing
    position = np.column_stack([steps, volume.origin])
    np.testing.assert_allclose(np.diag((-1, -1, 1)) @ position, TILTED, atol=1e-6)
    write_volume(tmp_path / "out.nrrd", volume.hu, volume)
    again = read_volume(tmp_path / "out.nrrd")
    np.testing.assert_allclose(again.direction, volume.direction, atol=1e-12)
    with pytest.raises(BadInputError, match="skewed axes"):
        write_volume(tmp_path / "out.nii.gz", volume.hu, volume)


def test_a_tilted_nifti_in_metres_is_read_in_mm(tmp_path):
    path = tmp_path / "in.nii"
    write_nifti(path, np.array(TILTED) / 1e3, qform=0, units=1, pixdim=(0.7e-3, 0.7e-3, 3e-3))
    volume = read_volume(path)
    assert volume.spacing == pytest.approx((0.7, 0.7, math.hypot(3, TILT)))
    assert volume.origin == pytest.approx((-5, 6, 7))


FLIPPED = [(0.7, 0, 0, 5), (0, -0.7, 0, -6), (0, 0, -3, 7)]
MIRRORED = [(0.7, 0, 0, 5), (0, 0.7, 0, -6), (0, 0, -3, 7)]


@pytest.mark.parametrize(
    "srow, stored",
    [
        (SQUARE, {}),
        (SQUARE, {"qform": 0}),
        (FLIPPED, {"quaternion": (1, 0, 0)}),
        (FLIPPED, {"qform": 0}),
        (MIRRORED, {"qfac": -1}),
        (MIRRORED, {"qform": 0}),
        ([(0.7, 0, 0, 5), (0, 0.7, 0.003, -6), (0, 0, 3, 7)], {"qform": 0}),  # 0.05 mm in all
    ],
)
def test_a_nifti_whose_positions_agree_is_read(tmp_path, srow, stored):
    volume = read_volume(write_nifti(tmp_path / "in.nii", srow, **stored))
    steps = np.reshape(volume.direction, (3, 3)) * volume.spacing
    position = np.diag((-1, -1, 1)) @ np.column_stack([steps, volume.origin])
    np.testing.assert_allclose(position, srow, atol=1e-6)


TURNED = [(0.7 * 0.8, -0.7 * 0.6, 0, 15), (0.7 * 0.6, 0.7 * 0.8, 0, -16), (0, 0, 3, 70)]


MOVED = [np.add(SQUARE, mm * np.eye(3, 4, 3)) for mm in (1, 0.1)]  # 0.1 mm: a seventh of a pixel


@pytest.mark.parametrize("srow", [TURNED, FLIPPED, *MOVED])
@pytest.mark.parametrize("qform", [1, 2])
@pytest.mark.parametrize("sform", [1, 2, 4])
def test_a_nifti_that_was_moved_is_read_where_itk_places_it(tmp_path, srow, qform, sform):
    path = write_nifti(tmp_path / "in.nii", srow, qform=qform, sform=sform)
    volume, image = read_volume(path), sitk.ReadImage(str(path))
    assert volume.origin == image.GetOrigin()
    assert volume.direction == image.GetDirection()
    steps = np.reshape(volume.direction, (3, 3)) * volume.spacing
    position = np.diag((-1, -1, 1)) @ np.column_stack([steps, volume.origin])
    used = "sform" if np.allclose(position, srow, atol=1e-5) else "qform"
    assert sform != 1 or used == "sform"
    (warning,) = volume.warnings
    assert f"sform (code {sform}) and qform (code {qform})" in warning
    assert f"the {used} is used" in warning


@pytest.mark.parametrize("units, mm", [(1, 1e3), (3, 1e-3)])
def test_the_position_that_itk_reads_is_known_in_other_units(tmp_path, units, mm):
    path, pixdim = tmp_path / "in.nii", np.array((0.7, 0.7, 3)) / mm
    origin = np.array((5, -6, 7)) / mm
    srow = np.add(SQUARE, 50 * np.eye(3, 4, 3)) / mm
    write_nifti(path, srow, units=units, pixdim=pixdim, origin=origin)
    volume = read_volume(path)
    assert volume.origin == pytest.approx((-55, 6, 7), abs=1e-3)
    (warning,) = volume.warnings
    assert "the sform is used" in warning


@pytest.mark.parametrize("shear", [0.0, TILT])
def test_the_quaternion_of_a_half_turn_is_one_despite_rounding(tmp_path, shear):
    """Without care, rounding turns the scan by up to 0.03 degrees, or 0.1 mm over 200 mm."""
    path = tmp_path / "in.nii"
    for degrees in np.arange(0.5, 30, 2.5):
        half = np.radians(degrees) / 2
        # 180° about z, then a tilt about x: the quaternion (0, 0, sin, cos).
        quaternion = 0, -math.sin(half), math.cos(half)
        down = np.array((0, -math.cos(2 * half), -math.sin(2 * half)))
        normal = np.array((0, -math.sin(2 * half), math.cos(2 * half)))
        axes = np.column_stack([(-1, 0, 0), down, normal])
        steps = axes * (0.7, 0.7, 3)
        steps[:, 2] += shear * down
        srow = np.column_stack([steps, (5, -6, 7)])
        write_nifti(path, srow, quaternion=quaternion)
        header = replace(read_nifti_header(path), sizes=[512, 512, 300, 1, 1, 1, 1])
        position, warning = read_position(header)
        assert warning == ""
        if shear:
            np.testing.assert_allclose(np.diag((-1, -1, 1)) @ position, srow, atol=1e-5)
        else:
            assert position is None


def test_a_slice_without_a_direction_to_the_next_is_refused_by_name(tmp_path):
    path = write_nifti(tmp_path / "in.nii", np.multiply(SQUARE, (1, 1, 0, 1)), qform=0, slices=1)
    assert "no direction for the axis with one voxel" in refusal(path)


@pytest.mark.parametrize(("qform", "step"), [(0, 3), (1, 0), (1, 3)])
@pytest.mark.parametrize("thickness", [0, 3])
def test_a_slice_needs_no_distance_to_the_next(tmp_path, qform, step, thickness):
    srow = np.multiply(SQUARE, 1.0)
    srow[2, 2] = step
    path = tmp_path / "in.nii"
    write_nifti(path, srow, qform=qform, pixdim=(0.7, 0.7, thickness), slices=1)
    volume = read_volume(path)
    np.testing.assert_array_equal(volume.hu, stored_array()[:1])
    assert volume.spacing[:2] == pytest.approx((0.7, 0.7)) and volume.spacing[2] > 0
    assert volume.origin == pytest.approx((-5, 6, 7))
    np.testing.assert_allclose(np.reshape(volume.direction, (3, 3)), np.diag((-1, -1, 1)))


@pytest.mark.parametrize(
    "srow, stored, said",
    [
        (np.add(MIRRORED, np.eye(3, 4, 3)), {}, "sform and qform differ"),  # 1 mm beside it
        (MIRRORED, {}, "sform and qform differ"),
        (np.multiply(SQUARE, (1.3, 1.3, 1, 1)), {}, "sform and qform differ"),
        (np.multiply(SQUARE, (1.3, 1.3, 1, 1)), {"qform": 0}, "not pixdim"),
        (np.multiply(SQUARE, (1, 1, 1.3, 1)), {"qform": 0}, "not pixdim"),
        ([(0.7, 0.1, 0, 5), (0, 0.7, 0, -6), (0, 0, 3, 7)], {"qform": 0}, "skewed"),
        ([(0.7, 0, 0, 5), (0, 0.7, 0, -6), (0.4, 0, 3, 7)], {}, "sform and qform differ"),
        (np.full((3, 4), np.nan), {}, "sform and qform differ"),
        (np.zeros((3, 4)), {"qform": 0}, "skewed"),
    ],
)
def test_a_nifti_that_contradicts_itself_is_refused(tmp_path, srow, stored, said):
    assert said in refusal(write_nifti(tmp_path / "in.nii", srow, **stored))


@pytest.mark.parametrize("order", "<>")
def test_nifti_2_is_refused_by_its_name(tmp_path, order):
    (tmp_path / "in.nii").write_bytes(struct.pack(f"{order}i", 540) + bytes(600))
    assert "is NIfTI-2" in refusal(tmp_path / "in.nii")


def test_skewed_axes_within_the_slices_are_refused(tmp_path):
    skewed = [[1, 0.1, 0], [0, np.sqrt(0.99), 0], [0, 0, 1]]
    for suffix in EXACT:
        path = write_image(tmp_path / f"in{suffix}", direction=skewed)
        assert "skewed axes within its slices" in refusal(path)


@pytest.mark.parametrize("suffix", [".mhd", ".nhdr"])
def test_a_header_without_its_data_file_is_refused_by_the_name_of_that_file(tmp_path, suffix):
    path = write_image(tmp_path / f"in{suffix}")
    (data,) = (other for other in tmp_path.iterdir() if other != path)
    data.unlink()
    assert f"its data file {data.name} is missing" in refusal(path)


def test_a_header_that_names_several_data_files_is_read(tmp_path):
    path = write_image(tmp_path / "in.mhd")
    array = stored_array()
    for number, plane in enumerate(array):
        (tmp_path / f"p{number:03}.raw").write_bytes(plane.tobytes())
    lines = path.read_text().splitlines()[:-1]
    lines = [line for line in lines if not line.startswith("Compressed")]
    for named in (
        f"p%03d.raw 0 {len(array) - 1} 1",
        "\n".join(["LIST", *(f"p{number:03}.raw" for number in range(len(array)))]),
    ):
        path.write_text("\n".join([*lines, f"ElementDataFile = {named}\n"]))
        np.testing.assert_array_equal(read_volume(path).hu, array)


def test_colour_and_complex_voxels_are_refused(tmp_path):
    colour = np.zeros((18, 20, 22, 3), np.uint8)
    text = refusal(write_image(tmp_path / "rgb.nrrd", colour, isVector=True))
    assert "3 numbers per voxel" in text
    text = refusal(write_image(tmp_path / "complex.nii", stored_array().astype(np.complex64)))
    assert "2 numbers per voxel" in text


@pytest.mark.parametrize("suffix", OUTPUT_SUFFIXES)
def test_four_dimensions_are_refused(tmp_path, suffix):
    path = write_image(tmp_path / f"in{suffix}", stored_array((2, 18, 20, 22)), isVector=False)
    assert "is 4-D" in refusal(path)


@pytest.mark.parametrize("suffix", OUTPUT_SUFFIXES)
def test_a_fourth_axis_with_one_volume_is_left_out(tmp_path, suffix):
    array = stored_array()[np.newaxis]
    volume = read_volume(write_image(tmp_path / f"in{suffix}", array, isVector=False))
    np.testing.assert_array_equal(volume.hu, array[0])
    assert len(volume.spacing) == 3


def test_files_are_checked_like_arrays(tmp_path):
    labels = (stored_array() > 0).astype(np.uint8)
    assert "labels.nrrd contains only 2 distinct" in refusal(
        write_image(tmp_path / "labels.nrrd", labels)
    )
    nan = stored_array().astype(np.float32)
    nan[0, 0, 0] = np.nan
    assert "NaN" in refusal(write_image(tmp_path / "nan.nrrd", nan))
    assert "too small (5×5×5)" in refusal(
        write_image(tmp_path / "tiny.nrrd", stored_array((5, 5, 5)))
    )


@pytest.fixture
def source(tmp_path):
    folder = tmp_path / "source"
    folder.mkdir()
    return read_volume(write_image(folder / "in.nrrd"))


@pytest.fixture
def outbox(tmp_path):
    folder = tmp_path / "out"
    folder.mkdir()
    return folder


def test_an_older_file_is_replaced(source, outbox):
    (outbox / "a.nrrd").write_bytes(b"old")
    write_volume(outbox / "a.nrrd", source.hu, source)
    np.testing.assert_array_equal(read_volume(outbox / "a.nrrd").hu, source.hu)


@pytest.mark.parametrize("suffix", OUTPUT_SUFFIXES)
def test_a_note_is_stored_in_the_header_which_is_short_in_a_nifti(source, outbox, suffix):
    note = "Research use only." * 5
    write_volume(outbox / f"a{suffix}", source.hu, source, note=note)
    stored = sitk.ReadImage(str(outbox / f"a{suffix}")).GetMetaData("ITK_FileNotes")
    assert stored == (note[:79] if suffix in NIFTI else note)


@pytest.mark.parametrize("value", [40000.0, -40000.0, np.nan])
def test_hu_outside_int16_are_not_written(source, outbox, value):
    hu = source.hu.astype(float)
    hu[0, 0, 0] = value
    with pytest.raises(BadInputError):
        write_volume(outbox / "a.nrrd", hu, source)
    assert list(outbox.iterdir()) == []


def test_an_array_of_another_shape_raises_value_error(source, outbox):
    with pytest.raises(ValueError, match="its geometry is for"):
        write_volume(outbox / "a.nrrd", source.hu[1:], source)


def fail_to_write(image, path, **_):
    Path(path).write_bytes(b"half a file")
    raise RuntimeError("ITK ERROR: a long story\nin several lines")


def write_half(image, path, **options):
    WRITE_IMAGE(image, path, **options)
    with open(path, "r+b") as file:
        file.truncate(file.seek(0, 2) - 1000)


WRITE_IMAGE = sitk.WriteImage


@pytest.mark.parametrize("writer", [fail_to_write, write_half])
@pytest.mark.parametrize("suffix", OUTPUT_SUFFIXES)
def test_a_failed_write_leaves_only_the_older_file(
    source, outbox, monkeypatch, capfd, suffix, writer
):
    (outbox / f"a{suffix}").write_bytes(b"old")
    monkeypatch.setattr(sitk, "WriteImage", writer)
    with pytest.raises(BadInputError, match=r"could not be written \(the disk may be full\)"):
        write_volume(outbox / f"a{suffix}", source.hu, source)
    assert [path.name for path in outbox.iterdir()] == [f"a{suffix}"]
    assert (outbox / f"a{suffix}").read_bytes() == b"old"
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("suffix", OUTPUT_SUFFIXES)
def test_a_valid_output_path_is_accepted_and_not_created(outbox, suffix):
    check_output_path(str(outbox / f"a{suffix}"))
    assert list(outbox.iterdir()) == []


@pytest.mark.parametrize("name", ["a.nhdr", "a.mhd", "a.dcm", "a.png", "a", ".nrrd"])
def test_a_format_that_cannot_be_written_is_refused(outbox, name):
    with pytest.raises(BadInputError, match=re.escape(", ".join(OUTPUT_SUFFIXES))):
        check_output_path(outbox / name)


def test_an_invalid_folder_is_refused(outbox, monkeypatch):
    with pytest.raises(BadInputError, match="does not exist"):
        check_output_path(outbox / "missing" / "a.nrrd")
    (outbox / "folder.nrrd").mkdir()
    with pytest.raises(BadInputError, match="is a folder"):
        check_output_path(outbox / "folder.nrrd")

    def deny(*, dir):
        assert dir == outbox
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("tempfile.TemporaryFile", deny)
    with pytest.raises(BadInputError, match="cannot be written to \\(Permission denied\\)"):
        check_output_path(outbox / "a.nrrd")


def test_a_folder_of_windows_without_permission_is_tried_once(outbox, monkeypatch):
    tried = []

    def deny(path, flags, mode):
        tried.append(path)
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "O_TEMPORARY", 0, raising=False)
    output_paths._create_on_windows(outbox)
    assert [path.name.startswith(".pseudoct-") for path in outbox.iterdir()] == [True]
    monkeypatch.setattr(os, "open", deny)
    with pytest.raises(PermissionError):
        output_paths._create_on_windows(outbox)
    assert len(tried) == 1


def test_a_grid_may_be_shifted_by_less_than_a_tenth_of_a_voxel(source):
    source = replace(source, spacing=(1.0, 2.0, 3.0), origin=(0.0, 0.0, 0.0))
    check_same_grid(source, source)
    check_same_grid(source, replace(source, origin=(0.0, 0.0, -0.099)))
    with pytest.raises(BadInputError, match="spacing, direction or origin differ"):
        check_same_grid(source, replace(source, origin=(0.0, 0.0, -0.1)))


def test_volumes_on_different_grids_are_refused(source):
    i, j, k = source.spacing
    smaller = replace(source, hu=source.hu[1:])
    with pytest.raises(BadInputError, match="18×20×22 and 17×20×22 differ"):
        check_same_grid(source, smaller)
    for other in (
        replace(source, slice_axis=1),
        replace(source, spacing=(i, j, 1.01 * k)),
        replace(source, spacing=(i, j)),
        replace(source, direction=tuple(rotation(0, 0, 1).ravel())),
    ):
        with pytest.raises(BadInputError, match="spacing, direction or origin differ"):
            check_same_grid(source, other)
