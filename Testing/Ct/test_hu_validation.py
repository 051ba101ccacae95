"""Images that are rejected because they are not CT in HU, and images that pass or are doubted."""

import numpy as np
import pytest
from PseudoCTDenoiseLib.ct.hu_validation import check_ct, checked_int16, ct_warning
from PseudoCTDenoiseLib.errors import BadInputError


def ct(shape=(3, 64, 64), noise=20.0):
    """Return a body (40 HU) with a layer of fat (−100 HU) and a bone (700 HU), in air."""
    hu = np.full(shape, -1000.0)
    hu[:, 8:-8, 8:-8] = -100
    hu[:, 12:-12, 12:-12] = 40
    hu[:, 30:34, 30:34] = 700
    return hu + noise * np.random.default_rng(0).standard_normal(shape)


def refusal(values):
    with pytest.raises(BadInputError) as caught:
        check_ct(values, "scan.nrrd")
    text = str(caught.value)
    assert text.startswith("scan.nrrd ") and "\n" not in text
    return text


def passes(values):
    """Check that an array is neither refused nor doubted."""
    check_ct(values)
    assert ct_warning(values) is None


def warning(values):
    check_ct(values, "scan.nrrd")
    text = ct_warning(values, "scan.nrrd")
    assert text.startswith("scan.nrrd ") and text.endswith(".") and "\n" not in text
    return text


@pytest.mark.parametrize("dtype", [np.int16, np.int32, np.float32, np.float64])
def test_a_ct_passes_in_every_real_type(dtype):
    passes(ct().astype(dtype))


def test_an_organ_without_air_and_fat_is_a_ct():
    rng = np.random.default_rng(0)
    for mean, contrast, noise in ((35, 8, 12), (60, 0, 4), (900, 200, 60)):
        wave = contrast * np.sin(np.indices((4, 48, 48)).sum(0) / 9)
        assert warning(np.rint(mean + wave + noise * rng.normal(size=wave.shape)).clip(0))


def test_a_noisy_organ_in_padding_of_zeros_is_not_a_segmentation():
    hu = np.zeros((3, 64, 64), np.int16)
    hu[:, 20:32, 20:32] = np.random.default_rng(0).normal(40, 5, (3, 12, 12)).round().clip(1)
    assert "no air or fat" in warning(hu)


@pytest.mark.parametrize("padding", [-1025, -2000, -2048, -3024, -32768])
def test_padding_is_accepted(padding):
    hu = ct()
    hu[:, :4] = padding
    check_ct(hu)


def test_a_crop_without_air_passes_on_its_fat():
    check_ct(ct()[:, 10:50, 10:50])


def test_a_noise_free_phantom_of_few_values_passes():
    check_ct(ct(noise=0))


def test_a_single_slice_of_16_pixels_passes_and_one_of_15_does_not():
    check_ct(ct((1, 64, 64))[:, 4:20, 4:20])
    assert "1×15×16" in refusal(ct((1, 64, 64))[:, 4:19, 4:20])


@pytest.mark.parametrize("shape", [(0, 64, 64), (1, 1, 1), (3, 64, 0)])
def test_an_empty_array_and_a_single_voxel_are_refused(shape):
    assert "too small" in refusal(np.zeros(shape, np.int16))


@pytest.mark.parametrize("shape", [(64, 64), (2, 3, 64, 64)])
def test_other_than_three_axes_are_refused(shape):
    assert f"is {len(shape)}-D" in refusal(np.zeros(shape, np.int16))


@pytest.mark.parametrize("dtype", [bool, complex, object])
def test_types_that_are_not_real_numbers_are_refused(dtype):
    assert "one real number per voxel" in refusal(ct().astype(dtype))


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_single_nan_or_infinity_is_refused(value):
    hu = ct()
    hu[1, 30, 30] = value
    assert "NaN or infinity" in refusal(hu)


def test_a_constant_volume_is_refused():
    assert "everywhere" in refusal(np.full((3, 64, 64), -1000, np.int16))


@pytest.mark.parametrize("value", [32768, -32769])
def test_values_beyond_int16_are_refused(value):
    hu = ct()
    hu[0, 0, 0] = value
    assert "outside the range of HU" in refusal(hu)


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.float32])
def test_a_segmentation_is_recognised(dtype):
    labels = np.zeros((3, 64, 64), dtype)
    labels[:, 10:30, 10:30] = 1
    labels[:, 40:50, 10:30] = 117
    labels[:, 52:55, ::8] = labels[1, ::7] = 1
    assert "3 distinct values: it looks like a segmentation" in refusal(labels)
    check_ct(labels, known_ct=True)


def test_a_negative_value_shows_that_an_image_is_not_a_segmentation():
    values = np.zeros((1, 16, 16), np.int16)
    values[0, 0] = -40
    assert "no air or fat" in warning(values)


def test_an_mr_gives_a_warning_with_its_range():
    rng = np.random.default_rng(0)
    mr = np.abs(rng.normal(0, 20, (3, 64, 64)))
    mr[:, 8:-8, 8:-8] += np.linspace(100, 1500, 48)
    text = warning(np.rint(mr).astype(np.int16))
    assert "not a CT in HU" in text and "from 0 to" in text


def test_a_normalised_float_image_is_refused():
    assert "0 everywhere" in refusal((ct(noise=5) + 1024) / 4096)


@pytest.mark.parametrize("offset", [1000, 1024])
def test_a_ct_stored_with_its_offset_is_recognised(offset):
    assert "1024 too high" in warning(np.maximum(ct() + offset, 0))


def test_a_ct_stored_with_its_offset_and_padding_is_recognised():
    raw = np.maximum(ct() + 1024, 0)
    raw[:, :4] = -2000
    assert "1024 too high" in warning(raw)


@pytest.mark.parametrize("shift", [-300, 300, 400])
def test_a_ct_with_shifted_values_is_recognised(shift):
    assert "looks shifted: only " in warning(ct() + shift)


def test_padding_does_not_hide_shifted_values():
    hu = ct() + 300
    hu[:, :, :24] = 0
    assert "looks shifted" in warning(hu)


@pytest.mark.parametrize("noise", [0.0, 200.0])
def test_a_bright_bone_in_a_noisy_ct_is_no_shift(noise):
    hu = ct(noise=noise)
    hu[:, 14:34, 14:34] += 700
    passes(hu)


def test_an_empty_scan_of_air_is_not_shifted():
    passes(np.random.default_rng(0).normal(-1000, 20, (3, 64, 64)))


def test_a_few_voxels_below_fat_do_not_make_an_mr_a_ct():
    mr = np.random.default_rng(0).uniform(0, 1500, (3, 64, 64))
    mr[0, 0, 0] = -150
    assert "not a CT in HU" in warning(mr)


def test_fat_is_below_minus_50_hu():
    hu = np.where(ct() < -50, 40, ct())
    hu[:, :20] = -60
    passes(hu)
    hu[:, :20] = -40
    assert "not a CT in HU" in warning(hu)


def test_a_ten_thousandth_of_the_voxels_must_be_fat_or_air():
    hu = np.random.default_rng(0).uniform(0, 200, (3, 64, 64))
    hu[0, 0, :2] = -100
    passes(hu)
    hu[0, 0, 1] = 0
    assert "not a CT in HU" in warning(hu)


@pytest.mark.parametrize(("labels", "recognised"), [(128, True), (129, False)])
def test_a_segmentation_has_at_most_128_distinct_values(labels, recognised):
    values = np.repeat(np.arange(3 * 64 * 64 // 8) % labels, 8).reshape(3, 64, 64)
    assert "looks like a segmentation" in refusal(values) if recognised else warning(values)


def test_the_range_of_hu_is_checked_after_rounding():
    hu = ct()
    hu[0, 0, :2] = -32768.4, 32767.4
    check_ct(hu)
    assert checked_int16(hu).min() == -32768 and checked_int16(hu).max() == 32767


def test_hu_are_rounded_to_the_nearest_int16():
    rounded = checked_int16(np.array([-1000.4, -0.6, 40.49, 32767.4]))
    assert rounded.dtype == np.int16
    assert rounded.tolist() == [-1000, -1, 40, 32767]


def test_int16_is_returned_without_a_copy():
    hu = np.arange(5, dtype=np.int16)
    assert checked_int16(hu) is hu


def test_an_empty_array_becomes_int16():
    assert checked_int16(np.zeros((0, 8, 8))).dtype == np.int16


@pytest.mark.parametrize("value", [32767.6, -32769.0, np.nan, np.inf])
def test_values_outside_int16_are_refused(value):
    for values in ([0.0, value], [value]):
        with pytest.raises(BadInputError):
            checked_int16(np.array(values))
