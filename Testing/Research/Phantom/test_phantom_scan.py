"""Scans of the phantom have the expected noise, and draws are independent."""

from __future__ import annotations

import numpy as np
import pytest
from pseudoct_research.phantom.phantom_scan import NORMAL_DOSE_QUANTA, scan_phantom
from pseudoct_research.phantom.torso import axial_plane
from PseudoCTDenoiseLib.errors import BadInputError
from PseudoCTDenoiseLib.simulation.low_dose import LowDoseSimulator, simulate_low_dose
from PseudoCTDenoiseLib.simulation.reconstruction_kernels import SOFT

LIVER = np.s_[0, 223:287, 111:175]


@pytest.fixture(scope="module")
def clean():
    across = (np.arange(512) - 255.5) * 0.75
    return np.rint(axial_plane(across, 1.5, 0.75))[None].astype(np.int16)


@pytest.fixture(scope="module")
def scan(clean):
    return scan_phantom(clean, 0.75)


def test_normal_dose_has_12_hu_of_noise_in_the_liver_and_a_quarter_twice_that(clean, scan):
    for hu, sigma in ((scan.ndct, 12), (scan.ldct, 24)):
        noise = hu[LIVER].astype(float) - clean[LIVER]
        assert noise.std() == pytest.approx(sigma, rel=0.08)
        assert abs(noise.mean()) < 1


def test_added_noise_is_independent_of_the_normal_dose_noise(clean, scan):
    own = scan.ndct[LIVER].astype(float) - clean[LIVER]
    added = scan.ldct[LIVER].astype(float) - scan.ndct[LIVER]
    assert abs(np.corrcoef(own.ravel(), added.ravel())[0, 1]) < 0.06
    # A user's seed does not repeat the noise of the normal-dose scan.
    simulator = LowDoseSimulator(0.75, NORMAL_DOSE_QUANTA)
    low_dose = simulate_low_dose(scan.ndct, simulator, 0.25, SOFT, seed=0)[LIVER] - scan.ndct[LIVER]
    assert abs(np.corrcoef(own.ravel(), low_dose.ravel())[0, 1]) < 0.06


def test_invalid_doses_are_refused():
    with pytest.raises(BadInputError, match="above 0 and at most 1"):
        scan_phantom(np.zeros((1, 16, 16), np.int16), 4.0, dose=1.5)
