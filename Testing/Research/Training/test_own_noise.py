"""Added noise becomes like the noise of the scan, at every frequency and in every direction."""

import numpy as np
import pytest
from pseudoct_research.training.own_noise import MAX_GAIN, like_own_noise

SIZE, SLICES = 160, 6
DOWN, ALONG = np.fft.fftfreq(SIZE)[:, None], np.fft.rfftfreq(SIZE)
FREQUENCY = np.hypot(DOWN, ALONG)
TURNED = (ALONG**2 - DOWN**2) / np.maximum(FREQUENCY, 1e-9) ** 2
SOFT = np.exp(-((FREQUENCY / 0.35) ** 2))


def noise_of(amplitude, seed, hu=12.0, slices=SLICES):
    """Return noise with an amplitude at each frequency; ``hu`` is its standard deviation."""
    white = np.random.default_rng(seed).normal(size=(slices, SIZE, SIZE))
    noise = np.fft.irfft2(np.fft.rfft2(white) * amplitude, s=(SIZE, SIZE))
    return (noise * (hu / noise.std())).astype(np.float32)


def within(low, high):
    return (low < FREQUENCY) & (high > FREQUENCY)


def power(noise, where):
    return float((np.abs(np.fft.rfft2(noise)) ** 2)[..., where].mean())


@pytest.mark.parametrize(
    "own",
    [
        SOFT * np.exp(2 * FREQUENCY),
        SOFT * np.exp(-2 * FREQUENCY),
        SOFT * np.exp(8 * (FREQUENCY - 0.3) ** 2),
        SOFT * np.exp(0.4 * TURNED),
        SOFT * np.exp(-0.4 * TURNED),
    ],
    ids=["finer", "coarser", "curved", "streaks along rows", "streaks along columns"],
)
@pytest.mark.parametrize("dose, hu", [(0.25, 8.0), (0.25, 40.0), (0.5, 12.0)])
def test_at_each_frequency_and_direction_the_scan_has_its_share(own, dose, hu):
    scan = 50 + noise_of(own, 1)
    drawn = np.stack([noise_of(SOFT, 2, hu), noise_of(np.ones_like(SOFT), 3, hu)])
    found = like_own_noise(drawn.astype(np.float16), scan, dose)
    assert found.shape == drawn.shape and found.dtype == np.float16
    for low, high in ((0.15, 0.2), (0.25, 0.3), (0.35, 0.4), (0.44, 0.49)):
        for side in (TURNED > 0.5, TURNED < -0.5):
            where = side & within(low, high)
            wanted = (1 / dose - 1) * power(noise_of(own, 4), where)
            # Weaker noise is found less exactly.
            tolerance = 0.2 if dose < 0.5 else 0.3
            assert power(found[0].astype(float), where) == pytest.approx(wanted, rel=tolerance)
    # The second kernel has the same filter.
    where = within(0.3, 0.32)
    gains = [power(found[n].astype(float), where) / power(drawn[n], where) for n in (0, 1)]
    assert gains[0] == pytest.approx(gains[1], rel=0.1)


def test_anatomy_does_not_count_as_noise():
    rows, columns = np.mgrid[:SIZE, :SIZE]
    anatomy = np.where((rows // 48 + columns // 48) % 2, 20.0, 90.0)
    scan = anatomy + noise_of(SOFT, 1)
    found = like_own_noise(noise_of(SOFT, 2, 30)[None], scan, 0.25)[0]
    assert found.std() == pytest.approx(12 * 3**0.5, rel=0.1)


def test_a_lone_slice_gets_level_and_slope():
    own = SOFT * np.exp(2 * FREQUENCY)
    scan = 50 + noise_of(own, 1, slices=1)
    found = like_own_noise(noise_of(SOFT, 2, slices=1)[None], scan, 0.25)[0]
    for band in ((0.15, 0.25), (0.35, 0.45)):
        where = within(*band)
        assert power(found, where) == pytest.approx(3 * power(noise_of(own, 4), where), rel=0.35)


@pytest.mark.parametrize("value", [-1000.0, 50.0])
def test_without_flat_soft_tissue_or_noise_the_noise_is_finite_and_hardly_grows(value):
    scan = np.full((2, SIZE, SIZE), value)
    drawn = noise_of(SOFT, 2, slices=2)[None]
    found = like_own_noise(drawn, scan, 0.25)
    assert np.isfinite(found).all() and found.std() <= MAX_GAIN * drawn.std()
    if value < 0:
        assert np.array_equal(found, drawn)
