"""A scan unlike those of the training is described in words, with figures and units."""

from __future__ import annotations

import numpy as np
import pytest
from PseudoCTDenoiseLib.denoising.scan_domain import (
    domain_warnings,
    little_removed_warning,
    scan_figures,
)
from PseudoCTDenoiseLib.models.catalog import DENOISER
from PseudoCTDenoiseLib.models.store import list_models
from scipy.ndimage import gaussian_filter

SIZE = 192
DOWN, RIGHT = np.mgrid[:SIZE, :SIZE] - SIZE / 2
DOMAIN = {
    "noise_hu": [12, 100],
    "noise_frequency_per_pixel": [0.17, 0.2],
    "pixel_mm": [0.5, 1.2],
    "tissue_cm2": [60, 900],
}


def scan(noise_hu=20.0, smoothing_px=0.6, radius=80):
    """Return a round body in air, (2, rows, columns) HU."""
    body = np.where(np.hypot(DOWN, RIGHT) < radius, 50.0, -1000.0)
    noise = gaussian_filter(
        np.random.default_rng(0).normal(size=(2, SIZE, SIZE)), (0, *[smoothing_px] * 2)
    )
    return np.rint(body + noise * noise_hu / noise.std()).clip(-1024)


def warnings(hu, pixel_mm=0.8, domain=DOMAIN):
    return domain_warnings(hu, pixel_mm, domain)


def test_a_usual_scan_has_no_warning():
    figures = scan_figures(scan(), 0.8)
    assert figures.keys() == DOMAIN.keys()
    assert figures["tissue_cm2"] == pytest.approx(np.pi * 64**2 * 0.01, rel=0.02)
    assert warnings(scan()) == []


def test_a_model_without_a_domain_warns_of_nothing():
    assert warnings(scan(200.0, 3.0), 3.0, {}) == []


@pytest.mark.parametrize(
    ("case", "words"),
    [
        ({"noise_hu": 4.0}, "HU of noise in soft tissue. It is probably denoised already."),
        ({"noise_hu": 9.0}, "HU of noise in soft tissue, less than the 12 to 100 HU"),
        ({"noise_hu": 200.0}, "HU of noise in soft tissue, more than the 12 to 100 HU"),
        ({"smoothing_px": 1.6}, "per cm), coarser than the 0.17 to 0.2"),
        ({"smoothing_px": 0.0}, "per cm), finer than the 0.17 to 0.2"),
        ({"radius": 40}, "32 cm², smaller than the 60 to 900 cm²"),
        ({"radius": 300}, "Every slice lies inside the body"),
        ({"radius": 5}, "No slice shows a body: less than 2 % of its pixels are above -500 HU."),
    ],
)
def test_each_property_outside_the_training_has_its_sentence(case, words):
    (sentence,) = warnings(scan(**case))
    assert words in sentence


@pytest.mark.parametrize("padding", [0, 400, -1024])
def test_padding_around_the_image_is_no_tissue(padding):
    hu = scan()
    hu[:, np.hypot(DOWN, RIGHT) > SIZE / 2 - 2] = padding
    assert warnings(hu) == []
    hu[:, :20] = hu[:, -20:] = hu[:, :, :20] = hu[:, :, -20:] = padding
    assert warnings(hu) == []


def test_padded_corners_do_not_hide_that_a_slice_lies_inside_the_body():
    hu = scan(radius=300)
    hu[:, np.abs(DOWN) + np.abs(RIGHT) > SIZE - 40] = 0
    (sentence,) = warnings(hu)
    assert "Every slice lies inside the body" in sentence


@pytest.mark.parametrize("case", [{"smoothing_px": 1.6}, {"radius": 300}])
def test_without_a_simulation_no_sentence_speaks_of_one(case):
    (with_simulation,), (without,) = (
        domain_warnings(scan(**case), 0.8, DOMAIN, simulates=simulates)
        for simulates in (True, False)
    )
    assert "uning" in with_simulation and "simulat" in with_simulation
    assert "uning" not in without and "simulat" not in without


def test_pixels_outside_the_training_are_named_with_their_size():
    (small,) = warnings(scan(), 0.35, DOMAIN | {"tissue_cm2": [1, 900]})
    assert "pixels of 0.35 mm, smaller than the 0.5 to 1.2 mm" in small
    (large,) = warnings(scan(), 1.6)
    assert "pixels of 1.6 mm, larger than the 0.5 to 1.2 mm" in large


def test_an_unknown_pixel_size_and_a_scan_without_soft_tissue_are_not_judged():
    assert scan_figures(scan(), None).keys() == {"noise_hu", "noise_frequency_per_pixel"}
    assert warnings(scan(), None) == []
    lung = scan() - 200
    assert scan_figures(lung, 0.8).keys() == {"pixel_mm", "tissue_cm2"}


@pytest.mark.parametrize(
    ("noise_hu", "kept", "warns"),
    [(20.0, 0.98, True), (20.0, 0.7, False), (6.0, 0.98, False), (0.0, 1.0, False)],
)
def test_noise_that_stays_is_named(noise_hu, kept, warns):
    text = little_removed_warning(scan(noise_hu), scan(kept * noise_hu))
    assert (text is not None) == warns
    if warns:
        assert "only 2 % of it was removed" in text


def test_noise_that_stays_is_not_judged_without_soft_tissue():
    assert little_removed_warning(scan() - 200, scan() - 200) is None


def test_the_shipped_denoisers_know_the_range_of_their_training():
    for manifest in list_models():
        if manifest.role == DENOISER:
            assert manifest.domain.keys() == DOMAIN.keys(), manifest.name
            assert warnings(scan(25.0, radius=90), 1.3, manifest.domain) == [], manifest.name
