"""The strength decides how much of the removed noise comes back, and of which texture."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from PseudoCTDenoiseLib.ct.strength import apply_strength
from scipy.ndimage import gaussian_filter

ORIGINAL = np.array([[[-2000, -1024, -1001, 0, 7, 3071, 32767, -32768]]], np.int16)
DENOISED = np.array([[[-1024, -1000, -1000, 10, 10, 2000, -32768, 32767]]], np.int16)


def test_at_0_the_result_equals_the_original_bit_for_bit():
    every_value = np.arange(-32768, 32768).astype(np.int16).reshape(1, 256, 256)
    mixed = apply_strength(every_value, every_value[:, ::-1, ::-1], 0)
    assert mixed.dtype == np.int16
    assert np.array_equal(mixed, every_value)


@pytest.mark.parametrize("kind", [np.float32, np.float64])
def test_fractions_of_hu_and_their_type_are_kept(kind):
    original = (ORIGINAL[:, :, :6] + np.array([0.49, -0.25, 1 / 3, 1e-3, 0.5, 0.1])).astype(kind)
    denoised = DENOISED[:, :, :6]
    exact = apply_strength(original, denoised, 0)
    assert exact.dtype == kind and np.array_equal(exact, original)
    half = apply_strength(original, denoised, 50, keep_texture=False)
    assert half.dtype == kind
    assert np.allclose(half[0, 0, 2:], (original[0, 0, 2:] + denoised[0, 0, 2:]) / 2)
    full = apply_strength(original, denoised, 100)
    assert np.array_equal(full[0, 0, 2:], denoised[0, 0, 2:]) and full[0, 0, 0] == original[0, 0, 0]
    rounded = apply_strength(original, denoised, 0, out=np.empty(original.shape, np.int16))
    assert np.array_equal(rounded, np.rint(original))


@pytest.mark.parametrize("kind", [np.uint16, np.int32, np.float64])
def test_whole_hu_of_any_type_become_int16(kind):
    original = np.arange(24).reshape(1, 4, 6).astype(kind)
    exact = apply_strength(original, np.zeros((1, 4, 6), np.int16), 0)
    assert exact.dtype == np.int16 and np.array_equal(exact, original)


def test_at_100_the_result_is_the_denoised_scan_except_for_padding():
    mixed = apply_strength(ORIGINAL, DENOISED, 100)
    assert mixed.tolist() == [[[-2000, -1000, -1000, 10, 10, 2000, -32768, -32768]]]


def test_an_even_mixture_at_50_is_the_mean():
    original = np.array([[[0, -1000, 100, -1024]]], np.int16)
    denoised = np.array([[[10, -900, -100, -1024]]], np.int16)
    assert apply_strength(original, denoised, 50, keep_texture=False).tolist() == [
        [[5, -950, 0, -1024]]
    ]


def test_an_even_mixture_weights_the_denoised_scan_and_is_rounded():
    original, denoised = np.zeros((1, 1, 1), np.int16), np.full((1, 1, 1), 10, np.int16)
    shown = [
        int(apply_strength(original, denoised, strength, keep_texture=False)[0, 0, 0])
        for strength in (20, 44, 46, 90)
    ]
    assert shown == [2, 4, 5, 9]


@pytest.mark.parametrize("strength", [0, 30, 100])
def test_padding_is_kept_and_the_inputs_are_not_changed(strength):
    original, denoised = ORIGINAL.copy(), DENOISED.copy()
    mixed = apply_strength(original, denoised, strength)
    padding = ORIGINAL < -1024
    assert padding.sum() == 2
    assert np.array_equal(mixed[padding], ORIGINAL[padding])
    assert np.array_equal(original, ORIGINAL) and np.array_equal(denoised, DENOISED)


def test_the_result_can_replace_the_denoised_scan():
    denoised = DENOISED.copy()
    assert apply_strength(ORIGINAL, denoised, 30, out=denoised) is denoised
    assert np.array_equal(denoised, apply_strength(ORIGINAL, DENOISED, 30))


def test_scans_of_different_lengths_are_refused():
    with pytest.raises(ValueError, match="zip"):
        apply_strength(np.zeros((2, 4, 4), np.int16), np.zeros((1, 4, 4), np.int16), 50)


@pytest.mark.parametrize("keep_texture", [False, True])
@pytest.mark.parametrize("strength", [0, 1, 30, 50, 99, 100])
def test_voxels_that_the_denoiser_leaves_unchanged_are_exact(strength, keep_texture):
    noise = np.random.default_rng(0).normal(0, 30, (2, 40, 40))
    original = (40 + noise).astype(np.int16)
    denoised = np.full_like(original, 40)
    denoised[:, :, 20:] = original[:, :, 20:]  # padding, or metal
    mixed = apply_strength(original, denoised, strength, keep_texture=keep_texture)
    assert np.array_equal(mixed[:, :, 20:], original[:, :, 20:])


def spectrum(image):
    """Return the power of the lower and of the upper half of the frequencies."""
    power = np.abs(np.fft.fft2(image - image.mean())) ** 2
    radius = np.hypot(np.fft.fftfreq(len(image))[:, None], np.fft.fftfreq(len(image.T)))
    return power[radius < 0.1].sum(), power[(radius > 0.2) & (radius < 0.5)].sum()


def test_the_texture_of_the_noise_is_kept_where_the_denoiser_leaves_coarse_noise():
    noise = np.random.default_rng(1).normal(0, 30, (128, 128))
    coarse = gaussian_filter(noise, 2.5)
    original, denoised = noise[None], (0.6 * coarse)[None]
    low, high = spectrum(noise)

    def ratio(strength, **options):
        left = spectrum(apply_strength(original, denoised, strength, **options)[0])
        return (left[0] / low) / (left[1] / high)

    # 1 is the texture of the scan; above it, the noise that is left is coarser.
    assert [ratio(strength) for strength in (40, 50, 60)] == pytest.approx([1] * 3, abs=0.3)
    even = [ratio(strength, keep_texture=False) for strength in (40, 50, 60)]
    assert even == pytest.approx([1.5, 1.8, 2.3], abs=0.1)


def test_more_strength_leaves_less_noise():
    noise = np.random.default_rng(2).normal(0, 30, (1, 64, 64))
    denoised = 0.3 * noise
    left = [apply_strength(noise, denoised, s).std() for s in range(0, 101, 10)]
    assert all(more > less for more, less in itertools.pairwise(left))


def test_air_stays_at_or_above_its_lowest_value():
    noise = np.random.default_rng(3).normal(0, 30, (1, 64, 64))
    original = np.maximum(-1010 + noise, -1024).astype(np.int16)
    original[0, 20:40, 20:40] = -960
    denoised = np.full_like(original, -1020)
    assert apply_strength(original, denoised, 50).min() == -1024


def test_small_slices_and_single_rows_have_a_strength():
    for shape in ((1, 1, 1), (1, 1, 9), (1, 3, 2)):
        original = np.arange(np.prod(shape)).reshape(shape).astype(np.int16)
        assert apply_strength(original, np.zeros_like(original), 50).shape == shape
