"""The domain of a model spans the figures of its training scans and of its doses and kernels."""

from __future__ import annotations

import numpy as np
import pytest
from pseudoct_research.datasets.ct_dataset import CtScan
from pseudoct_research.training.measured_domain import measured_domain
from pseudoct_research.training.training_domain import TrainingDomain
from PseudoCTDenoiseLib.denoising.scan_domain import scan_figures


def scan(noise_hu=10.0, pixel_mm=1.5, tissue_hu=50.0):
    down, right = np.mgrid[:96, :96] - 48
    body = np.where(down**2 + right**2 < 42**2, tissue_hu, -1000.0)
    hu = body + np.random.default_rng(0).normal(0, noise_hu, (2, 96, 96))
    return CtScan("A", np.rint(hu.clip(-1024)).astype(np.int16), pixel_mm)


def test_without_a_domain_the_scans_are_measured_as_they_are():
    scans = [scan(10.0, 1.0), scan(20.0, 2.0)]
    figures = [scan_figures(each.hu, each.pixel_mm) for each in scans]
    ranges = measured_domain(scans, None)
    assert ranges["pixel_mm"] == [1.0, 2.0]
    for name, (low, high) in ranges.items():
        assert [low, high] == pytest.approx([found[name] for found in figures], rel=0.01) or (
            name == "noise_frequency_per_pixel" and low <= high
        )


def test_magnified_patches_have_other_pixels_and_textures():
    plain, rescaled = (measured_domain([scan()], None, each) for each in (None, (0.5, 2.0)))
    assert rescaled["pixel_mm"] == [0.75, 3.0] and rescaled["noise_hu"] == plain["noise_hu"]


@pytest.mark.slow
def test_doses_kernels_and_zoom_widen_the_ranges():
    domain = TrainingDomain(doses=(0.1, 0.9), sharpness=(0.0, 1.0), zoom=(0.8, 1.2))
    found = scan_figures(scan().hu, 1.5)
    ranges = measured_domain([scan()], domain)
    assert ranges["pixel_mm"] == [1.2, 1.8]
    assert ranges["noise_hu"][0] < 1.3 * found["noise_hu"] < 2 * found["noise_hu"]
    assert ranges["noise_hu"][1] > 2 * found["noise_hu"]
    assert ranges["tissue_cm2"] == pytest.approx([found["tissue_cm2"]] * 2, rel=0.01)


def test_a_scan_without_soft_tissue_is_measured_as_it_is():
    ranges = measured_domain([scan(tissue_hu=-200.0)], TrainingDomain())
    assert ranges["pixel_mm"] == [1.5, 1.5] and "noise_hu" not in ranges
