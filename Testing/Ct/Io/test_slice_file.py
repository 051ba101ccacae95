"""A scan on disk behaves like the scan in memory, slice by slice."""

import resource

import numpy as np
import pytest
from PseudoCTDenoiseLib.ct.io.slice_file import SliceFile
from PseudoCTDenoiseLib.errors import BadInputError

SHAPE = (3, 5, 4)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "é scan.npy"


def test_a_new_file_holds_zeros_and_has_its_final_size(path):
    scan = SliceFile(path, SHAPE)
    size = path.stat().st_size
    assert np.array_equal(np.load(path), np.zeros(SHAPE, np.int16))
    for index in range(3):
        scan[index] = index
    assert path.stat().st_size == size


def test_slices_can_be_written_in_any_order_and_read_by_numpy(path):
    values = np.random.default_rng(0).integers(-32768, 32767, SHAPE).astype(np.int16)
    scan = SliceFile(path, SHAPE)
    for index in (2, 0, 1):
        scan[index] = values[index].astype(np.int64)
    assert np.array_equal(np.load(path), values)
    assert np.array_equal(np.stack(list(scan)), values)
    assert (scan.shape, scan.size, scan.ndim, scan.dtype) == (SHAPE, 60, 3, values.dtype)


def test_the_whole_scan_can_be_read_into_memory(path):
    slices = SliceFile(path, (2, 3, 4))
    slices[1] = np.arange(12).reshape(3, 4)
    scan = slices.read()
    assert scan.dtype == np.int16 and scan.flags.writeable
    assert np.array_equal(scan, [np.zeros((3, 4)), np.arange(12).reshape(3, 4)])


def test_a_numpy_file_is_read_as_copies(path):
    values = np.arange(60, dtype=np.int16).reshape(SHAPE)
    np.save(path, values)
    scan = SliceFile(path)
    scan[1][...] = 0
    assert len(scan) == 3 and np.array_equal(scan[np.int64(1)], values[1])


@pytest.mark.parametrize("index", [-1, 3])
def test_other_slices_are_refused(path, index):
    scan = SliceFile(path, SHAPE)
    with pytest.raises(IndexError, match=f"slice {index} is out of range for 3 slices"):
        scan[index]
    with pytest.raises(IndexError):
        scan[index] = 0


@pytest.mark.parametrize(
    "values",
    [
        np.zeros((2, 2), np.int16),
        np.zeros(SHAPE, np.float32),
        np.zeros(SHAPE, np.int16).transpose(2, 1, 0),
    ],
)
def test_a_file_without_int16_slices_is_refused(path, values):
    np.save(path, values)
    with pytest.raises(ValueError, match="not int16 slices"):
        SliceFile(path)


def test_a_full_disk_is_reported_in_plain_words(path):
    scan = SliceFile(path, SHAPE)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (200, before[1]))
    try:
        with pytest.raises(BadInputError, match="free some space"):
            scan[2] = 1
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_objects_are_never_unpickled(path):
    np.save(path, np.array([{}], object), allow_pickle=True)
    with pytest.raises(ValueError, match="objects"):
        SliceFile(path)


def test_a_truncated_file_is_refused(path):
    scan = SliceFile(path, SHAPE)
    with open(path, "r+b") as file:
        file.truncate(path.stat().st_size - 1)
    assert scan[1].shape == (5, 4)
    with pytest.raises(OSError, match="slice 2"):
        scan[2]
