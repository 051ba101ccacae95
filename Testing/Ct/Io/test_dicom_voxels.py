"""Compressed DICOM files: lossless compression keeps every HU, and damage is noticed."""

import io

import numpy as np
import pytest
from dicom_factory import (
    HEIGHTS,
    bodies,
    body,
    compressed_stream,
    ct_slice,
    enhanced_ct,
    store,
    write,
)
from PseudoCTDenoiseLib.ct.io.dicom_files import load_dataset
from PseudoCTDenoiseLib.ct.io.volume_files import read_volume
from PseudoCTDenoiseLib.errors import BadInputError
from pydicom.encaps import encapsulate, get_frame
from pydicom.uid import JPEG2000Lossless, RLELossless


@pytest.mark.parametrize("compressor", ["JPEG2000", "JPEG", "RLE"])
@pytest.mark.parametrize("multi_frame", [False, True])
def test_compressed_files_have_the_hu_that_were_compressed(tmp_path, compressor, multi_frame):
    slices = [enhanced_ct()] if multi_frame else [ct_slice(z, i) for i, z in enumerate(HEIGHTS)]
    heights = [HEIGHTS] if multi_frame else [[height] for height in HEIGHTS]
    for index, (image, positions) in enumerate(zip(slices, heights, strict=True)):
        found = [compressed_stream(tmp_path / "x.dcm", compressor, body(z)) for z in positions]
        image.PixelData = encapsulate([stream for stream, _ in found])
        image["PixelData"].VR = "OB"
        image.file_meta.TransferSyntaxUID = found[0][1]
        write(image, tmp_path / "scan" / f"{index}.dcm")
    assert found[0][1].is_compressed
    volume = read_volume(tmp_path / "scan")
    np.testing.assert_array_equal(volume.hu, bodies(HEIGHTS))
    assert volume.warnings == ()


@pytest.mark.parametrize("compressor", ["JPEG2000", "JPEG"])
def test_a_compressed_stream_without_its_end_is_refused(tmp_path, compressor):
    image = ct_slice()
    stream, syntax = compressed_stream(tmp_path / "x.dcm", compressor, body(0))
    image.PixelData = encapsulate([stream[: len(stream) // 2]])
    image["PixelData"].VR = "OB"
    image.file_meta.TransferSyntaxUID = syntax
    write(image, tmp_path / "scan" / "a.dcm")
    with pytest.raises(BadInputError, match=r"a\.dcm cannot be read: it is damaged"):
        read_volume(tmp_path / "scan")


@pytest.mark.parametrize("share", [0.3, 0.6, 0.9])
@pytest.mark.parametrize("compressor", ["JPEG2000", "JPEG"])
def test_a_stream_that_lacks_a_part_before_its_end_is_refused(tmp_path, compressor, share):
    image = ct_slice()
    stream, syntax = compressed_stream(tmp_path / "x.dcm", compressor, body(0))
    put(image, [stream[: int(share * len(stream)) // 2 * 2] + b"\xff\xd9"], syntax)
    write(image, tmp_path / "scan" / "a.dcm")
    with pytest.raises(BadInputError, match=r"a\.dcm cannot be read: it is damaged"):
        read_volume(tmp_path / "scan")


def put(image, streams, syntax, **options):
    image.PixelData = encapsulate(streams, **options)
    image["PixelData"].VR = "OB"
    image.file_meta.TransferSyntaxUID = syntax


def compressed(image, folder, compressor):
    """Compress an image; return its first stream and transfer syntax."""
    if compressor == "RLE":
        image.compress(RLELossless)
        frames = int(image.get("NumberOfFrames") or 1)
        return get_frame(image.PixelData, 0, number_of_frames=frames), RLELossless
    stream, syntax = compressed_stream(folder / "x.dcm", compressor, body(0))
    put(image, [stream] * int(image.get("NumberOfFrames") or 1), syntax)
    return stream, syntax


@pytest.mark.parametrize(("rows", "columns"), [(2, 0), (-2, 0), (0, 2), (0, -2)])
@pytest.mark.parametrize("make", [ct_slice, enhanced_ct])
@pytest.mark.parametrize("compressor", ["none", "RLE", "JPEG", "JPEG2000"])
def test_pixel_data_of_another_size_than_the_header_says_are_refused(
    tmp_path, compressor, make, rows, columns
):
    image = make()
    if compressor != "none":
        compressed(image, tmp_path, compressor)
    image.Rows += rows
    image.Columns += columns
    write(image, tmp_path / "scan" / "a.dcm")
    with pytest.raises(BadInputError, match=r"a\.dcm(, frame 1)? cannot be read: it"):
        read_volume(tmp_path / "scan")


@pytest.mark.parametrize("with_table", [False, True])
@pytest.mark.parametrize(("make", "frames"), [(ct_slice, 2), (enhanced_ct, 5), (enhanced_ct, 3)])
@pytest.mark.parametrize("compressor", ["RLE", "JPEG", "JPEG2000"])
def test_another_number_of_compressed_frames_than_the_header_says_is_refused(
    tmp_path, compressor, make, frames, with_table
):
    image = make()
    stream, syntax = compressed(image, tmp_path, compressor)
    put(image, [stream] * frames, syntax, has_bot=with_table)
    write(image, tmp_path / "scan" / "a.dcm")
    with pytest.raises(BadInputError, match=f"holds {frames} compressed frames, and its header"):
        read_volume(tmp_path / "scan")


@pytest.mark.parametrize(
    ("make", "change", "found"),
    [
        (ct_slice, lambda pixels: pixels[:-2], 958),
        (ct_slice, lambda pixels: pixels + bytes(48), 1008),
        (ct_slice, lambda pixels: pixels + b"\1\0", 962),
        (enhanced_ct, lambda pixels: pixels + pixels[:960], 4800),
        (enhanced_ct, lambda pixels: pixels[:-960], 2880),
    ],
)
def test_too_many_or_too_few_pixels_are_refused_with_the_numbers(tmp_path, make, change, found):
    image = make()
    image.PixelData = change(image.PixelData)
    write(image, tmp_path / "scan" / "a.dcm")
    with pytest.raises(BadInputError, match=f"holds {found} bytes of pixels, and its header"):
        read_volume(tmp_path / "scan")


@pytest.mark.parametrize("padding", [1, 2, 30])
def test_padding_after_the_pixels_is_accepted(tmp_path, padding):
    image = ct_slice()
    image.PixelData += bytes(padding)
    write(image, tmp_path / "a.dcm")
    np.testing.assert_array_equal(read_volume(tmp_path / "a.dcm").hu, bodies([0.0]))


@pytest.mark.parametrize("compressor", ["JPEG", "JPEG2000"])
def test_a_frame_in_several_fragments_is_read(tmp_path, compressor):
    image = ct_slice()
    stream, syntax = compressed(image, tmp_path, compressor)
    put(image, [stream], syntax, fragments_per_frame=3)
    write(image, tmp_path / "scan" / "a.dcm")
    np.testing.assert_array_equal(read_volume(tmp_path / "scan").hu, bodies([0.0]))


def test_jpeg_2000_in_its_file_format_is_read(tmp_path):
    image_file, stream = pytest.importorskip("PIL.Image"), io.BytesIO()
    image_file.fromarray((body(0) + 1024).astype(np.uint16)).save(stream, "JPEG2000")
    image = ct_slice()
    put(image, [stream.getvalue()], JPEG2000Lossless)
    write(image, tmp_path / "a.dcm")
    np.testing.assert_array_equal(read_volume(tmp_path / "a.dcm").hu, bodies([0.0]))


def test_pixels_in_the_upper_bits_are_refused(tmp_path):
    image = ct_slice()
    image.BitsStored, image.HighBit = 12, 15
    store(image, 16 * (body(0) + 1024) - 1024)
    write(image, tmp_path / "a.dcm")
    with pytest.raises(BadInputError, match=r"in bits 4 to 15 .*High Bit"):
        read_volume(tmp_path / "a.dcm")


def test_only_the_elements_that_decoding_needs_are_read(tmp_path, monkeypatch):
    found = []

    def load(*arguments):
        found.append(load_dataset(*arguments))
        return found[-1]

    monkeypatch.setattr("PseudoCTDenoiseLib.ct.io.dicom_voxels.load_dataset", load)
    read_volume(write(ct_slice(), tmp_path / "a.dcm"))
    (dataset,) = found
    assert "PixelData" in dataset and "PatientName" not in dataset
