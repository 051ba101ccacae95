"""The mean frequency of the noise is that of its filter, whatever its level and tissue."""

import numpy as np
import pytest
from PseudoCTDenoiseLib.ct.flat_windows import flat_windows, low_frequency_share, mean_frequency
from PseudoCTDenoiseLib.errors import BadInputError
from scipy.ndimage import gaussian_filter


def filtered(sigma_px, level_hu=20.0, seed=0):
    noise = gaussian_filter(np.random.default_rng(seed).normal(size=(128, 128)), sigma_px)
    return 50 + noise * level_hu / noise.std()


def frequency(hu):
    return mean_frequency(flat_windows(hu, hu)[0])


def test_smoother_noise_has_a_lower_frequency_at_any_level():
    values = [frequency(filtered(sigma)) for sigma in (0.0, 0.7, 1.5)]
    assert values == sorted(values, reverse=True) and values[0] > 2 * values[2]
    assert frequency(filtered(0.7, 60.0)) == pytest.approx(values[1], rel=0.05)


def test_white_noise_has_the_mean_of_all_frequencies_measured():
    assert frequency(filtered(0.0)) == pytest.approx((1.5 / 22 + 0.5) / 2, rel=0.03)


def test_an_image_without_noise_has_no_frequency_and_one_without_tissue_no_windows():
    flat = np.full((64, 64), 50.0)
    assert frequency(flat) is None
    with pytest.raises(BadInputError, match="too little soft tissue"):
        flat_windows(flat - 1000, flat - 1000)


def test_half_of_the_power_is_at_low_frequencies_if_the_texture_is_the_scans():
    scan = flat_windows(filtered(0.7), filtered(0.7))[0]

    def share(sigma_px, level_hu=20.0):
        noise = filtered(sigma_px, level_hu, seed=1)
        return low_frequency_share(flat_windows(noise, noise)[0], scan)

    assert share(0.7) == pytest.approx(0.5, abs=0.04)
    assert share(0.7, 60.0) == pytest.approx(share(0.7), abs=0.01)
    assert share(0.0) < 0.4 and share(1.5) > 0.7
    assert low_frequency_share(scan, np.full_like(scan, 50.0)) is None
    assert low_frequency_share(np.full_like(scan, 50.0), scan) is None
