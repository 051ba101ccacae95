"""Conversion of HU to the networks' input and to int16."""

import numpy as np
from PseudoCTDenoiseLib.ct.hounsfield import normalise, to_hu, to_int16


def test_networks_see_minus_1024_hu_as_0_and_3072_hu_as_1():
    hu = np.array([-1024.0, 0.0, 1024.0, 3072.0, 4096.0])
    assert normalise(hu).tolist() == [0, 0.25, 0.5, 1, 1.25]
    assert to_hu(normalise(hu)).tolist() == hu.tolist()


def test_int16_is_rounded_and_clipped():
    hu = to_int16(np.array([-1e6, -32768.4, -0.6, 40.4, 32767.4, 1e6]))
    assert hu.dtype == np.int16
    assert hu.tolist() == [-32768, -32768, -1, 40, 32767, 32767]
