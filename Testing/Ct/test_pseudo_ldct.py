"""The pseudo-LDCT is the scan with its noise reversed."""

from __future__ import annotations

import numpy as np
import pytest
from PseudoCTDenoiseLib.ct.pseudo_ldct import pseudo_ldct


@pytest.mark.parametrize("kind", [np.int16, np.int32, np.float32])
def test_the_noise_is_reversed_and_air_is_clipped(kind):
    scan = np.array([[[40, 60, -1010, 3000]]], kind)
    noise = np.array([[[15, -20, 30, -20000]]], np.int16)
    expected = [[[10, 100, -1024, 32767]]]
    result = pseudo_ldct(scan, noise)
    assert result.dtype == np.int16
    np.testing.assert_array_equal(result, expected)


def test_air_below_the_limit_has_no_steps_where_little_noise_is_found():
    scan = np.full((1, 1, 4), -1100, np.int16)
    noise = np.array([[[-50, -1, 0, 1]]], np.int16)
    assert pseudo_ldct(scan, noise).tolist() == [[[-1000, -1098, -1100, -1100]]]


def test_padding_and_metal_which_have_no_noise_are_kept():
    scan = np.array([[[-2000, -1024, 30000]]], np.int16)
    np.testing.assert_array_equal(pseudo_ldct(scan, np.zeros_like(scan)), scan)
