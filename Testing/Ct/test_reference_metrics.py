"""Metrics against a reference, compared with scikit-image and known values."""

import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from PseudoCTDenoiseLib.ct import reference_metrics as metrics
from PseudoCTDenoiseLib.errors import BadInputError

DATA = Path(__file__).resolve().parents[3] / "shared" / "data"


@pytest.fixture
def pair():
    rng = np.random.default_rng(1)
    reference = rng.integers(-1024, 1500, (2, 24, 31)).astype(np.int16)
    return (reference + rng.normal(0, 25, reference.shape)).astype(np.float32), reference


def test_psnr_4096_of_20_hu_is_46_2_db_as_in_the_paper():
    reference = np.zeros((4, 8, 8), np.int16)
    assert metrics.psnr_4096(reference + 20, reference) == pytest.approx(46.2266, abs=1e-4)


def test_psnr_agrees_with_scikit_image_at_both_ranges(pair):
    from skimage.metrics import peak_signal_noise_ratio

    image, reference = (np.maximum(part, -1024.0) for part in pair)
    assert metrics.psnr_4096(*pair) == pytest.approx(
        peak_signal_noise_ratio(reference, image, data_range=4096)
    )
    low, high = np.clip(reference, -160, 240), np.clip(image, -160, 240)
    assert metrics.psnr_400(*pair) == pytest.approx(
        peak_signal_noise_ratio(low, high, data_range=400)
    )


def test_ssim_is_the_mean_over_slices_of_scikit_image(pair):
    from skimage.metrics import structural_similarity

    wide = [np.maximum(part.astype(float), -1024) + 1024 for part in pair]
    soft = [np.clip(part.astype(float), -160, 240) + 160 for part in pair]
    expected = [
        np.mean([structural_similarity(a, b, data_range=r) for a, b in zip(*p, strict=True)])
        for p, r in ((wide, 4096), (soft, 400))
    ]
    measured = [metrics.ssim_4096(*pair), metrics.ssim_400(*pair)]
    assert measured == pytest.approx(expected)
    assert measured[0] != pytest.approx(measured[1], abs=1e-3)


def test_equal_images_have_perfect_metrics(pair):
    row = metrics.image_metrics(pair[1], pair[1])
    assert row.pop("psnr_4096") == row.pop("psnr_400") == np.inf
    assert row.pop("ssim_4096") == row.pop("ssim_400") == pytest.approx(1)
    assert row.pop("rmse_hu") == 0
    assert list(row) == ["hu_bias"]


def test_padding_below_minus_1024_counts_as_minus_1024():
    reference = np.full((1, 8, 8), -1024, np.int16)
    padded = np.full((1, 8, 8), -2048, np.int16)
    assert metrics.rmse_hu(padded, reference) == 0


def test_int16_differences_do_not_overflow():
    high, low = np.full((8, 8), 32000, np.int16), np.full((8, 8), -1000, np.int16)
    assert metrics.rmse_hu(high, low) == 33000


def test_a_slice_and_a_stack_of_one_slice_have_the_same_metrics(pair):
    image, reference = pair
    assert metrics.image_metrics(image[0], reference[0]) == metrics.image_metrics(
        image[:1], reference[:1]
    )


def test_images_of_different_shapes_are_refused():
    with pytest.raises(BadInputError, match="cannot be compared"):
        metrics.psnr_4096(np.zeros((2, 8, 8)), np.zeros((8, 8)))


def test_hu_bias_is_the_mean_error_inside_the_body():
    reference = np.full((64, 80), -1000.0)
    reference[8:56, 10:70] = 60
    image = reference + 1
    image[20:36, 16:28] += 4
    inside = (image - reference)[8:56, 10:70]
    # The opening rounds the corners of the block: a handful of pixels.
    assert metrics.hu_bias(image, reference) == pytest.approx(inside.mean(), abs=0.01)
    assert np.isnan(metrics.hu_bias(image, np.full_like(image, -1000)))


def test_memory_does_not_grow_with_the_number_of_slices():
    low, normal = np.random.default_rng(0).integers(-1000, 1000, (2, 40, 128, 128), np.int16)
    metrics.image_metrics(low[:1], normal[:1])  # imports
    peaks = []
    for count in (10, 40):
        tracemalloc.start()
        metrics.image_metrics(low[:count], normal[:count])
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 1.2 * peaks[0]
