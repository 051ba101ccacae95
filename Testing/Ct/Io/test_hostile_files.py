"""Malformed and malicious volume files end with one line, without crash, hang or much memory.

Each file is read in a child process with limits. The long form is ``make torture``.
"""

import gzip
import os
import re
import shutil
import struct
import sys
import zlib
from random import Random

import numpy as np
import pytest
from dicom_factory import ct_slice
from dicom_factory import write as write_dicom
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from limited_reader import READ, REFUSED, LimitedReader
from mutated_files import SEEDS, damage, volume
from PseudoCTDenoiseLib.ct.io.data_files import NO_SPACING
from PseudoCTDenoiseLib.ct.io.volume_files import read_volume
from PseudoCTDenoiseLib.errors import BadInputError
from pydicom.uid import DeflatedExplicitVRLittleEndian

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the limits are those of Linux")

KINDS = [kind for kind in SEEDS if "model" not in kind]
DAMAGED = "is damaged, incomplete or of another format"
OUTSIDE = "which is outside its folder: move the file beside the header"


@pytest.fixture(scope="module")
def reader():
    with LimitedReader() as reader:
        yield reader


def write(folder, kind):
    """Write a valid file; return its path."""
    folder.mkdir(parents=True, exist_ok=True)
    return SEEDS[kind](folder)


def edit(path, before, after):
    """Replace the part of a file that matches a pattern, which must be there."""
    content, count = re.subn(before, lambda _: after, path.read_bytes(), count=1)
    assert count == 1
    path.write_bytes(content)


def refusal(path):
    with pytest.raises(BadInputError) as caught:
        read_volume(path, slice_axis="k")
    return str(caught.value)


@pytest.mark.parametrize("kind", KINDS)
def test_a_valid_file_of_every_kind_is_read(tmp_path, kind):
    path = write(tmp_path, kind)
    hu = read_volume(path, slice_axis="k").hu
    if "DICOM" not in kind:
        np.testing.assert_array_equal(hu, volume())


NRRD_EDITS = [
    ("NRRD, numbered files", rb"p%01d\.raw", b"%0999999999d"),
    ("NRRD, numbered files", rb"p%01d\.raw", b"%99d"),
    ("NRRD, numbered files", rb"p%01d\.raw", b"%d%s%n"),
    ("NRRD, numbered files", rb"0 3 1", b"0 2147483647 1"),
    ("NRRD, numbered files", rb"0 3 1", b"0 3 0"),
    ("NRRD, numbered files", rb"0 3 1", b"3 0 1"),
    ("NRRD, data file", rb"a\.raw", b"a.raw\0.gz"),
    ("NRRD", rb"sizes: 18 16 4", b"sizes: 18 16 40000000"),
    ("NRRD", rb"sizes: 18 16 4", b"sizes: 18 16 -4"),
    ("NRRD", rb"sizes: 18 16 4", b"sizes: 18 16 5"),
    ("NRRD", rb"sizes: 18 16 4", b"sizes: 4294967296 4294967296 4"),
    ("NRRD", rb"sizes: 18 16 4", b"sizes: 18 16 4x"),
    ("NRRD", rb"dimension: 3", b"dimension: 4000000000"),
    ("NRRD", rb"type: short", b"type: double"),
    ("NRRD", rb"kinds", b"1" * 5000),
    ("NRRD", rb"left-posterior-superior", b"1" * 5000),
    ("NRRD", rb"encoding: raw", b"encoding: raw\nbyte skip: 99999999999"),
    ("NRRD", rb"encoding: raw", b"encoding: raw\nline skip: 4294967295"),
    ("NRRD", rb"encoding: raw", b"encoding: raw\nencoding: gzip"),
    ("NRRD", rb"encoding: raw", b"content: a\rdata file: /etc/passwd\nencoding: raw"),
    ("NRRD, gzip", rb"sizes: 18 16 4", b"sizes: 18 16 20000"),
    ("NRRD, gzip", rb"encoding: gzip", b"encoding: gzip\nbyte skip: -1"),
]
METAIMAGE_EDITS = [
    ("MetaImage, numbered files", rb"p%01d\.raw", b"%s%s%n"),
    ("MetaImage, numbered files", rb"p%01d\.raw", b"%d%d"),
    ("MetaImage, numbered files", rb"0 3 1", b"0 3"),
    ("MetaImage, numbered files", rb"0 3 1", b"0 3 0"),
    ("MetaImage, numbered files", rb"0 3 1", b"0 2 1"),
    ("MetaImage", rb"NDims = 3", b"NDims = -3"),
    ("MetaImage", rb"NDims = 3", b"NDims = 11"),
    ("MetaImage", rb"NDims = 3", b"NDims = 3\nNDims = 2"),
    ("MetaImage", rb"DimSize = 18 16 4", b"DimSize = 18 16 40000000"),
    ("MetaImage", rb"DimSize = 18 16 4", b"DimSize = 18 16"),
    ("MetaImage", rb"Offset = 0 0 0", b"Offset = 0 x 0"),
    ("MetaImage", rb"Offset = 0 0 0", b"Offset = nan 0 0"),
    ("MetaImage", rb"MET_SHORT", b"MET_FLOAT_MATRIX"),
    ("MetaImage", rb"NDims = 3", b"NDims = 3\nHeaderSize = 2147483647"),
    ("MetaImage", rb"NDims = 3", b"NDims = 3\nElementNumberOfChannels = 2147483647"),
    ("MetaImage", rb"NDims = 3", b"NDims = 3\n" + b"x" * 600 + b" = 1"),
    ("MetaImage, zlib", rb"CompressedDataSize = \d+", b"CompressedDataSize = 999999999999"),
    ("MetaImage, zlib", rb"CompressedDataSize = \d+", b"CompressedDataSize = -1"),
    ("MetaImage, zlib", rb"CompressedDataSize = \d+", b"CompressedDataSize = 100"),
    ("MetaImage, data file", rb"CompressedDataSize = \d+", b"CompressedDataSize = 100"),
    ("MetaImage, zlib", rb"DimSize = 18 16 4", b"DimSize = 18 16 8"),
    ("MetaImage, list of files", rb"p2\.raw\n", b""),
    ("MetaImage, list of files", rb"LIST", b"LIST 0"),
]


@pytest.mark.parametrize(("kind", "before", "after"), NRRD_EDITS + METAIMAGE_EDITS)
def test_a_hostile_text_header_is_refused(tmp_path, reader, kind, before, after):
    path = write(tmp_path, kind)
    edit(path, before, after)
    outcome = reader.read(path)
    assert (outcome.kind, DAMAGED in outcome.text) == (REFUSED, True), outcome


@pytest.mark.parametrize("after", [b"CompressedDataSize = 0\n", b""])
def test_compressed_voxels_of_unknown_length_are_refused(tmp_path, reader, after):
    path = write(tmp_path, "MetaImage, zlib")
    edit(path, rb"CompressedDataSize = \d+\n", after)
    outcome = reader.read(path)
    assert outcome.kind == REFUSED
    assert "does not state the length of its compressed voxels" in outcome.text


@pytest.mark.parametrize(
    ("layout", "at", "value"),
    [
        *(("h", 40, value) for value in (0, 8, -1)),
        *(("h", 44, value) for value in (0, -16, 32767)),
        *(("h", 70, value) for value in (0, 1, 99, 64)),
        *(("f", 108, value) for value in (np.nan, -1.0, 1e9, 3e38)),
        ("4s", 344, b"ni1\0"),
        ("4s", 344, b"\0" * 4),
        ("f", 256, np.nan),
    ],
)
@pytest.mark.parametrize("kind", ["NIfTI", "NIfTI, gzip"])
def test_a_hostile_nifti_header_is_refused(tmp_path, reader, kind, layout, at, value):
    path = write(tmp_path, kind)
    opened = gzip.open if path.suffix == ".gz" else open
    with opened(path, "rb") as file:
        content = bytearray(file.read())
    struct.pack_into(f"<{layout}", content, at, value)
    with opened(path, "wb") as file:
        file.write(content)
    outcome = reader.read(path)
    said = any(text in outcome.text for text in (DAMAGED, "contradicts itself", "NaN"))
    assert (outcome.kind, said) == (REFUSED, True), outcome


@pytest.mark.parametrize("kind", ["NRRD, data file", "MetaImage, data file"])
@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("../secret.raw", OUTSIDE),
        ("{outside}", OUTSIDE),
        ("sub/../../secret.raw", OUTSIDE),
        ("/dev/zero", OUTSIDE),
        (".", OUTSIDE),
        ("pipe.raw", "is not a file"),
        ("zero.raw", "is not a file"),
        ("sub", "is not a file"),
        ("none.raw", "its data file none.raw is missing"),
        ("n" * 300, "is missing"),
    ],
)
def test_a_data_file_outside_the_folder_or_without_an_end_is_refused(
    tmp_path, reader, kind, name, said
):
    (tmp_path / "secret.raw").write_bytes(volume().tobytes())
    path = write(tmp_path / "scan", kind)
    (path.parent / "sub").mkdir()
    os.mkfifo(path.parent / "pipe.raw")
    (path.parent / "zero.raw").symlink_to("/dev/zero")
    edit(path, rb"a\.z?raw", name.format(outside=tmp_path / "secret.raw").encode())
    outcome = reader.read(path)
    assert (outcome.kind, said in outcome.text) == (REFUSED, True), outcome


def test_a_header_does_not_read_the_terminal(tmp_path, reader):
    path = write(tmp_path, "NRRD, data file")
    edit(path, rb"a\.raw", b"-")
    outcome = reader.read(path)
    assert (outcome.kind, "data file - is missing" in outcome.text) == (REFUSED, True), outcome


@pytest.mark.parametrize("kind", ["NRRD, list of files", "MetaImage, list of files"])
def test_every_file_of_a_list_is_checked(tmp_path, reader, kind):
    (tmp_path / "secret.raw").write_bytes(volume()[0].tobytes())
    path = write(tmp_path / "scan", kind)
    edit(path, rb"p2\.raw", b"../secret.raw")
    assert OUTSIDE in reader.read(path).text
    edit(path, rb"\.\./secret\.raw", b"p3.raw")
    (path.parent / "p3.raw").write_bytes(bytes(10))
    assert DAMAGED in reader.read(path).text


@pytest.mark.parametrize("kind", ["NRRD, data file", "MetaImage, data file"])
def test_a_data_file_may_be_a_link_and_lie_in_a_folder_below(tmp_path, kind):
    path = write(tmp_path / "scan", kind)
    (data,) = (other for other in path.parent.iterdir() if other != path)
    store = tmp_path / "store"
    store.mkdir()
    for name in ("sub/voxels.bin", f"{path.parent}/sub/voxels.bin"):
        edited = path.parent / f"{len(name)}{path.suffix}"
        edited.write_bytes(path.read_bytes().replace(data.name.encode(), name.encode()))
    (path.parent / "sub").mkdir()
    data.rename(store / "voxels")
    (path.parent / "sub" / "voxels.bin").symlink_to(store / "voxels")
    for name in ("sub/voxels.bin", f"{path.parent}/sub/voxels.bin"):
        edited = path.parent / f"{len(name)}{path.suffix}"
        np.testing.assert_array_equal(read_volume(edited).hu, volume())
    link = tmp_path / "link"
    link.symlink_to(path.parent)
    np.testing.assert_array_equal(read_volume(link / edited.name).hu, volume())


@pytest.mark.parametrize("name", ["pipe.nrrd", "pipe.dcm", "pipe", "zero.mha", "zero.nii"])
def test_a_pipe_or_a_device_is_refused(tmp_path, reader, name):
    path = tmp_path / name
    if name.startswith("zero"):
        path.symlink_to("/dev/zero")
    else:
        os.mkfifo(path)
    outcome = reader.read(path)
    assert (outcome.kind, "is a pipe or a device" in outcome.text) == (REFUSED, True), outcome


def test_a_name_that_is_too_long_is_refused(tmp_path):
    assert "cannot be opened" in refusal(tmp_path / f"{'n' * 300}.nrrd")
    (tmp_path / "file").touch()
    assert "does not exist" in refusal(tmp_path / "file" / "a.nrrd")


@pytest.mark.parametrize("kind", ["NRRD, gzip", "MetaImage, zlib", "NIfTI, gzip"])
def test_a_small_file_does_not_claim_gigabytes(tmp_path, reader, kind):
    path = write(tmp_path, kind)
    if kind == "NIfTI, gzip":
        header = bytearray(gzip.decompress(path.read_bytes())[:352])
        struct.pack_into("<3h", header, 42, 10000, 10000, 30)
        path.write_bytes(gzip.compress(bytes(header) + bytes(20 << 20)))
    else:
        edit(path, b"18 16 4", b"10000 10000 30")
        with open(path, "ab") as file:
            file.write(zlib.compress(bytes(20 << 20)))
    assert path.stat().st_size < 50_000
    outcome = reader.read(path)
    assert (outcome.kind, DAMAGED in outcome.text) == (REFUSED, True), outcome


def test_missing_compressed_voxels_are_not_made_up(tmp_path, reader):
    """ITK returns what was in the memory before."""
    path = write(tmp_path, "MetaImage, zlib")
    header, _, _ = path.read_bytes().partition(b"ElementDataFile = LOCAL\n")
    stream = zlib.compress(volume().tobytes()[:-1000])
    header = re.sub(rb"CompressedDataSize = \d+", b"CompressedDataSize = %d" % len(stream), header)
    path.write_bytes(header + b"ElementDataFile = LOCAL\n" + stream)
    assert DAMAGED in reader.read(path).text


def test_a_list_of_files_without_its_last_line_end_is_refused(tmp_path, reader):
    """ITK leaves out the last file and returns what was in the memory before."""
    path = write(tmp_path, "MetaImage, list of files")
    path.write_bytes(path.read_bytes().rstrip())
    assert "ends without a line end" in reader.read(path).text


def test_a_nifti_is_not_expanded_without_end(tmp_path, reader):
    path = write(tmp_path, "NIfTI, gzip")
    content = gzip.decompress(path.read_bytes())
    path.write_bytes(gzip.compress(content + bytes(100 << 20), 1))
    assert DAMAGED in reader.read(path).text


@pytest.mark.slow
def test_a_deflated_dicom_file_is_not_expanded_without_end(tmp_path, reader):
    image = ct_slice()
    image.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
    path = write_dicom(image, tmp_path / "a.dcm")
    assert reader.read(path).kind == READ
    content = path.read_bytes()
    start = 144 + int.from_bytes(content[140:144], "little")
    stream = zlib.compressobj(wbits=-15)
    deflated = stream.compress(zlib.decompress(content[start:], -15))
    deflated += stream.flush(zlib.Z_FULL_FLUSH)
    zeros = stream.compress(bytes(1 << 24)) + stream.flush(zlib.Z_FULL_FLUSH)
    path.write_bytes(content[:start] + deflated + 70 * zeros + stream.flush())
    outcome = reader.read(path)
    assert (outcome.kind, "damaged" in outcome.text) == (REFUSED, True), outcome


SPACINGS = [
    ("NRRD, text", rb"spacings: 0\.75", b"spacings: %s"),
    ("NRRD", rb"space directions: \(0\.75", b"space directions: (%s"),
    ("NRRD", rb"\(0,0,2\.5\)", b"(0,0,%s)"),
]


@pytest.mark.parametrize(("kind", "before", "after"), SPACINGS)
@pytest.mark.parametrize("value", ["nan", "inf", "0"])
def test_a_spacing_that_is_no_length_is_refused(tmp_path, kind, before, after, value):
    path = write(tmp_path, kind)
    edit(path, before, after % value.encode())
    assert f"states a voxel size of {value} mm" in refusal(path)


@pytest.mark.parametrize(
    "line, said",
    [
        (b"ElementToIntensityFunctionSlope = 2", "states a rescale of its values"),
        (b"Modality = MET_MOD_MR", "has the modality MR"),
    ],
)
@pytest.mark.parametrize("before", [b"", b"\n"])
def test_a_metaimage_of_other_values_is_refused(tmp_path, line, said, before):
    path = write(tmp_path, "MetaImage")
    edit(path, rb"ElementDataFile", before + line + b"\nElementDataFile")
    assert said in refusal(path)


def test_a_metaimage_with_a_spacing_of_zero_is_refused(tmp_path):
    path = write(tmp_path, "MetaImage")
    edit(path, rb"ElementSpacing = 0\.75", b"ElementSpacing = 0")
    assert "states a voxel size of 0 mm" in refusal(path)


@pytest.mark.parametrize("value", [np.nan, np.inf, 0.0])
def test_a_nifti_spacing_that_is_no_length_is_refused(tmp_path, value):
    path = write(tmp_path, "NIfTI")
    content = bytearray(path.read_bytes())
    struct.pack_into("<f", content, 88, value)
    struct.pack_into("<2h", content, 252, 0, 0)  # neither of the two positions
    path.write_bytes(content)
    assert f"states a voxel size of {value:g} mm" in refusal(path)


@pytest.mark.parametrize(
    ("kind", "line"),
    [
        ("NRRD, text", rb"spacings: .*\n"),
        ("NRRD", rb"space directions: .*\n"),
        ("MetaImage", rb"ElementSpacing = .*\n"),
    ],
)
def test_a_missing_spacing_is_assumed_with_a_warning(tmp_path, kind, line):
    path = write(tmp_path, kind)
    others = read_volume(path).warnings
    assert NO_SPACING not in others
    edit(path, line, b"")
    volume = read_volume(path, slice_axis="k")
    assert volume.warnings == (NO_SPACING, *others) and volume.spacing == (1.0, 1.0, 1.0)


def test_headers_of_other_programs_are_read(tmp_path):
    """Comments, keys with values, Windows line ends and empty entries are not attacks."""
    path = write(tmp_path, "NRRD")
    edit(path, rb"kinds: ", b"# a: comment\nkey:=any value: 3\nkinds: ")
    np.testing.assert_array_equal(read_volume(path).hu, volume())
    for kind in ("NRRD, data file", "MetaImage, data file"):
        path = write(tmp_path / kind, kind)
        path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
        np.testing.assert_array_equal(read_volume(path).hu, volume())
    path = write(tmp_path, "MetaImage")
    edit(path, rb"NDims = 3", b"Comment = \nName : a = b\n\nNDims : 3\nOwn Key = " + b"x" * 3000)
    np.testing.assert_array_equal(read_volume(path).hu, volume())


def test_text_of_a_file_does_not_control_the_terminal(tmp_path):
    (tmp_path / "a\x1b[2Jb.jpg").touch()
    assert refusal(tmp_path / "a\x1b[2Jb.jpg").startswith("a?[2Jb.jpg does not have the suffix")
    assert str(BadInputError("two\nlines")) == "two lines"


@pytest.fixture(scope="module")
def seeds(tmp_path_factory):
    """Valid files by kind, each in a folder of its own."""
    folder = tmp_path_factory.mktemp("seeds")
    return {kind: write(folder / kind, kind) for kind in KINDS}


@settings(
    max_examples=150,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(kind=st.sampled_from(KINDS), seed=st.integers(0, 10**6))
def test_a_damaged_file_is_read_or_refused(tmp_path_factory, reader, seeds, kind, seed):
    folder = tmp_path_factory.mktemp("damaged") / "copy"
    shutil.copytree(seeds[kind].parent, folder)
    path = folder / seeds[kind].name
    damage(kind, path, Random(seed))
    outcome = reader.read(path)
    assert outcome.kind in (READ, REFUSED), outcome
