"""The noise level measures the noise in uniform soft tissue."""

import csv
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from PseudoCTDenoiseLib.ct import noise_level
from PseudoCTDenoiseLib.errors import BadInputError

DATA = Path(__file__).resolve().parents[3] / "shared" / "data"


def test_soft_tissue_noise_measures_the_flattest_windows():
    rng = np.random.default_rng(3)
    hu = 50 + rng.normal(0, 20, (3, 96, 96))
    assert noise_level.soft_tissue_noise(hu) == pytest.approx(20, rel=0.15)
    assert noise_level.soft_tissue_noise(50 + 2 * (hu - 50)) == pytest.approx(
        2 * noise_level.soft_tissue_noise(hu)
    )


def test_soft_tissue_noise_is_exact_for_a_pattern_and_ignores_other_tissue():
    rows, columns = np.mgrid[:80, :80]
    board = np.where((rows + columns) % 2, 10.0, -10.0)
    hu = np.where(columns < 40, 50 + board, -700 + 0 * board)
    # 61 of the 121 pixels of a window have one sign, 60 the other.
    assert noise_level.soft_tissue_noise(hu) == pytest.approx(10 * np.sqrt(1 - 1 / 121**2))


@pytest.mark.parametrize("hu", [0, 130])
def test_soft_tissue_windows_have_a_mean_from_0_to_130_hu(hu):
    assert noise_level.soft_tissue_noise(np.full((32, 32), hu)) == 0
    outside = hu - 1 if hu == 0 else hu + 1
    with pytest.raises(BadInputError, match="no soft tissue"):
        noise_level.soft_tissue_noise(np.full((32, 32), outside))


def test_a_slice_needs_100_soft_tissue_windows():
    hu = 50 + np.random.default_rng(6).normal(0, 20, (20, 20))  # 10 x 10 windows
    assert noise_level.soft_tissue_noise(hu) > 0
    assert noise_level.noise_reduction(hu, 50 + (hu - 50) / 2) == pytest.approx(0.5)
    for measure in (noise_level.soft_tissue_noise, lambda x: noise_level.noise_reduction(x, x)):
        with pytest.raises(BadInputError, match="no soft tissue"):
            measure(hu[:, :19])


def test_the_median_over_slices_ignores_an_outlier():
    noise = np.random.default_rng(7).normal(0, 10, (48, 48))
    before = 50 + np.stack([noise, noise, 4 * noise])
    after = 50 + np.stack([noise / 2, noise / 2, 4 * noise])
    assert noise_level.soft_tissue_noise(before) == noise_level.soft_tissue_noise(before[0])
    assert noise_level.noise_reduction(before, after) == pytest.approx(0.5)


@pytest.mark.parametrize("value", [-100, 0, 60, 130, 400])
def test_padding_of_one_value_does_not_lower_the_noise(value):
    noisy = 50 + np.random.default_rng(8).normal(0, 20, (5, 96, 96)).round()
    y, x = np.mgrid[-1:1:96j, -1:1:96j]
    padded = np.where(x**2 + y**2 < 0.7, noisy, value)
    padded[:3] = value  # most slices hold nothing else
    black = np.where(padded == noisy, noisy, -1024)
    noise = noise_level.soft_tissue_noise(padded)
    assert noise == pytest.approx(noise_level.soft_tissue_noise(black), rel=0.02)
    assert noise == pytest.approx(20, rel=0.2)
    halved = np.where(padded == noisy, 50 + (noisy - 50) / 2, padded)
    assert noise_level.noise_reduction(padded, halved) == pytest.approx(0.5, abs=0.02)


def test_padding_counts_as_minus_1024_hu():
    hu = np.full((64, 64), 963)  # windows with five columns of padding have a mean of 60 HU
    hu[:, 20:44] = -1024
    padded = np.where(hu == -1024, -3024, hu)
    assert noise_level.soft_tissue_noise(hu) > 100
    assert noise_level.soft_tissue_noise(padded) == noise_level.soft_tissue_noise(hu)


def test_an_image_without_soft_tissue_is_refused():
    with pytest.raises(BadInputError, match="no soft tissue.*Give the noise"):
        noise_level.soft_tissue_noise(np.full((2, 64, 64), -800, np.int16))
    with pytest.raises(BadInputError, match="no soft tissue"):
        noise_level.noise_reduction(np.full((64, 64), -800), np.full((64, 64), -800))


def test_noise_reduction_is_the_share_of_removed_noise():
    noise = np.random.default_rng(4).normal(0, 20, (2, 64, 64))
    before, after = 60 + noise, 60 + 0.6 * noise
    assert noise_level.noise_reduction(before, after) == pytest.approx(0.4)
    assert noise_level.noise_reduction(before, before) == 0
    assert noise_level.noise_reduction(np.full((64, 64), 60), np.full((64, 64), 60)) == 0


def test_noise_reduction_is_unbiased_for_unrelated_noise_of_the_same_level():
    rng = np.random.default_rng(5)
    before, after = (60 + rng.normal(0, 20, (4, 96, 96)) for _ in range(2))
    assert abs(noise_level.noise_reduction(before, after)) < 0.03


@pytest.mark.parametrize("stack", ["ny-sbu", "tcga-lung"])
def test_soft_tissue_noise_reproduces_the_listed_noise_of_real_slices(stack):
    image = DATA / "ct" / f"{stack}_single-slices.nii.gz"
    if not image.exists():
        pytest.skip(f"the reference data is missing: {image}")
    hu = sitk.GetArrayFromImage(sitk.ReadImage(str(image)))
    with open(image.with_name(f"{stack}_single-slices.csv"), newline="") as file:
        rows = list(csv.DictReader(file))[:20]
    ratio = [
        noise_level.soft_tissue_noise(hu[int(r["index"])]) / float(r["noise_hu"]) for r in rows
    ]
    assert np.median(ratio) == pytest.approx(1, abs=0.02)
    assert ratio == pytest.approx([1] * len(ratio), abs=0.2)
