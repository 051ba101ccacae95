"""What the metrics promise."""

import csv
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from PseudoCTDenoiseLib.engine.errors import BadInputError
from PseudoCTDenoiseLib.engine.evaluation import metrics

DATA = Path(__file__).resolve().parents[4] / "shared" / "data"


@pytest.fixture
def pair():
    rng = np.random.default_rng(1)
    reference = rng.integers(-1024, 1500, (2, 24, 31)).astype(np.int16)
    return (reference + rng.normal(0, 25, reference.shape)).astype(np.float32), reference


def test_psnr_4096_of_20_hu_is_the_papers_46_2_db():
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


def test_ssim_is_the_mean_of_the_slices_of_scikit_image(pair):
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


def test_an_equal_image_is_perfect(pair):
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


def test_a_slice_and_a_stack_of_one_score_alike(pair):
    image, reference = pair
    assert metrics.image_metrics(image[0], reference[0]) == metrics.image_metrics(
        image[:1], reference[:1]
    )


def test_images_of_different_shapes_are_refused():
    with pytest.raises(BadInputError, match="cannot be compared"):
        metrics.psnr_4096(np.zeros((2, 8, 8)), np.zeros((8, 8)))


def test_hu_bias_is_told_by_tissue_and_inside_the_body():
    reference = np.full((64, 80), -1000.0)
    image = reference.copy()
    reference[8:56, 10:70] = 60
    for column, hu in enumerate((-800, -90, 0, 600)):
        reference[20:36, 16 + 12 * column : 28 + 12 * column] = hu
    image = reference + 1
    image[reference == -800] += 4
    image[reference == 600] -= 8
    bias = metrics.hu_bias(image, reference)
    assert bias["air"] == bias["fat"] == bias["water"] == bias["soft_tissue"] == 1
    assert bias["lung"] == 5
    assert -7 < bias["bone"] < -5  # its edges are in, where neighbours weigh
    inside = (image - reference)[8:56, 10:70]
    # The opening rounds the corners of the block: a handful of pixels.
    assert bias["body"] == pytest.approx(inside.mean(), abs=0.01)


def test_a_tissue_that_is_not_there_has_no_bias():
    reference = np.full((16, 16), 50.0)
    bias = metrics.hu_bias(reference, reference)
    assert bias["soft_tissue"] == bias["body"] == 0
    assert np.isnan(bias["bone"])


def test_noise_of_the_reference_does_not_pass_for_bias():
    rng = np.random.default_rng(2)
    reference = 20 + rng.normal(0, 30, (8, 128, 128))  # where water ends
    bias = metrics.hu_bias(np.full(reference.shape, 20.0), reference)
    assert abs(bias["body"]) < 0.5
    assert abs(bias["water"]) < 8 and abs(bias["soft_tissue"]) < 8


def test_the_body_holds_the_lungs_and_leaves_the_table_out():
    hu = np.full((2, 80, 100), -1000, np.int16)
    hu[:, 10:60, 10:90] = 40
    hu[:, 20:40, 30:60] = -850
    hu[:, 70:72, :] = 100
    mask = metrics.body_mask(hu)
    assert mask[:, 12:58, 12:88].all()
    assert not mask[:, 61:].any() and not mask[:, :10].any()
    assert metrics.body_mask(hu[0]).shape == (80, 100)


def test_a_body_that_fills_the_image_is_all_body():
    assert metrics.body_mask(np.full((1, 20, 20), 30, np.int16)).all()
    assert not metrics.body_mask(np.full((1, 20, 20), -1000, np.int16)).any()


def test_soft_tissue_noise_reads_the_noise_of_the_flattest_windows():
    rng = np.random.default_rng(3)
    hu = 50 + rng.normal(0, 20, (3, 96, 96))
    assert metrics.soft_tissue_noise(hu) == pytest.approx(20, rel=0.15)
    assert metrics.soft_tissue_noise(50 + 2 * (hu - 50)) == pytest.approx(
        2 * metrics.soft_tissue_noise(hu)
    )


def test_soft_tissue_noise_is_exact_for_a_pattern_and_looks_at_soft_tissue_alone():
    rows, columns = np.mgrid[:80, :80]
    board = np.where((rows + columns) % 2, 10.0, -10.0)
    hu = np.where(columns < 40, 50 + board, -700 + 0 * board)
    # 61 of the 121 pixels of a window have one sign, 60 the other.
    assert metrics.soft_tissue_noise(hu) == pytest.approx(10 * np.sqrt(1 - 1 / 121**2))


def test_noise_without_soft_tissue_is_refused_with_what_to_do():
    with pytest.raises(BadInputError, match="no soft tissue.*Give the noise"):
        metrics.soft_tissue_noise(np.full((2, 64, 64), -800, np.int16))
    with pytest.raises(BadInputError, match="no soft tissue"):
        metrics.noise_reduction(np.full((64, 64), -800), np.full((64, 64), -800))


def test_noise_reduction_is_the_part_of_the_noise_that_is_gone():
    noise = np.random.default_rng(4).normal(0, 20, (2, 64, 64))
    before, after = 60 + noise, 60 + 0.6 * noise
    assert metrics.noise_reduction(before, after) == pytest.approx(0.4)
    assert metrics.noise_reduction(before, before) == 0
    assert metrics.noise_reduction(np.full((64, 64), 60), np.full((64, 64), 60)) == 0


def test_noise_reduction_is_fair_to_unrelated_noise_of_the_same_strength():
    rng = np.random.default_rng(5)
    before, after = (60 + rng.normal(0, 20, (4, 96, 96)) for _ in range(2))
    assert abs(metrics.noise_reduction(before, after)) < 0.03


def test_white_noise_has_a_flat_spectrum_of_variance_times_pixel_area():
    windows = np.random.default_rng(6).normal(70, 12, (400, 64, 64))
    frequency, power = metrics.noise_power_spectrum(windows, 0.8)
    assert frequency[:2] == pytest.approx([0.125, 0.375]) and frequency[-1] == 7.875
    assert power == pytest.approx(np.full(32, 12**2 * 0.8**2), rel=0.05)


def test_the_spectrum_of_filtered_noise_is_the_filters_own():
    pixel_mm, sigma_px = 0.7, 0.8
    f = np.fft.fftfreq(64)
    transfer = np.exp(-2 * (np.pi * sigma_px) ** 2 * (f[:, None] ** 2 + f**2))
    windows = np.fft.ifft2(30 * 64 * transfer).real[None]  # |DFT|^2 is the filter's, exactly
    frequency, power = metrics.noise_power_spectrum(windows, pixel_mm)
    cycles_per_px = frequency / 10 * pixel_mm
    expected = (30 * pixel_mm) ** 2 * np.exp(-4 * (np.pi * sigma_px * cycles_per_px) ** 2)
    # What is left is where the samples of a ring happen to lie in it.
    assert power == pytest.approx(expected, abs=0.01 * expected.max())
    shape = metrics.normalised_spectrum(power)
    assert metrics.mean_frequency(frequency, shape) == pytest.approx(
        metrics.mean_frequency(frequency, expected), abs=0.02
    )


def test_a_pure_wave_lies_in_its_own_ring_with_all_its_power():
    x = np.arange(64)
    windows = np.broadcast_to(10 * np.cos(2 * np.pi * 8 * x / 64), (1, 64, 64))
    frequency, power = metrics.noise_power_spectrum(windows, 1.0)  # 8 / 6.4 cm = 1.25 /cm
    assert frequency[np.argmax(power)] == 1.375
    fx = 10 * np.fft.fftfreq(64, 1.0)
    ring = np.floor(np.hypot(fx[:, None], fx) / 0.25) == 5
    assert power[5] * ring.sum() / 64**2 == pytest.approx(50)  # the variance of the wave
    assert np.delete(power, 5) == pytest.approx(0, abs=1e-9)


def test_beyond_the_sampled_frequencies_the_power_is_zero_and_small_pixels_leave_no_gap():
    white = np.random.default_rng(8).normal(0, 10, (200, 32, 32))
    frequency, power = metrics.noise_power_spectrum(white, 1.2)
    assert power[frequency > 6] == pytest.approx(0)
    _, power = metrics.noise_power_spectrum(white, 0.4)
    assert power == pytest.approx(np.full(32, 16), rel=0.15)


def test_a_normalised_spectrum_sums_to_one_and_keeps_its_mean_frequency():
    frequency, power = np.array([1.0, 2.0, 3.0]), np.array([2.0, 4.0, 2.0])
    assert metrics.normalised_spectrum(power) == pytest.approx([0.25, 0.5, 0.25])
    assert metrics.mean_frequency(frequency, power) == 2


def test_autocorrelation_tells_columns_from_rows():
    windows = np.broadcast_to(np.where(np.arange(16) % 2, 1.0, -1.0), (3, 16, 16)) + 40
    assert metrics.autocorrelation(windows) == pytest.approx(
        {"x1": -1, "x2": 1, "x3": -1, "y1": 1, "y2": 1, "y3": 1}
    )


def test_autocorrelation_of_a_moving_average_falls_in_thirds():
    white = np.random.default_rng(9).normal(0, 20, (300, 64, 66))
    windows = (white[:, :, :-2] + white[:, :, 1:-1] + white[:, :, 2:]) / 3
    found = metrics.autocorrelation(windows)
    expected = {"x1": 2 / 3, "x2": 1 / 3, "x3": 0, "y1": 0, "y2": 0, "y3": 0}
    assert found == pytest.approx(expected, abs=0.01)


@pytest.mark.parametrize("stack", ["ny-sbu", "tcga-lung"])
def test_soft_tissue_noise_reproduces_the_listed_noise_of_real_slices(stack):
    image = DATA / "ct" / f"{stack}_single-slices.nii.gz"
    if not image.exists():
        pytest.skip(f"the reference data is missing: {image}")
    hu = sitk.GetArrayFromImage(sitk.ReadImage(str(image)))
    with open(image.with_name(f"{stack}_single-slices.csv"), newline="") as file:
        rows = list(csv.DictReader(file))[:20]
    ratio = [metrics.soft_tissue_noise(hu[int(r["index"])]) / float(r["noise_hu"]) for r in rows]
    assert np.median(ratio) == pytest.approx(1, abs=0.02)
    assert ratio == pytest.approx([1] * len(ratio), abs=0.2)
