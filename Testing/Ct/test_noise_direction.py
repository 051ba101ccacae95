"""The ratio of directions is 1 for isotropic noise and grows with streaks."""

import numpy as np
import pytest
from PseudoCTDenoiseLib.ct.flat_windows import flat_windows
from PseudoCTDenoiseLib.ct.noise_direction import direction_ratio
from PseudoCTDenoiseLib.errors import BadInputError


def white(shape=(400, 22, 22), sigma_hu=10.0):
    return np.random.default_rng(0).normal(60, sigma_hu, shape)


def streaks(noise, pixels=6):
    """Average along the rows, as the noise of starved horizontal rays."""
    return sum(np.roll(noise, shift, axis=-1) for shift in range(pixels)) / np.sqrt(pixels)


def test_white_noise_has_no_direction_at_any_level():
    assert direction_ratio(white()) == pytest.approx(1, abs=0.1)
    assert direction_ratio(white() * 30 - 500) == pytest.approx(1, abs=0.1)


def test_streaks_have_a_direction_that_does_not_depend_on_their_angle():
    along_rows = direction_ratio(streaks(white()))
    assert along_rows > 3
    assert direction_ratio(np.rot90(streaks(white()), axes=(1, 2))) == pytest.approx(along_rows)


def test_a_trend_of_the_tissue_is_not_a_direction():
    ramp = np.broadcast_to(np.arange(22.0), (400, 22, 22))
    assert direction_ratio(white() + 4 * ramp) == pytest.approx(1, abs=0.1)


def test_both_images_of_a_scan_are_measured_in_the_same_windows():
    noise = white((2, 96, 96)) - 60
    before, after = 60 + streaks(noise), 60 + noise / 4
    before_ratio, after_ratio = map(direction_ratio, flat_windows(before, after))
    assert before_ratio > 2 * after_ratio
    for windows in flat_windows(after, after):
        assert direction_ratio(windows) == pytest.approx(after_ratio, abs=0.15)


def test_an_image_without_noise_has_the_ratio_0():
    assert direction_ratio(np.full((1, 22, 22), 50)) == 0


@pytest.mark.parametrize("hu", [np.full((1, 64, 64), -800), np.full((1, 16, 16), 50)])
def test_without_soft_tissue_there_is_a_message(hu):
    with pytest.raises(BadInputError, match="too little soft tissue"):
        flat_windows(hu, hu)
