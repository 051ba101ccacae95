"""Untrained filters: noise, shape, padding, units and the search for a setting."""

import numpy as np
import pytest
from pseudoct_research.evaluation import filters
from PseudoCTDenoiseLib.ct.reference_metrics import psnr_4096
from PseudoCTDenoiseLib.errors import BadInputError

NAMES = sorted(filters.FILTERS)


@pytest.fixture(scope="module")
def scan():
    """Return a block of soft tissue with a dense rod in air, and the same with noise of 25 HU."""
    clean = np.full((2, 64, 64), -1000.0, np.float32)
    clean[:, 8:56, 8:56] = 50
    clean[:, 28:36, 28:36] = 300
    noisy = clean + np.random.default_rng(1).normal(0, 25, clean.shape)
    return clean, np.rint(noisy).astype(np.int16)


@pytest.mark.parametrize("name", NAMES)
def test_a_filter_removes_noise_and_keeps_shape_and_mean_hu(name, scan):
    clean, noisy = scan
    entry = filters.FILTERS[name]
    result = entry.function(noisy, **entry.default)
    assert result.shape == noisy.shape and result.dtype == np.float32
    flat = np.s_[:, 12:24, 12:52]
    assert result[flat].std() < 0.9 * noisy[flat].std()
    assert result[flat].mean() == pytest.approx(noisy[flat].mean(), abs=1.5)


@pytest.mark.parametrize("name", NAMES)
def test_slices_are_filtered_separately(name, scan):
    _, noisy = scan
    entry = filters.FILTERS[name]
    setting = {**entry.default, **({"noise_hu": 25.0} if name == "non_local_means" else {})}
    stack = entry.function(noisy, **setting)
    assert np.array_equal(stack[1], entry.function(noisy[1], **setting))


@pytest.mark.parametrize("name", NAMES)
def test_a_uniform_image_is_unchanged(name):
    entry = filters.FILTERS[name]
    hu = np.full((1, 32, 32), 40, np.int16)
    assert entry.function(hu, **entry.default) == pytest.approx(40, abs=1e-3)


@pytest.mark.parametrize("name", NAMES)
def test_padding_is_unchanged_and_does_not_affect_the_image(name, scan):
    _, noisy = scan
    at_the_limit, below = noisy.copy(), noisy.copy()
    at_the_limit[:, :4], below[:, :4] = -1024, -3024
    entry = filters.FILTERS[name]
    result = entry.function(below, **entry.default)
    assert (result[:, :4] == -3024).all()
    expected = entry.function(at_the_limit, **entry.default)
    assert np.array_equal(result[:, 4:], expected[:, 4:])


@pytest.mark.parametrize("name", NAMES)
def test_the_input_is_not_modified(name, scan):
    _, noisy = scan
    entry = filters.FILTERS[name]
    hu = noisy.astype(np.float32)
    entry.function(hu, **entry.default)
    assert np.array_equal(hu, noisy)


@pytest.mark.parametrize("name", ["gaussian", "total_variation", "non_local_means"])
def test_settings_are_in_hu_for_any_range_of_the_image(name, scan):
    """A much brighter pixel elsewhere would change the result if the filter inferred a range."""
    _, noisy = scan
    bright = noisy.copy()
    bright[:, 60:, 60:] = 3071
    entry = filters.FILTERS[name]
    setting = {**entry.default, **({"noise_hu": 25.0} if name == "non_local_means" else {})}
    far = np.s_[:, 10:30, 10:30]
    assert entry.function(bright, **setting)[far] == pytest.approx(
        entry.function(noisy, **setting)[far], abs=1.0
    )


@pytest.mark.parametrize("name", NAMES)
def test_the_default_has_the_keys_of_the_grid(name):
    entry = filters.FILTERS[name]
    assert len(entry.grid) > 1
    assert dict(entry.default) in [dict(setting) for setting in entry.grid]


def test_the_best_setting_scores_highest_of_the_grid(scan):
    clean, noisy = scan
    entry = filters.FILTERS["gaussian"]
    best = filters.best_setting(entry, noisy, clean)
    scores = {s["sigma_px"]: psnr_4096(entry.function(noisy, **s), clean) for s in entry.grid}
    assert best == {"sigma_px": max(scores, key=scores.get)}


def test_non_local_means_keeps_an_edge_that_a_gaussian_blurs(scan):
    clean, noisy = scan
    edge = np.s_[:, 28:36, 26:38]
    error = {
        name: np.abs(function(noisy) - clean)[edge].mean()
        for name, function in (
            ("nlm", filters.non_local_means),
            ("gaussian", lambda hu: filters.gaussian(hu, sigma_px=1.2)),
        )
    }
    assert error["nlm"] < 0.7 * error["gaussian"]


def test_non_local_means_reports_missing_soft_tissue():
    air = np.full((1, 32, 32), -1000, np.int16)
    with pytest.raises(BadInputError, match="Give the noise in HU"):
        filters.non_local_means(air)
    assert filters.non_local_means(air, noise_hu=10.0) == pytest.approx(-1000, abs=1e-3)


def test_arrays_of_other_dimensions_are_refused():
    with pytest.raises(BadInputError, match="shape"):
        filters.gaussian(np.zeros(5))
