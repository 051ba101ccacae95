"""Compressed DICOM files: lossless compression keeps every HU, and damage is noticed."""

import numpy as np
import pytest
from dicom_factory import HEIGHTS, bodies, body, compressed_stream, ct_slice, enhanced_ct, write
from PseudoCTDenoiseLib.ct.io.volume_files import read_volume
from PseudoCTDenoiseLib.errors import BadInputError
from pydicom.encaps import encapsulate


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
