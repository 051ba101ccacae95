"""The strength is a weight between the original and the denoised scan."""

from __future__ import annotations

import numpy as np
import pytest
from PseudoCTDenoiseLib.ct.strength import apply_strength

ORIGINAL = np.array([[[-2000, -1024, -1001, 0, 7, 3071, 32767, -32768]]], np.int16)
DENOISED = np.array([[[-2000, -1000, -1000, 10, 10, 2000, -32768, 32767]]], np.int16)


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
    half = apply_strength(original, denoised, 50)
    assert half.dtype == kind
    assert np.allclose(half[..., 1:], (original + denoised)[..., 1:] / 2)
    full = apply_strength(original, denoised, 100)
    assert np.array_equal(full[..., 1:], denoised[..., 1:])
    assert half[0, 0, 0] == full[0, 0, 0] == original[0, 0, 0]  # padding
    rounded = apply_strength(original, denoised, 0, out=np.empty(original.shape, np.int16))
    assert np.array_equal(rounded, np.rint(original))


@pytest.mark.parametrize("kind", [np.uint16, np.int32, np.float64])
def test_whole_hu_of_any_type_become_int16(kind):
    original = np.arange(24).reshape(1, 4, 6).astype(kind)
    exact = apply_strength(original, np.zeros((1, 4, 6), np.int16), 0)
    assert exact.dtype == np.int16 and np.array_equal(exact, original)


def test_at_100_the_result_is_the_denoised_scan():
    assert np.array_equal(apply_strength(ORIGINAL, DENOISED, 100), DENOISED)


def test_at_50_the_result_is_the_mean():
    original = np.array([[[0, -1000, 100, -1024]]], np.int16)
    denoised = np.array([[[10, -900, -100, -1024]]], np.int16)
    assert apply_strength(original, denoised, 50).tolist() == [[[5, -950, 0, -1024]]]


def test_the_strength_weights_the_denoised_scan_and_the_result_is_rounded():
    original, denoised = np.zeros((1, 1, 1), np.int16), np.full((1, 1, 1), 10, np.int16)
    shown = [int(apply_strength(original, denoised, s)[0, 0, 0]) for s in (20, 44, 46, 90)]
    assert shown == [2, 4, 5, 9]


@pytest.mark.parametrize("strength", [0, 30, 100])
def test_padding_is_kept_and_the_inputs_are_not_changed(strength):
    original, denoised = ORIGINAL.copy(), DENOISED.copy()
    mixed = apply_strength(original, denoised, strength)
    assert mixed[0, 0, 0] == ORIGINAL[0, 0, 0] == -2000
    assert np.array_equal(original, ORIGINAL) and np.array_equal(denoised, DENOISED)


def test_the_result_can_replace_the_denoised_scan():
    denoised = DENOISED.copy()
    assert apply_strength(ORIGINAL, denoised, 30, out=denoised) is denoised
    assert np.array_equal(denoised, apply_strength(ORIGINAL, DENOISED, 30))


def test_scans_of_different_lengths_are_refused():
    with pytest.raises(ValueError, match="zip"):
        apply_strength(np.zeros((2, 4, 4), np.int16), np.zeros((1, 4, 4), np.int16), 50)
