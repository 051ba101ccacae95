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


def test_padding_and_metal_which_have_no_noise_are_kept():
    scan = np.array([[[-2000, -1024, 30000]]], np.int16)
    np.testing.assert_array_equal(pseudo_ldct(scan, np.zeros_like(scan)), scan)
